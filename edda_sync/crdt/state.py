"""
States: the canonical bytes of an entity, the form in which a store keeps them, and the hash with which devices compare
them.

    state   := msgpack [kind, touched, deleted, [[actor, seq, wall_ms, {cell: value}]...], ext]
    touched := [[actor, seq, cells, bytes]...]      ascending; with how many cells and bytes that life wrote into the
    entity

The state of an overfull entity has only its kind and ext, which says that it is: ``[kind, [], [], [], [[3, b""]]]``.

The writes that no other write replaced are grouped by the change that made them, ascending by dot. So the shape of the
format itself ensures that no cell has two writes with the same dot, and the cells of a new entity are byte for byte
those of the operation that made it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Final

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.entity import NEVER_OVERFULL, Entity, Refused
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Actor, Seq, from_pairs
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.operation import Kind
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError

HASH_BYTES: Final = 32
CHECKSUM_BYTES: Final = 8  # of a stored state: one damaged state in 2**64 is not noticed

# In a state's ext: the count (8 bytes) and set hash (32 bytes) of the refused operations on the entity.
REFUSED: Final = 1

OVERFULL: Final = 3  # in a state's ext, which has nothing else then: more was written into the entity than it may hold

Wall = Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]
_Group = tuple[Actor, Seq, Wall, Annotated[dict[str, Any], msgspec.Meta(min_length=1)]]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
_State = tuple[Kind, list[tuple[Actor, Seq, _Count, _Count]], list[tuple[Actor, Seq]], list[_Group], Ext]

_OVERFULL: Final[Ext] = ((OVERFULL, b""),)

_encoder = msgspec.msgpack.Encoder(order="sorted")
_decoder = msgspec.msgpack.Decoder(_State)


def encode(entity: Entity) -> bytes:
    """Return the canonical bytes of an entity's state. :func:`decode` is the reverse."""
    if entity.overfull:
        return overfull(entity.kind)
    deleted = sorted(entity.deleted.items()) if entity.deleted else ()
    groups: dict[tuple[bytes, int], tuple[int, dict[str, Any]]] = {}
    last_actor, last_seq, written = b"", 0, dict[str, Any]()  # usually one change wrote nearly all cells
    for name, siblings in entity.cells.items():
        for actor, seq, wall_ms, value in siblings:
            if seq != last_seq or actor != last_actor:
                last_actor, last_seq = actor, seq
                _, written = groups.setdefault((actor, seq), (wall_ms, {}))
            written[name] = value
    listed = [(*dot, *groups[dot]) for dot in sorted(groups)]
    ext = ((REFUSED, entity.refused.encode()),) if entity.refused.size else exts.NONE
    spent = entity.spent
    touched = [(actor, seq, *spent.get(actor, (0, 0))) for actor, seq in sorted(entity.touched.items())]
    return _encoder.encode((entity.kind, touched, deleted, listed, (*ext, *entity.ext)))


def encode_new(kind: str, dot: tuple[bytes, int], wall_ms: int, cells: Mapping[str, Any], size: int) -> bytes:
    """
    Return what :func:`encode` would return for an entity that a single operation wrote.

    Args:
        kind: The kind of the entity.
        dot, wall_ms: The dot and the wall time of the change.
        cells: Values by cell name; at least one.
        size: How many bytes the operation took of its author's budget.
    """
    actor, seq = dot
    return _encoder.encode((kind, ((actor, seq, len(cells), size),), (), ((actor, seq, wall_ms, cells),), exts.NONE))


def reads_new(
    state: bytes, kind: str, dot: tuple[bytes, int], wall_ms: int, cells: Mapping[str, Any], size: int
) -> bool:
    """Tell whether :func:`decode` would read back what was passed to :func:`encode_new`."""
    actor, seq = dot
    try:
        found = _decoder.decode(state)
    except (ValueError, RecursionError):
        return False
    return bool(found == (kind, [(actor, seq, len(cells), size)], [], [(actor, seq, wall_ms, cells)], exts.NONE))


def overfull(kind: str) -> bytes:
    """Return the state of every overfull entity of a kind."""
    return _encoder.encode((kind, (), (), (), _OVERFULL))


def decode(entity_id: bytes, state: bytes) -> Entity:
    """
    Return the entity of some canonical bytes.

    Raises:
        CorruptError: The bytes are not a canonical state.
    """
    try:
        kind, touched, deleted, groups, ext = _decoder.decode(state)
        entity = Entity(entity_id, kind)
        entity.touched = from_pairs([each[:2] for each in touched])
        if deleted:
            entity.deleted = from_pairs(deleted)
        for actor, _, count, size in touched:
            if count or size:
                entity.spent[actor] = count, size
                entity.weight += limits.ENTITY_CELL_BYTES * count + size
        if ext:
            if not exts.is_canonical(ext):
                raise ValueError("an ext out of order")
            if exts.get(ext, OVERFULL) is not None:
                if touched or deleted or groups or ext != _OVERFULL or kind in NEVER_OVERFULL:
                    raise ValueError("an overfull entity that has something, or cannot be overfull")
                entity.overfull, ext = True, exts.NONE
            refused = exts.get(ext, REFUSED)
            if refused is not None:
                entity.refused = Refused.decode(refused)
                ext = tuple(entry for entry in ext if entry[0] != REFUSED)
        if len(groups) > 1 and any(one[:2] >= other[:2] for one, other in itertools.pairwise(groups)):
            raise ValueError("changes out of order")
    except (ValueError, RecursionError):
        raise CorruptError(f"the state of entity {values.id_text(entity_id)}") from None
    entity.ext = ext
    cells: dict[str, Siblings] = {}
    if len(groups) == 1:
        actor, seq, wall_ms, written = groups[0]
        cells = {name: [(actor, seq, wall_ms, value)] for name, value in written.items()}
    else:
        for actor, seq, wall_ms, written in groups:
            for name, value in written.items():
                if name in cells:
                    cells[name].append((actor, seq, wall_ms, value))
                else:
                    cells[name] = [(actor, seq, wall_ms, value)]
    entity.cells = cells
    return entity


# --- in a store -------------------------------------------------------------------------------------------------------


def to_stored(key: bytes, state: bytes) -> bytes:
    """Return a state as a store keeps it: with a checksum, so that damage is noticed before the state is used."""
    return state + _checksum(key, state)


def state_of(key: bytes, stored: bytes) -> bytes:
    """
    Return the state from what a store holds under a key, which :func:`to_stored` made.

    Raises:
        CorruptError: It is not what was written.
    """
    state = stored[:-CHECKSUM_BYTES]
    if stored[-CHECKSUM_BYTES:] != _checksum(key, state):
        kind, entity_id = kind_and_id(key)
        raise CorruptError(f"The {kind} {values.id_text(entity_id)}")
    return state


def entity_of(key: bytes, stored: bytes) -> Entity:
    """
    Return the entity that a store holds under a key.

    Raises:
        CorruptError: It is not what was written.
    """
    return decode(kind_and_id(key)[1], state_of(key, stored))


def is_overfull(key: bytes, stored: bytes) -> bool:
    """Tell whether a store holds the state of an overfull entity under a key. The checksum is not verified."""
    return stored[:-CHECKSUM_BYTES] == overfull(kind_and_id(key)[0])


def _checksum(key: bytes, state: bytes) -> bytes:
    return blake2b(key + state, digest_size=CHECKSUM_BYTES, person=b"edda-state").digest()


# --- compared between devices -----------------------------------------------------------------------------------------


def hash_entity(key: bytes, state: bytes, texts: Sequence[bytes]) -> bytes:
    """
    Return the hash with which two devices compare an entity. Roots and digests are made of these hashes.

    Args:
        key: The key of the entity.
        state: Its canonical bytes.
        texts: The 32-byte hash of each edited text that the state names, in canonical order.
    """
    digest = blake2b(key + len(state).to_bytes(4, "big") + state, digest_size=HASH_BYTES, person=b"edda-entity")
    for text in texts:
        digest.update(text)
    return digest.digest()
