"""
A reader that shows texts with their latest edits, even if their rows have not been written yet.

An edit of a text does not write its row and hash at once (``fold.fold``, rule 4). Usually they are written before a read.
While another process holds the writer's lock, that is impossible. The rows are then computed here, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from edda_sync.crdt import digests, rows, state
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.matching import count_with, with_rows
from edda_sync.fold.texts import Texts
from edda_sync.fold.uniques import withheld_of
from edda_sync.fold.view import View
from edda_sync.store.composed import ComposedReader, over
from edda_sync.store.seams import IndexReader, Record, Row, StatesReader, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.query import Plan


def fresh(reader: StoreReader, stale: Collection[bytes]) -> StoreReader:
    """
    Return a reader that shows the latest state of some texts.

    Args:
        reader: A reader of the store.
        stale: The keys of entities whose rows wait for their texts. An unreadable entity is shown as before.
    """
    texts = Texts()
    shown = [each for each in (_shown(reader, texts, key) for key in stale) if each is not None]
    if not shown:
        return reader
    return replace(
        ComposedReader.of(reader),
        tables=over(reader.tables, _FreshTables(reader, shown)),
        states=over(reader.states, _FreshStates(reader.states, shown)),
        index=over(reader.index, _FreshIndex(reader.index, shown)),
    )


class _Shown(NamedTuple):
    """An entity as it is to be shown: its row, its stored hash, and the hash that it will have."""

    kind: str
    key: bytes
    row: Row
    before: bytes
    after: bytes


def _shown(reader: StoreReader, texts: Texts, key: bytes) -> _Shown | None:
    kind, entity_id = kind_and_id(key)
    stored = reader.tables.row(kind, values.id_text(entity_id)) if kind in rows.COLUMNS else None
    record = reader.states.get([key]).get(key)
    if stored is None or record is None:
        return None
    try:
        encoded = state.state_of(key, record.state)
        entity = state.decode(entity_id, encoded)
        text = texts.text_of(View(reader), entity)
        hashes = [texts.document(View(reader), (key, *named)).hash() for named in entity.edited_texts()]
    except (CorruptError, RefusedTextError):
        return None
    parent_id = (
        stored[rows.COLUMNS["task"].index("parent_id")] if kind == "task" else None
    )  # an edit of a text never moves a task
    after = state.hash_entity(key, encoded, hashes)
    return _Shown(kind, key, rows.row_of(entity, text, parent_id, withheld_of(reader, key)), record.hash, after)


class _FreshTables:
    """The tables of a reader, with some rows replaced by their latest state."""

    def __init__(self, reader: StoreReader, shown: list[_Shown]) -> None:
        self._reader = reader
        self._rows = {(each.kind, each.row[0]): each.row for each in shown}

    def row(self, kind: str, entity: str) -> Row | None:
        return self._rows.get((kind, entity)) or self._reader.tables.row(kind, entity)

    def all(self, name: str) -> list[Row]:
        return list(self.scan(name))

    def scan(self, name: str) -> Iterator[Row]:
        of_table = self._of(name.removesuffix("s"))
        for row in self._reader.tables.scan(name):
            yield of_table.get(row[0], row)

    def rows(self, plan: Plan) -> list[Row]:
        return with_rows(self._reader, plan, self._of(plan.kind))

    def count(self, plan: Plan) -> int:
        return count_with(self._reader, plan, self._of(plan.kind))

    def _of(self, kind: str) -> dict[str, Row]:
        return {entity: row for (its, entity), row in self._rows.items() if its == kind}


class _FreshStates:
    """The states of a reader, with the hashes that some of them will have."""

    def __init__(self, states: StatesReader, shown: list[_Shown]) -> None:
        self._states = states
        self._hashes = {each.key: each.after for each in shown}

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        for record in self._states.scan(kind, after):
            yield record._replace(hash=self._hashes.get(record.key, record.hash))


class _FreshIndex:
    """The index of a reader, with the digest that follows from the new hashes."""

    def __init__(self, index: IndexReader, shown: list[_Shown]) -> None:
        self._index, self._shown = index, shown

    def digest(self) -> int:
        total = self._index.digest()
        for each in self._shown:
            total = digests.add(digests.sub(total, each.before), each.after)
        return total
