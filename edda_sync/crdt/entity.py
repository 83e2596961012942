"""
Entities: a task, a document, a tag or a device as a flat map of cells, with what touched it and what deleted it.

1. The state of an entity is a function of the set of operations on it; any causal order gives the same.
2. It is hidden iff ``touched`` is within ``deleted``: an edit that the deletion had not seen revives it, one that it
   had seen does not, in every order. A deletion carries what its author had seen of the entity, so the join needs no
   cut.
3. An operation whose value is not acceptable has no effect, on every device alike.
4. An entity is named by kind and id. A task and a document of one id, as a careless or lying member may write them, know
   nothing of each other: if the kind that came first owned the id, what is shown would hang on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

import msgspec

from edda_sync import limits, values
from edda_sync.crdt import cells, frontier
from edda_sync.crdt.cells import Siblings, Write
from edda_sync.crdt.frontier import Frontier
from edda_sync.errors import CorruptError, InvalidValueError
from edda_sync.model import KINDS, TEXT_FIELDS

HASH_BYTES: Final = 16
CHECKSUM_BYTES: Final = 8  # of a stored state: one rotten one in 2**64 passes
OWN_TIME: Final = 0
"""Value of a ``created_at`` cell that means: the time of this very write."""

_SUM: Final = Struct(">H16s")  # of a digest's bucket
_NUMBER: Final = {kind: bytes((number,)) for number, kind in enumerate(KINDS)}
_encoder = msgspec.msgpack.Encoder(order="sorted")
_State = tuple[str, list[tuple[int, int]], list[tuple[int, int]], dict[str, list[tuple[int, int, int, Any]]]]
_decoder = msgspec.msgpack.Decoder(_State)


class Entity:
    """
    The replicated state of one entity.

    Attributes:
        id: 16 bytes.
        kind: ``task``, ``document``, ``tag`` or ``device``.
        key: Its name in a store: :func:`key_of` both.
        touched: Join of the dots of all operations on it but deletions.
        deleted: Join of what its deletions had seen of ``touched``.
        cells: Siblings by cell name. A text cell's value is its start (a string), the genesis id of an edited text, or
            None.
    """

    __slots__ = ("cells", "deleted", "id", "key", "kind", "touched")

    def __init__(self, entity_id: bytes, kind: str) -> None:
        self.id = entity_id
        self.kind = kind
        self.key = key_of(kind, entity_id)
        self.touched: Frontier = {}
        self.deleted: Frontier = {}
        self.cells: dict[str, Siblings] = {}

    @property
    def hidden(self) -> bool:
        """Whether it is in the trash, or nothing visible ever touched it; or it is a tag that nobody has named."""
        if self.kind == "tag" and "name" not in self.cells:
            return True  # shown by its id it could bear the name of another
        if not self.deleted:
            return not self.touched
        return frontier.covers(self.deleted, self.touched)

    def put(self, name: str, write: Write, past: Mapping[int, int]) -> None:
        """Write one cell. Call :meth:`touch` too."""
        siblings = self.cells.get(name)
        self.cells[name] = [write] if siblings is None else cells.written(siblings, write, past)

    def touch(self, actor: int, seq: int) -> None:
        """Note that a change's operation is about this entity."""
        if seq > self.touched.get(actor, 0):
            self.touched[actor] = seq

    def delete(self, seen: Mapping[int, int]) -> None:
        """Hide what a deletion's author had seen."""
        self.deleted = frontier.join(self.deleted, seen)

    def merge(self, ours: Mapping[int, int], other: Entity, theirs: Mapping[int, int]) -> None:
        """Join another state of the same entity; each state is complete at the frontier given with it."""
        self.touched = frontier.join(self.touched, other.touched)
        self.deleted = frontier.join(self.deleted, other.deleted)
        for name in {*self.cells, *other.cells}:
            self.cells[name] = cells.merged(self.cells.get(name, []), ours, other.cells.get(name, []), theirs)

    def value(self, name: str) -> Any:
        """Return the visible value of a cell; None where there is none."""
        siblings = self.cells.get(name)
        return None if siblings is None else cells.visible(siblings)[3]

    def encode(self) -> bytes:
        """Return the canonical bytes of the state."""
        return _encoder.encode((self.kind, sorted(self.touched.items()), sorted(self.deleted.items()), self.cells))

    @classmethod
    def decode(cls, entity_id: bytes, state: bytes) -> Entity:
        """
        Return the entity of canonical bytes.

        Raises:
            CorruptError: The bytes are not such a state.
        """
        try:
            kind, touched, deleted, held = _decoder.decode(state)
            entity = cls(entity_id, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            raise CorruptError(f"the state of entity {values.id_text(entity_id)}") from None
        entity.touched, entity.deleted, entity.cells = dict(touched), dict(deleted), held
        return entity

    def edited_texts(self) -> list[tuple[str, int]]:
        """Return field and genesis of each edited text among its siblings, in canonical order."""
        field = TEXT_FIELDS.get(self.kind, "")
        found = {write[3] for write in self.cells.get(field, ()) if isinstance(write[3], int)}
        return [(field, genesis) for genesis in sorted(found)] if found else []


def key_of(kind: str, entity_id: bytes) -> bytes:
    """Return the key of an entity in a store: the kind's number, then the id, so that a kind's entities lie together."""
    return _NUMBER[kind] + entity_id


def kind_and_id(key: bytes) -> tuple[str, bytes]:
    """
    Return what :func:`key_of` made a key of.

    Raises:
        CorruptError: It is none.
    """
    try:
        return KINDS[key[0]], key[1:]
    except IndexError:
        raise CorruptError(f"an entity's key ({key.hex()})") from None


def to_stored(key: bytes, state: bytes) -> bytes:
    """Return a state as a store keeps it: with a checksum, which tells of rot before anything is built on it."""
    return state + _checksum(key, state)


def state_of(key: bytes, stored: bytes) -> bytes:
    """
    Return the state of which :func:`to_stored` made what a store holds under a key.

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
    return Entity.decode(kind_and_id(key)[1], state_of(key, stored))


def _checksum(key: bytes, state: bytes) -> bytes:
    return blake2b(key + state, digest_size=CHECKSUM_BYTES, person=b"edda-state").digest()


def hash_entity(entity_id: bytes, state: bytes, texts: list[bytes]) -> bytes:
    """Return the hash that digests are made of: of the canonical state and of each edited text's hash, in order."""
    digest = blake2b(entity_id + state, digest_size=HASH_BYTES, person=b"edda-entity")
    for text in texts:
        digest.update(text)
    return digest.digest()


def hash_text(string: str, vector: Mapping[int, int]) -> bytes:
    """Return the hash of an edited text: its string and its sorted state vector."""
    return blake2b(
        _encoder.encode((string, sorted(vector.items()))), digest_size=HASH_BYTES, person=b"edda-text"
    ).digest()


def bucket_of(entity_id: bytes) -> int:
    """Return the digest bucket of an entity: by hash, since ids are ordered in time."""
    digest = blake2b(entity_id, digest_size=2, person=b"edda-bucket").digest()
    return int.from_bytes(digest, "big") % limits.DIGEST_BUCKETS


def digest_of(buckets: Mapping[int, int]) -> str:
    """Return one hash of a digest's buckets; those at 0 do not count."""
    sums = [_SUM.pack(bucket, total.to_bytes(16, "big")) for bucket, total in sorted(buckets.items()) if total]
    return blake2b(b"".join(sums), digest_size=HASH_BYTES, person=b"edda-digest").hexdigest()


# --- which cells a kind may have, and their values --------------------------------------------------------------------


def _status(value: Any) -> None:
    if isinstance(value, list):
        status, completed_at = value
        values.status(status)
        if status != "done" or values.time("completed_at", completed_at) != completed_at:
            raise InvalidValueError("status", "has a time of completion that does not fit", value)
    else:
        values.status(value)


def _created_at(value: Any) -> None:
    if value != OWN_TIME and values.time("created_at", value) != value:
        raise InvalidValueError("created_at", "is not canonical", value)


def _due_date(value: Any) -> None:
    if value is not None and values.time("due_date", value) != value:
        raise InvalidValueError("due_date", "is not canonical", value)


def _reference(value: Any) -> None:
    if value is not None and not (isinstance(value, bytes) and len(value) == 16):
        raise InvalidValueError("parent_id", "is not an id", value)


def _text(value: Any) -> None:
    if value is not None:
        values.text("text", value)


def _line(value: Any) -> None:
    values.line("value", value)


def _certificate(value: Any) -> None:
    if not isinstance(value, bytes) or not 0 < len(value) <= 4096:
        raise InvalidValueError("certificate", "is not a certificate", value)


_Check = Callable[[Any], object]
_FIELDS: Final[dict[str, dict[str, _Check]]] = {
    "task": {
        "title": values.title,
        "description": _text,
        "status": _status,
        "priority": values.priority,
        "due_date": _due_date,
        "parent_id": _reference,
        "created_at": _created_at,
    },
    "document": {
        "title": values.title,
        "content": _text,
        "content_type": _line,
        "doc_type": _line,
        "created_at": _created_at,
    },
    "tag": {"name": _line, "color": _text, "description": _text, "created_at": _created_at},
    "device": {"name": _line, "certificate": _certificate, "created_at": _created_at},
}


def check_state(entity: Entity, at: Mapping[int, int]) -> None:
    """
    Check a state that came from a peer, as its operations would have been checked.

    Args:
        entity: The state.
        at: The frontier at which it is said to be complete.

    Raises:
        InvalidValueError: No device makes this of changes.
    """
    if len(entity.id) != 16:
        raise InvalidValueError("id", "is not an id", entity.id)
    if not frontier.covers(at, entity.touched) or not frontier.covers(at, entity.deleted):
        raise InvalidValueError("touched", "is not within the frontier of its segment", None)
    for name, siblings in entity.cells.items():
        dots = [write[:2] for write in siblings]
        if not dots or dots != sorted(set(dots)):
            raise InvalidValueError(name, "has siblings out of order", None)
        for actor, seq, wall_ms, value in siblings:
            if not 0 < seq <= entity.touched.get(actor, 0) or not 0 <= wall_ms <= limits.WALL_MS_MAX:
                raise InvalidValueError(name, "was written outside of its frontier", None)
            if name == TEXT_FIELDS.get(entity.kind) and type(value) is int:
                if not 0 <= value < 2 << limits.ACTOR_BITS:
                    raise InvalidValueError(name, "names no text", value)
            else:
                check_write(entity.kind, entity.id, name, value)


def check_write(kind: str, entity_id: bytes, name: str, value: Any) -> None:
    """
    Check what a peer wrote into a cell of an entity: :func:`check_cell`, and that a tag's name is its identity.

    Raises:
        InvalidValueError: It is not acceptable, and has no effect on any device.
    """
    try:
        check_cell(kind, name, value)
    except (TypeError, ValueError) as error:  # a value of a type that nobody expects there
        raise InvalidValueError(name, str(error), None) from None
    if kind == "tag" and name == "name" and values.tag_id(value) != values.id_text(entity_id):
        raise InvalidValueError("name", "is not the name of this tag", value)


@lru_cache(maxsize=4_096)  # a few tags, again and again
def _is_canonical(entity_id: str) -> bool:
    return values.id_text(values.id_bytes("id", entity_id)) == entity_id


def check_cell(kind: str, name: str, value: Any) -> None:
    """
    Check one cell write that came from a peer.

    Raises:
        InvalidValueError: No such cell, or not an acceptable value.
    """
    check = _FIELDS.get(kind, {}).get(name)
    if check is not None:
        check(value)
        return
    group, dot, rest = name.partition(".")
    if not dot or kind not in ("task", "document"):
        raise InvalidValueError(name, "is no field of a " + kind, value)
    if group in ("metadata", "agent_context"):
        values.key(group, rest)
        if value is not None:
            values.canonical_json(group, value)
    elif group == "tag" or (group == "link" and kind == "task"):
        if not _is_canonical(rest):
            raise InvalidValueError(name, "is not a canonical id", value)
        if value is not None and not (value is True and group == "tag"):
            _line(value)
    else:
        raise InvalidValueError(name, "is no field of a " + kind, value)
