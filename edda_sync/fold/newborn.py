"""
The newborn path: what becomes of an entity that nobody has written yet, in one pass from cells to state, hash and row.

Nearly every entity of an import or of a first sync is one: it has one write a cell, no conflict, no deletion, no edited text
and no place in a ring of parents. Whatever else happens to it in the same pass of the fold makes it an ordinary
:class:`~edda_sync.crdt.entity.Entity` first. Both paths give the same bytes, which a property test holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    An entity of one operation.

    Attributes:
        key: Of the entity.
        actor, seq: The dot of the change that writes it.
        wall_ms: When that says it was made.
        cells: What it writes, checked; a tag has its name, and a task no parent.
        size: How many bytes of its author's budget that takes.
        is_strange: Whether a peer wrote it: then its state is read back before it is kept.
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
        """Return it as an ordinary entity."""
        entity = Entity(self.id, self.kind)
        actor, seq, wall_ms = self.actor, self.seq, self.wall_ms
        entity.cells = {name: [(actor, seq, wall_ms, value)] for name, value in self.cells.items()}
        entity.touched = {actor: seq}
        entity.spent = {actor: (len(self.cells), self.size)}
        entity.weight = limits.ENTITY_CELL_BYTES * len(self.cells) + self.size
        return entity

    def record(self) -> Record:
        """
        Return what the store keeps of it.

        Raises:
            CorruptError: What a peer wrote cannot be read back: a fault of this version.
        """
        encoded = state.encode_new(self.kind, (self.actor, self.seq), self.wall_ms, self.cells, self.size)
        if self.is_strange and not state.reads_new(
            encoded, self.kind, (self.actor, self.seq), self.wall_ms, self.cells, self.size
        ):
            raise CorruptError(f"The {self.kind} {values.id_text(self.id)}")
        key = self.key
        return Record(key, False, state.hash_entity(key, encoded, ()), state.to_stored(key, encoded))

    def shown(self, time: str, is_visible: Callable[[bytes], bool]) -> Shown:
        """
        Return what the tables show of it.

        Args:
            time: Its wall time, as text.
            is_visible: Tells of an entity's key whether that is visible.
        """
        kind, cells = self.kind, self.cells
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


@lru_cache(maxsize=4_096)  # a few tags, again and again
def _target_of(cell: str) -> tuple[str, bytes]:
    """Return the id, as text, and the key of what a tag or link names."""
    target_id = rows.target_of(cell)
    return target_id, key_of(integrity.target_kind(cell), bytes.fromhex(target_id.replace("-", "")))
