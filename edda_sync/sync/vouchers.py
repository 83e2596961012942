"""
Vouchers: signatures that cover more than is here.

A batch may end before the change that its author signed; the hashes of what is between come with it. Whoever took such a
batch keeps both: should nobody ever send the rest, what is here can still be passed on.
"""

from __future__ import annotations

import msgspec

from edda_sync.protocols import StoreReader, StoreWriter
from edda_sync.sync.messages import SignedHead


class _Voucher(msgspec.Struct, frozen=True, array_like=True):
    """A signature of more than is here: which change of the actor its proof starts after, and it."""

    after: int
    signed: SignedHead


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Voucher).decode


def keep_voucher(tx: StoreWriter, after: int, signed: SignedHead) -> None:
    """Keep a signature of what is here, or, with the way there, of more than that; the newest one of each actor."""
    if signed.seq == after:
        tx.sign(signed.actor, signed.seq, signed.signature)
    else:
        tx.set_meta(f"voucher {signed.actor:x}", _encode(_Voucher(after, signed)))


def voucher_of(reader: StoreReader, actor: int, after: int) -> SignedHead | None:
    """Return what vouches for an actor's change although the one that was signed is not here."""
    kept = reader.meta(f"voucher {actor:x}")
    found = None if kept is None else _decode(kept)
    return found.signed if found is not None and found.after == after else None
