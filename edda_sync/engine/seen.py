"""Seen: what a transaction read or wrote, and what its objects were read at, compared with what is there at its commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edda_sync.changes.drafts import Put
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.state import entity_of
from edda_sync.engine.drafting import Drafts
from edda_sync.engine.items import item_of_row
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import ConflictError, DamagedRowsError, InvalidValueError, StaleError
from edda_sync.words.model import TEXT_FIELDS, Cells, Item, Task, cells_of, kind_of


def check_unchanged(reader: StoreReader, seen: Mapping[bytes, Entity | None]) -> None:
    """
    Compare entities with what a transaction saw of them. Texts are not compared, since they merge.

    Args:
        reader: The store at the commit.
        seen: What the transaction saw, by key; None where nothing was.

    Raises:
        ConflictError: A cell has changed meanwhile.
    """
    now = reader.states.get(seen)
    changed = []
    for key, before in seen.items():
        entity_id, current = kind_and_id(key)[1], _entity_of(now.get(key))
        if (before is None) != (current is None):
            changed.append((values.id_text(entity_id), "existence"))
        elif before is not None and current is not None:
            texts = TEXT_FIELDS.get(before.kind)
            names = {*before.cells, *current.cells}
            different = [n for n in sorted(names) if n != texts and before.cells.get(n) != current.cells.get(n)]
            if before.hidden != current.hidden:
                different.append("existence")
            changed += [(values.id_text(entity_id), name) for name in different]
    if changed:
        raise ConflictError(changed)


def _entity_of(record: Record | None) -> Entity | None:
    return None if record is None else entity_of(record.key, record.state)


class ReadAt:
    """
    What the objects that a transaction writes back were read at. So none replaces a value that it never showed.

    Texts and tags are not compared, since they merge.
    """

    def __init__(self) -> None:
        self._noted: list[tuple[Item, Cells]] = []
        self._own: dict[
            bytes, tuple[int, set[str]]
        ] = {}  # how many drafts of an entity were looked at, and their cells

    @property
    def is_any(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self._noted)

    def note(self, read: Item | None, written: Cells, drafts: Drafts) -> None:
        """
        Note an object that is written back.

        Args:
            read: The object as it was read; None if it was not.
            written: The cells that are written.
            drafts: What the transaction has written before; what it read of that is its own.
        """
        if read is None:
            return
        key = key_of(kind_of(read), values.id_bytes("id", read.id))
        first, own = self._own.get(key, (0, {TEXT_FIELDS[kind_of(read)]}))
        new = drafts.of(key, first)
        own.update(name for draft in new if isinstance(draft, Put) for name in draft.cells)
        self._own[key] = first + len(new), own
        compared = {name: value for name, value in written.items() if name not in own and not name.startswith("tag.")}
        if compared:
            self._noted.append((read, compared))

    def check(self, reader: StoreReader) -> None:
        """
        Compare the cells with what a store shows.

        Raises:
            StaleError: One shows another value than the one that was read, and than the one that is written.
        """
        stale = []
        for read, written in self._noted:
            try:
                row = reader.tables.row(kind_of(read), read.id)
            except DamagedRowsError:  # whoever reads it next has it made anew
                continue
            if row is None:  # the drafts expect it
                continue
            now, before = _shown(item_of_row(kind_of(read), row, ())), _shown(read)
            for name, value in written.items():
                plain = value[0] if isinstance(value, list) else value
                if now.get(name) not in (before.get(name), plain):
                    stale.append((read.id, name))
        if stale:
            raise StaleError(stale)


def _shown(item: Item) -> dict[str, Any]:
    """Return the cells of an object, as a store would hold them; of its status without the time."""
    try:
        cells = cells_of(item)
    except InvalidValueError:  # another version wrote it
        cells = cells_of(item, item)
    return {**cells, "status": item.status} if isinstance(item, Task) else cells
