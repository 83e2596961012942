"""
Shortening: headers travel without the hashes that their reader can compute. Hashes do not compress, and would be most of a
frame.

A header contains the hash of its body, which comes with it, and the hash of the change before it in its chain, which often
comes too. Both are removed on the wire and put back by the reader, byte for byte. The reader has to believe nothing: the
hash of a header is in the chain that a signature covers, so a header that was restored wrongly is one that nobody signed.

1. :func:`restored` returns what was given to :func:`shortened`, for any input except a header with an empty hash, which is
   no valid header.
2. Each change is treated with only the earlier changes of its batch. The reader needs nothing from its store.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from edda_sync.changes.change import HASH_BYTES, NO_HASH, hash_change, hash_header, hash_part
from edda_sync.words import limits

Piece = tuple[bytes, bytes]
"""A header and its body."""

_NOTHING: Final = b"\xc4\x00"  # an empty byte string in msgpack
_HASH: Final = b"\xc4\x20"  # begins a byte string of 32 bytes


class _Fields(msgspec.Struct, array_like=True, gc=False):
    """The fields of a header that matter here; the others are kept as raw bytes."""

    level: msgspec.Raw
    actor: bytes
    seq: int
    deps: msgspec.Raw
    operations: msgspec.Raw
    body_bytes: int
    content: Annotated[bytes, msgspec.Meta(max_length=HASH_BYTES)]
    previous: Annotated[bytes, msgspec.Meta(max_length=HASH_BYTES)]
    ext: msgspec.Raw


_decode = msgspec.msgpack.Decoder(_Fields).decode


class _Chains:
    """The last change of each actor in a batch, as far as it was read."""

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[int, bytes, bytes]] = {}  # seq, the hash before it, its header

    def before(self, actor: bytes, seq: int) -> bytes:
        """Return the hash of an actor's change before a seq; empty if it is not known."""
        if seq == 1:
            return NO_HASH
        last_seq, previous, raw = self._last.get(actor, (0, b"", b""))
        return hash_change(previous, hash_header(raw)) if last_seq == seq - 1 else b""

    def follow(self, fields: _Fields, previous: bytes, raw: bytes) -> None:
        """Note a change."""
        self._last[fields.actor] = fields.seq, previous, raw


def shortened(changes: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return changes without the hashes that their reader can compute; see :func:`restored`."""
    chains, short = _Chains(), list[Piece]()
    for raw, body in changes:
        fields = _fields(raw)
        at = 0 if fields is None else len(raw) - len(fields.ext) - 2 * (HASH_BYTES + 2)
        whole = b"" if fields is None else _HASH + fields.content + _HASH + fields.previous
        if fields is None or not raw.startswith(whole, at):
            short.append((raw, body))  # it is malformed; its reader will say so
            continue
        content = _NOTHING if _has_body(fields) and hash_part(body) == fields.content else _HASH + fields.content
        is_known = chains.before(fields.actor, fields.seq) == fields.previous
        previous = _NOTHING if is_known else _HASH + fields.previous
        chains.follow(fields, fields.previous, raw)
        short.append((raw[:at] + content + previous + bytes(fields.ext), body))
    return tuple(short)


def restored(changes: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return changes as they were before :func:`shortened`; others as they are."""
    chains, whole = _Chains(), list[Piece]()
    for raw, body in changes:
        fields = _fields(raw)
        if fields is None:
            whole.append((raw, body))
            continue
        content = fields.content or (hash_part(body) if _has_body(fields) else b"")
        previous = fields.previous or chains.before(fields.actor, fields.seq)
        size = len(fields.ext) + len(fields.content) + len(fields.previous) + 2 * len(_NOTHING)
        if len(content) == len(previous) == HASH_BYTES and raw[-size:] == _tail(fields):
            raw = raw[:-size] + _HASH + content + _HASH + previous + bytes(fields.ext)
            chains.follow(fields, previous, raw)
        whole.append((raw, body))
    return tuple(whole)


def _tail(fields: _Fields) -> bytes:
    """Return the end of a header, from the hash of its body on, as this version encodes it."""
    hashes = (bytes((0xC4, len(each))) + each for each in (fields.content, fields.previous))
    return b"".join(hashes) + bytes(fields.ext)


def _has_body(fields: _Fields) -> bool:
    return fields.body_bytes <= limits.PART_BYTES_MAX


def _fields(raw: bytes) -> _Fields | None:
    if len(raw) > limits.HEADER_BYTES_MAX:
        return None
    try:
        return _decode(raw)
    except (ValueError, RecursionError):
        return None
