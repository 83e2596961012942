"""
Changes: what one committed transaction did. A change is the unit of atomicity, replication, attribution and undo.

A change is a *header* and a *body*. The fixed fields of the header, its envelope, never change: every version can read
a change's dot, its past and its size, chain it, order it and pass it on, whatever else it contains. Everything that may
differ between versions is in the header's ``ext`` and in the body. PROTOCOL.md describes both byte by byte.

A change commits to its past by hashes: that of its actor's previous change, and those of the changes of others on which
it depends. So "the past of a change" is the same set for everybody, even if an author wrote two changes with one dot.
The hash of a change covers the hash before it, so one signed hash vouches for all changes before it (Haber and
Stornetta 1991, "How to time-stamp a digital document").
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import ACTOR_BYTES, SEQ_MAX, Actor, Dot, Seq
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

LEVEL: Final = 1
"""The rules by which this version writes. A change is always judged by the rules of the level in its header."""

HASH_BYTES: Final = 32
DEP_HASH_BYTES: Final = 16
NO_HASH: Final = bytes(HASH_BYTES)  # in place of the hash before an actor's first change

# numbers in a header's ext at level 1: odd ones decide what a change does, even ones only add information
WALL: Final = 1  # wall time of the author in milliseconds since 1970, 8 bytes big endian
AGENT: Final = 2  # who asked for the change, UTF-8
BIRTH: Final = 3  # in an actor's first change: see Birth
REASON: Final = 4  # why, UTF-8
PARTS: Final = 5  # hashes of the body's parts, 32 bytes each, if it has more than one
AGAIN: Final = 6  # the beginning of the hash of this device's change that this one repeats
UNDONE: Final = 8  # what an undo takes back, if its reason has no room for that: see ``undone``
WHY: Final = 2  # in a birth's ext: why a new life began, UTF-8
_UNDERSTOOD: Final = frozenset((WALL, BIRTH, PARTS))

Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Dep = tuple[Actor, Seq, Annotated[bytes, msgspec.Meta(min_length=DEP_HASH_BYTES, max_length=DEP_HASH_BYTES)]]
"""``(actor, seq, hash)``: a change that another one depends on, with the first 16 bytes of its hash."""

Said = Callable[..., Ext]
"""What gives a header's ext, once ``birth`` and ``parts`` are known."""

_encoder = msgspec.msgpack.Encoder(order="sorted")


class Birth(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """
    How an actor began. The actor is a hash of these bytes, so nobody can claim the actor of another device.

    Attributes:
        public_key: The device's Ed25519 key, 32 bytes.
        nonce: 16 random bytes.
        parent, parent_seq, parent_hash: The change that this life continues: the last change of the previous life that
            the store holds, or, for a device's first life, the change that made the device a member. None at the birth
            of a workspace.
        ext: Room to grow.
    """

    public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    parent: Actor | None = None
    parent_seq: Annotated[int, msgspec.Meta(ge=0, le=SEQ_MAX)] = 0
    parent_hash: Annotated[bytes, msgspec.Meta(max_length=HASH_BYTES)] = b""
    ext: Ext = exts.NONE

    @property
    def why(self) -> str:
        """Why a new life began, for a person."""
        return _text(exts.get(self.ext, WHY)) or ""

    @property
    def continues(self) -> tuple[bytes, int, bytes] | None:
        """The change that this life continues, as a dependency; None at the birth of a workspace."""
        return None if self.parent is None else (self.parent, self.parent_seq, self.parent_hash[:DEP_HASH_BYTES])


class Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """
    The header of a change.

    Attributes:
        level: The level of the rules by which the change is judged.
        actor, seq: The dot.
        deps: What the author had applied, as the difference from the actor's previous change (in a first change: from the
            past of what its birth continues), sorted by actor, without its own actor.
        operations: The number of operations in the body.
        body_bytes: Length of the body.
        content: Hash of the body.
        previous: Hash of the actor's previous change; ``NO_HASH`` in its first change.
        ext: Room to grow: wall time, birth, parts, agent, reason.
    """

    level: Annotated[int, msgspec.Meta(gt=0, lt=1 << 16)]
    actor: Actor
    seq: Seq
    deps: tuple[Dep, ...]
    operations: Annotated[int, msgspec.Meta(ge=0)]
    body_bytes: Annotated[int, msgspec.Meta(ge=0)]
    content: Hash
    previous: Hash
    ext: Ext = exts.NONE

    @property
    def dot(self) -> Dot:
        """The name of the change."""
        return self.actor, self.seq

    @property
    def wall_ms(self) -> int:
        """Wall time of the author in milliseconds since 1970. It ranks concurrent writes, and decides nothing else."""
        wall = exts.get(self.ext, WALL)
        return 0 if wall is None or len(wall) != 8 else min(int.from_bytes(wall, "big"), limits.WALL_MS_MAX)

    @property
    def parts(self) -> tuple[bytes, ...]:
        """Hashes of the body's parts of ``PART_BYTES_MAX``; empty if the body has a single part."""
        if self.body_bytes <= limits.PART_BYTES_MAX:  # the usual case, and asked several times for each change
            return ()
        joined = exts.get(self.ext, PARTS) or b""
        return tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))

    @property
    def agent(self) -> str | None:
        """Who asked for the change; None if that is not known."""
        return _text(exts.get(self.ext, AGENT))

    @property
    def reason(self) -> str | None:
        """Why the change was made; None if that is not known."""
        return _text(exts.get(self.ext, REASON))

    @property
    def again(self) -> bytes | None:
        """The beginning of the hash of this device's change that this one repeats; None if it repeats none."""
        return exts.get(self.ext, AGAIN)

    @property
    def undone(self) -> bytes | None:
        """What an undo takes back, if its reason does not name all of it; ``undone.decode`` reads it."""
        return exts.get(self.ext, UNDONE)

    @property
    def birth(self) -> Birth | None:
        """How the actor began. Only an actor's first change has it."""
        raw = exts.get(self.ext, BIRTH) if self.seq == 1 else None
        return None if raw is None else decode_birth(raw)

    @property
    def is_understood(self) -> bool:
        """Whether this version can tell what the change does. If not, it is kept, passed on and counted as waiting."""
        return self.level <= LEVEL and exts.is_understood(self.ext, _UNDERSTOOD)


class Change:
    """
    A change as it is sent: the exact bytes of its header, and its body if that is a single part.

    Attributes:
        header: What was decoded from ``raw``. A header is never encoded again.
        raw: The header's bytes.
        body: Empty if it is in parts.
    """

    __slots__ = ("_hash", "_header_hash", "body", "header", "raw")

    def __init__(self, header: Header, raw: bytes, body: bytes) -> None:
        self.header, self.raw, self.body = header, raw, body
        self._header_hash = self._hash = b""

    @property
    def header_hash(self) -> bytes:
        """The hash of the header, from :func:`hash_header`."""
        if not self._header_hash:
            self._header_hash = hash_header(self.raw)
        return self._header_hash

    @property
    def hash(self) -> bytes:
        """The hash of the change, from :func:`hash_change`: its link in its actor's chain."""
        if not self._hash:
            self._hash = hash_change(self.header.previous, self.header_hash)
        return self._hash

    @property
    def half(self) -> Dot:
        """The key for its parts until all are here: the beginning of its hash, since its actor may fork, and its seq."""
        return self.hash[:ACTOR_BYTES], self.header.seq

    @property
    def size(self) -> int:
        """Bytes on the wire before compression, without parts."""
        return len(self.raw) + len(self.body)


_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_birth = msgspec.msgpack.Decoder(Birth).decode


def _text(encoded: bytes | None) -> str | None:
    return None if encoded is None else encoded.decode(errors="replace")


# --- encoding ---------------------------------------------------------------------------------------------------------


def header_ext(
    wall_ms: int,
    *,
    birth: Birth | None = None,
    parts: tuple[bytes, ...] = (),
    agent: str | None = None,
    reason: str | None = None,
    again: bytes | None = None,
    undone: bytes | None = None,
) -> Ext:
    """Return the ext of a header at this version's level. The arguments are the properties of :class:`Header`."""
    wall = wall_ms.to_bytes(8, "big")
    if agent is None and birth is None and reason is None and again is None and undone is None and not parts:
        return ((WALL, wall),)  # the usual case
    return exts.of(
        {
            WALL: wall,
            AGENT: None if agent is None else agent.encode(),
            BIRTH: None if birth is None else encode_birth(birth),
            REASON: None if reason is None else reason.encode(),
            PARTS: b"".join(parts) or None,
            AGAIN: again,
            UNDONE: undone,
        }
    )


def ext_again(header: Header, again: bytes | None, *, birth: Birth | None = None, parts: tuple[bytes, ...] = ()) -> Ext:
    """Return the ext of a header that says once more what another one says."""
    return header_ext(
        header.wall_ms, birth=birth, parts=parts, agent=header.agent, reason=header.reason, again=again,
        undone=header.undone,
    )  # fmt: skip


def encode_header(header: Header) -> bytes:
    """Return the bytes of a header, which are no more than :func:`decode_header` accepts."""
    raw = _encoder.encode(header)
    assert len(raw) <= limits.HEADER_BYTES_MAX, (
        "tests/words/test_limits.py: all that one of ours may say has room in it"
    )
    return raw


def encode_birth(birth: Birth) -> bytes:
    """Return the bytes of a birth. The actor is their hash."""
    return _encoder.encode(birth)


@lru_cache(maxsize=1_024)  # each change needs its author's birth, and the same bytes always mean the same
def decode_birth(raw: bytes) -> Birth:
    """
    Decode a birth.

    Raises:
        RemoteProtocolError: It is malformed, or too long to be part of a fork proof.
    """
    if len(raw) > limits.BIRTH_BYTES_MAX:
        raise RemoteProtocolError(f"a birth of {len(raw):,} bytes")
    try:
        birth = _decode_birth(raw)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed birth ({error})") from None
    named = birth.parent is not None
    if named != bool(birth.parent_seq) or len(birth.parent_hash) != (HASH_BYTES if named else 0):
        raise RemoteProtocolError("a birth that names half a parent")
    if not exts.is_canonical(birth.ext) or encode_birth(birth) != raw:
        raise RemoteProtocolError("a birth that is not canonical")
    return birth


def decode_header(raw: bytes) -> Header:
    """
    Decode a header from a peer or from disk.

    Raises:
        RemoteProtocolError: It is malformed or over a limit. Every version gives the same verdict.
    """
    if len(raw) > limits.HEADER_BYTES_MAX:
        raise RemoteProtocolError(f"a change's header of {len(raw):,} bytes")
    try:
        header = _decode_header(raw)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed change ({error})") from None
    _check_header(header)
    return header


def _check_header(header: Header) -> None:
    actors = [dep[0] for dep in header.deps]
    large = header.body_bytes > limits.PART_BYTES_MAX
    parts = exts.get(header.ext, PARTS) or b""
    sound = (
        header.operations <= limits.CHANGE_OPERATIONS_MAX
        and header.body_bytes <= limits.CHANGE_BYTES_MAX
        and actors == sorted({*actors} - {header.actor})
        and exts.is_canonical(header.ext)
        and len(parts) == (HASH_BYTES * -(-header.body_bytes // limits.PART_BYTES_MAX) if large else 0)
        and (not large or header.content == hash_parts(header.parts))
        and (header.previous == NO_HASH) == (header.seq == 1)
    )
    if not sound:
        raise RemoteProtocolError(f"a change's header out of bounds ({header.actor.hex()}:{header.seq})")
    raw_birth = exts.get(header.ext, BIRTH)
    if (raw_birth is not None) != (header.seq == 1):
        raise RemoteProtocolError("a first change without a birth, or a birth in a later one")
    if raw_birth is not None:
        decode_birth(raw_birth)
        if actor_of(raw_birth) != header.actor:
            raise RemoteProtocolError("a change under an actor that is not its device's")


# --- hashes -----------------------------------------------------------------------------------------------------------


def actor_of(birth: bytes) -> bytes:
    """Return the actor of a birth's bytes: 16 bytes. No two lives share an actor, and nobody can claim another's."""
    return blake2b(birth, digest_size=ACTOR_BYTES, person=b"edda-actor").digest()


def hash_part(part: bytes) -> bytes:
    """Return the hash of a body, or of one part of it."""
    return blake2b(part, digest_size=HASH_BYTES, person=b"edda-part").digest()


def hash_parts(parts: tuple[bytes, ...]) -> bytes:
    """Return the hash of a body that is in parts, given the hashes of the parts."""
    return blake2b(b"".join(parts), digest_size=HASH_BYTES, person=b"edda-parts").digest()


def hash_header(raw: bytes) -> bytes:
    """Return the hash of a header's bytes. It covers the whole change, since a header contains the hash of its body."""
    return blake2b(raw, digest_size=HASH_BYTES, person=b"edda-header").digest()


def hash_change(previous: bytes, header: bytes) -> bytes:
    """
    Return the hash of a change, which is a link in its actor's chain.

    Args:
        previous: Hash of the actor's previous change; ``NO_HASH`` before the first.
        header: :func:`hash_header` of the change. So a chain can be followed with the hashes of headers alone.
    """
    return blake2b(previous + header, digest_size=HASH_BYTES, person=b"edda-change").digest()


def signed_message(workspace: bytes, actor: bytes, seq: int, head: bytes) -> bytes:
    """Return the message that a device signs to vouch for an actor's changes up to a head."""
    return b"edda head 1" + workspace + actor + seq.to_bytes(8, "big") + head


def workspace_of(birth: bytes) -> bytes:
    """Return the workspace that a founder's birth creates: 16 bytes. Nobody else can claim to have founded it."""
    return blake2b(birth, digest_size=16, person=b"edda-workspace").digest()
