"""
The newborn path: an entity that nobody has written yet goes in one pass from cells to state, hash and row.

Nearly every entity of an import or of a first sync is of this kind: each cell has one write, and there is no conflict,
deletion, edited text or ring of parents. If anything else happens to it in the same fold, it becomes an ordinary
:class:`~edda_sync.crdt.entity.Entity` first. Both paths give the same bytes; a property test checks this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from edda_sync.crdt import integrity, rows, state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.store.seams import Record, Shown
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import TEXT_FIELDS

KINDS: Final = ("task", "document", "tag")


class Newborn:
    """
    An entity that one operation created.

    Attributes:
        key: The entity's key.
        actor, seq: The dot of the change.
        wall_ms: The change's wall time in milliseconds.
        cells: The cells, which were checked. A tag has its name, and a task has no parent.
        size: How many bytes of its author's budget they take.
        is_strange: Whether a peer wrote it; then its state is decoded again before it is stored.
    """

    __slots__ = ("actor", "cells", "id", "is_strange", "key", "kind", "seq", "size", "wall_ms")

    def __init__(
        self,
        kind: str,
        entity_id: bytes,
        key: bytes,
        dot: tuple[bytes, int],
        wall_ms: int,
        cells: Mapping[str, Any],
        size: int,
        *,
        is_strange: bool,
    ) -> None:
        self.kind, self.id, self.key = kind, entity_id, key
        self.actor, self.seq = dot
        self.wall_ms, self.cells, self.size, self.is_strange = wall_ms, cells, size, is_strange

    def entity(self) -> Entity:
        """Return the ordinary entity."""
        entity = Entity(self.id, self.kind)
        actor, seq, wall_ms = self.actor, self.seq, self.wall_ms
        entity.cells = {name: [(actor, seq, wall_ms, value)] for name, value in self.cells.items()}
        entity.touched = {actor: seq}
        entity.spent = {actor: (len(self.cells), self.size)}
        entity.weight = limits.ENTITY_CELL_BYTES * len(self.cells) + self.size
        return entity

    def record(self) -> Record:
        """
        Return the record that the store keeps.

        Raises:
            CorruptError: The state of a peer's entity cannot be decoded again, which is a bug of this version.
        """
        encoded = state.encode_new(self.kind, (self.actor, self.seq), self.wall_ms, self.cells, self.size)
        if self.is_strange and not state.reads_new(
            encoded, self.kind, (self.actor, self.seq), self.wall_ms, self.cells, self.size
        ):
            raise CorruptError(f"The {self.kind} {values.id_text(self.id)}")
        key = self.key
        return Record(key, False, state.hash_entity(key, encoded, ()), state.to_stored(key, encoded))

    def shown(self, time: str, is_visible: Callable[[bytes], bool], unseen: Collection[str] = frozenset()) -> Shown:
        """
        Return what the tables show.

        Args:
            time: Its wall time, as text.
            is_visible: Tells, for an entity's key, whether the entity is visible.
            unseen: Cells of which another entity shows the value (``fold.uniques``).
        """
        kind, cells = self.kind, self.cells
        if unseen:
            cells = {name: value for name, value in cells.items() if name not in unseen}
        tags, links, withheld = [], [], []
        for name in rows.edges_among(cells):
            value = cells[name]
            if value is None:
                continue
            target_id, target = _target_of(name)
            if not is_visible(target):
                withheld.append((name, target, integrity.HIDDEN))
            elif name.startswith("tag."):
                tags.append((target_id, time))
            else:
                links.append((target_id, value, time))
        version = rows.version_of({self.actor: self.seq}) if kind == "document" else ""
        text = cells.get(TEXT_FIELDS.get(kind, ""))
        row = rows.row_of_new(kind, values.id_text(self.id), cells, time, text, version)
        return Shown(kind, self.key, row, tuple(tags), tuple(links), tuple(withheld))


@lru_cache(maxsize=4_096)  # few tags are used again and again
def _target_of(cell: str) -> tuple[str, bytes]:
    """Return the id, as text, and the key of the tag or link target in a cell's name."""
    target_id = rows.target_of(cell)
    return target_id, key_of(integrity.target_kind(cell), bytes.fromhex(target_id.replace("-", "")))
