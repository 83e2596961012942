"""
Closings: a device says that a quiet life of its own has ended. A closing is signed evidence, and its order of arrival
does not matter.

    closing := msgpack [birth, seq, hash, signature, ext]
    signed  := Ed25519("edda closing 1", workspace, actor, seq(u64), hash)

``seq`` and ``hash`` are those of the life's last change. A store keeps one closing for each life, the one with the
greatest (seq, hash), and only if it holds that change. A closing removes nothing: changes of that life after it stay.
When a store hears that its present life was closed, it begins a new one before its next write. Closed lives can be
forgotten one by one, once there is a floor of compaction.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.chains import CLOSING, Chains
from edda_sync.changes.change import Hash
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Seq
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

CLOSING_BYTES_MAX: Final = limits.BIRTH_BYTES_MAX + 1_024
"""Size of a closing (wire): a birth, the other fields, and some room. Every device keeps one for each life."""


class Closing(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    The end of a life.

    Attributes:
        birth: How the life began. It contains the key, and the actor is its hash.
        seq, hash: Those of the life's last change.
        signature: The signature with that key over :func:`signed_message`.
        ext: Room to grow; it is not signed.
    """

    birth: bytes
    seq: Seq
    hash: Hash
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
    ext: Ext = exts.NONE

    @property
    def actor(self) -> bytes:
        """The life that has ended."""
        return changes.actor_of(self.birth)


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decode = msgspec.msgpack.Decoder(Closing).decode


def signed_message(workspace: bytes, actor: bytes, seq: int, head: bytes) -> bytes:
    """Return the message that a device signs to end a life."""
    return b"edda closing 1" + workspace + actor + seq.to_bytes(8, "big") + head


def encode(closing: Closing) -> bytes:
    """Return the bytes of a closing."""
    return _encoder.encode(closing)


def decode(raw: bytes) -> Closing:
    """
    Decode a closing; :func:`check` it next.

    Raises:
        RemoteProtocolError: It is malformed, over the limit, or not in canonical form.
    """
    if len(raw) > CLOSING_BYTES_MAX:
        raise RemoteProtocolError(f"a closing of {len(raw):,} bytes")
    try:
        closing = _decode(raw)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed closing ({error})") from None
    if not exts.is_canonical(closing.ext) or encode(closing) != raw:
        raise RemoteProtocolError("a closing that is not canonical")
    return closing


def check(closing: Closing, workspace: bytes, verify: Callable[[bytes, bytes, bytes], bool]) -> None:
    """
    Check that a life's own device signed its end.

    Raises:
        RemoteProtocolError: The device did not sign it.
    """
    key = changes.decode_birth(closing.birth).public_key
    message = signed_message(workspace, closing.actor, closing.seq, closing.hash)
    if not verify(key, closing.signature, message):
        raise RemoteProtocolError("a closing that the life's own device did not sign")


def held(reader: StoreReader) -> list[Closing]:
    """Return the closings that a store holds."""
    return [decode(each[1:]) for each in reader.evidence.all().values() if each[:1] == CLOSING]


def of(reader: StoreReader, actor: bytes) -> Closing | None:
    """Return the closing of a life that a store holds; None if it holds none."""
    name = reader.meta.get(_key(actor))
    held = None if name is None else reader.evidence.get(name)
    return None if held is None else decode(held[1:])


def keep(tx: StoreWriter, closing: Closing) -> bool:
    """Keep a checked closing if it is greater than the one that is held for that life; tell whether it was kept."""
    kept = of(tx, closing.actor)
    if kept is not None:
        if (kept.seq, kept.hash) >= (closing.seq, closing.hash):
            return False
        tx.evidence.drop(name_of(kept))
    tx.evidence.add(name_of(closing), CLOSING + encode(closing))
    tx.meta.set(_key(closing.actor), name_of(closing))
    return True


def drop_gone(tx: StoreWriter) -> None:
    """
    Forget the closings of changes that are no longer here: a store keeps no closing of a change that it does not hold.

    A peer that still has such a change sends its closing again once the change is back.
    """
    chains = Chains(tx)
    for each in held(tx):
        if chains.find(each.actor, each.seq, each.hash) is None:
            tx.evidence.drop(name_of(each))
            tx.meta.drop(_key(each.actor))


def _key(actor: bytes) -> str:
    return f"closing {actor.hex()}"


def name_of(closing: Closing) -> bytes:
    """Return the name of a closing among the evidence: one for each life and change."""
    named = closing.actor + closing.seq.to_bytes(8, "big") + closing.hash
    return blake2b(named, digest_size=32, person=b"edda-closing").digest()
