"""
Changes: what one committed transaction did. The unit of atomicity, replication, attribution and undo.

A change is a *header* and a *body*. The header names it (its dot), says when it was made and on what it depends. The
body is a run of operations, each a length (u32, big endian) and that many bytes of msgpack, so that a body can be cut
anywhere into parts of at most 512 KiB and an operation of an unknown kind can be stepped over. PROTOCOL.md has both
byte by byte.

The hash of a change covers the hash of its actor's previous change: one signed hash vouches for all before it (Haber
and Stornetta 1991, "How to time-stamp a digital document").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

import msgspec

from edda_sync import limits
from edda_sync.crdt import frontier
from edda_sync.errors import RemoteProtocolError

VERSION: Final = 1
HASH_BYTES: Final = 32
NO_HASH: Final = bytes(HASH_BYTES)  # stands before an actor's first change

PUT: Final = 1  # [PUT, kind, id, {cell: value}]: write cells
EDIT: Final = 2  # [EDIT, kind, id, field, genesis, update]: edit a text
DELETE: Final = 3  # [DELETE, kind, id, [[actor, seq]...]]: hide what the author saw of an entity
TOUCH: Final = 4  # [TOUCH, kind, id]: keep or bring back an entity

Operation = list[Any]
Dot = tuple[int, int]

_LENGTH = Struct(">I")
_encoder = msgspec.msgpack.Encoder(order="sorted")
_decode_operation = msgspec.msgpack.Decoder(list[Any]).decode


class Birth(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How an actor began: the actor is a hash of both, so nobody can claim another's."""

    public_key: bytes
    nonce: bytes


class Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    The header of a change.

    Attributes:
        version: Of this format.
        actor, seq: The dot.
        wall_ms: Wall time at the author in milliseconds since 1970: ranks concurrent writes, orders nothing else.
        deps: What the author had applied, as the difference to the actor's previous change; its own actor is left out.
        operations: How many are in the body.
        body_bytes: Length of the body.
        parts: Hashes of the body's parts of ``PART_BYTES_MAX``; empty when the body is no longer than one part.
        agent, reason: Who asked for it and why, if anyone said so.
        birth: In an actor's first change only.
    """

    version: int
    actor: int
    seq: int
    wall_ms: int
    deps: tuple[tuple[int, int], ...]
    operations: int
    body_bytes: int
    parts: tuple[bytes, ...] = ()
    agent: str | None = None
    reason: str | None = None
    birth: Birth | None = None

    @property
    def dot(self) -> Dot:
        """The name of the change."""
        return self.actor, self.seq


@dataclass(frozen=True, slots=True)
class Change:
    """
    A change as it travels: its header's very bytes, and its body when that fits one part.

    ``header`` was decoded from ``raw``; nobody encodes a header twice.
    """

    header: Header
    raw: bytes
    body: bytes

    @property
    def content(self) -> bytes:
        """The hash of what it says."""
        return hash_content(self.raw, self.body)

    @property
    def size(self) -> int:
        """Bytes on the wire before compression, parts not counted."""
        return len(self.raw) + len(self.body)


_decode_header = msgspec.msgpack.Decoder(Header).decode


def encode_header(header: Header) -> bytes:
    """Return the bytes of a header."""
    return _encoder.encode(header)


def decode_header(raw: bytes) -> Header:
    """
    Read a header from a peer or from disk.

    Raises:
        RemoteProtocolError: It is malformed or over a limit.
    """
    if len(raw) > limits.HEADER_BYTES_MAX:
        raise RemoteProtocolError(f"a change's header of {len(raw):,} bytes")
    try:
        header = _decode_header(raw)
        frontier.from_pairs(header.deps)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RemoteProtocolError(f"a malformed change ({error})") from None
    _check_header(header)
    return header


def _check_header(header: Header) -> None:
    parts = -(-header.body_bytes // limits.PART_BYTES_MAX) if header.body_bytes > limits.PART_BYTES_MAX else 0
    sound = (
        header.version == VERSION
        and 0 <= header.actor < 1 << limits.ACTOR_BITS
        and 0 < header.seq < 1 << 48
        and 0 <= header.wall_ms <= limits.WALL_MS_MAX
        and 0 <= header.operations <= limits.CHANGE_OPERATIONS_MAX
        and 0 <= header.body_bytes <= limits.CHANGE_BYTES_MAX
        and len(header.parts) == parts
        and all(len(part) == HASH_BYTES for part in header.parts)
        and all(actor != header.actor for actor, _ in header.deps)
        and len(header.agent or "") <= limits.NAME_CODE_POINTS_MAX
        and len(header.reason or "") <= limits.REASON_CODE_POINTS_MAX
        and (header.birth is not None) == (header.seq == 1)
    )
    if not sound:
        raise RemoteProtocolError(f"a change's header out of bounds ({header.actor:013x}:{header.seq})")
    if header.birth is not None and actor_of(header.birth) != header.actor:
        raise RemoteProtocolError("a change under an actor that is not its device's")


def actor_of(birth: Birth) -> int:
    """Return the actor of a device's key and a nonce: 52 bits, so that no two lives share one and none can be claimed."""
    digest = blake2b(birth.public_key + birth.nonce, digest_size=8, person=b"edda-actor").digest()
    return int.from_bytes(digest, "big") >> (64 - limits.ACTOR_BITS)


def hash_content(raw: bytes, body: bytes) -> bytes:
    """
    Return the hash of what a change says.

    Args:
        raw: Bytes of its header.
        body: Its body; empty when the header lists parts, whose hashes stand for it.
    """
    state = blake2b(_LENGTH.pack(len(raw)), digest_size=HASH_BYTES, person=b"edda-content")
    state.update(raw)
    state.update(body)
    return state.digest()


def hash_change(previous: bytes, content: bytes) -> bytes:
    """
    Return the hash of a change: a link of its actor's chain.

    Args:
        previous: Hash of the actor's change before it; ``NO_HASH`` before the first.
        content: :func:`hash_content` of the change. A chain can be followed by contents' hashes alone.
    """
    return blake2b(previous + content, digest_size=HASH_BYTES, person=b"edda-change").digest()


def hash_part(part: bytes) -> bytes:
    """Return the hash of one part of a body."""
    return blake2b(part, digest_size=HASH_BYTES, person=b"edda-part").digest()


def signed_message(workspace: bytes, actor: int, seq: int, head: bytes) -> bytes:
    """Return what a device signs to vouch for an actor's changes up to a head."""
    return b"edda head 1" + workspace + actor.to_bytes(8, "big") + seq.to_bytes(8, "big") + head


# --- bodies -----------------------------------------------------------------------------------------------------------


def encode_operation(operation: Operation) -> bytes:
    """Return an operation as it stands in a body: its length, then its bytes."""
    encoded = _encoder.encode(operation)
    return _LENGTH.pack(len(encoded)) + encoded


def decode_operation(encoded: bytes | memoryview) -> Operation | None:
    """Return an operation without its length; None when it is not even msgpack of a list, which is an unknown kind too."""
    try:
        return _decode_operation(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def cut_operations(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """
    Cut a body that arrives in pieces into the bytes of its operations; memory holds one operation and one piece.

    A body that ends inside an operation, or claims one over the limit, yields its rest as one more: it decodes to
    nothing that is known, and is treated so. (Its author signed it: refusing it would stop all that depends on it.)
    """
    rest = b""
    for piece in pieces:
        held = rest + piece if rest else piece
        at, end = 0, len(held)
        while end - at >= 4:
            (size,) = _LENGTH.unpack_from(held, at)
            if size > limits.OPERATION_BYTES_MAX:
                yield b""
                return
            if end - at - 4 < size:
                break
            yield held[at + 4 : at + 4 + size]
            at += 4 + size
        rest = held[at:] if at else held
    if rest:
        yield b""


def full_deps(header: Header, previous: Mapping[int, int]) -> frontier.Frontier:
    """
    Return all that a change depends on, its actor's own earlier changes included.

    Args:
        header: The change's.
        previous: The same of the actor's change before it; empty before the first.
    """
    deps = dict(previous)
    deps.update(header.deps)
    if header.seq > 1:
        deps[header.actor] = header.seq - 1
    return deps
