"""
The sums of rows: beside each row that people see stands a checksum of it, and one of the tags and one of the links of its
item. Whoever reads rows compares them, so that a bit that flipped on the disk is noticed before anybody sees it.

1. A sum is made of the values that the fold gave, and never of a row that was read: that row may be damaged already.
2. Where only a part of a row or of its edges is written, what differed before from its sum differs from it afterwards, too.
3. The sum of edges is the total of one number for each edge, so that one edge can be added or taken away.

The checksum is CRC-32, which notices each change of up to 32 bits in a row, over the bytes of ``marshal`` in its version 2,
which are the same in every Python.

Source: https://docs.python.org/3/library/marshal.html and https://docs.python.org/3/library/zlib.html#zlib.crc32.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from marshal import dumps
from operator import itemgetter
from typing import Any, Final
from zlib import crc32

from edda_sync.store.seams.tables import Patch, Pointed, Shown
from edda_sync.store.sqlite.names import COLUMNS_OF, TABLE, text_of
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, chunks, marks
from edda_sync.words.errors import CorruptError, DamagedRowsError
from edda_sync.words.model import COLUMNS
from edda_sync.words.query import Row

TABLES: Final = {kind: f"_{kind}_sums" for kind in TABLE}
FUNCTION: Final = "edda_sum"
"""The function that :data:`FILL` calls: the sum of its arguments."""
SCHEMA: Final = tuple(
    f"CREATE TABLE {table} ("
    "place INTEGER PRIMARY KEY, shown INTEGER NOT NULL, tags INTEGER NOT NULL, links INTEGER NOT NULL)"
    for table in TABLES.values()
)
_BELOW: Final = 1 << 32
_TAGS: Final = (
    "SELECT total({function}(tag_id, created_at)) FROM entity_tags WHERE entity_type = '{kind}' AND entity_id = {id}"
)
_LINKS: Final = (
    "SELECT total({function}(document_id, relationship_type, created_at)) FROM task_documents"
    " WHERE '{kind}' = 'task' AND task_id = {id}"
)
FILL: Final = tuple(
    f"INSERT INTO {TABLES[kind]} SELECT rowid, {FUNCTION}({COLUMNS_OF[table]}), "
    + ", ".join(
        f"CAST(({each.format(function=FUNCTION, kind=kind, id=f'{table}.id')}) AS INTEGER) % {_BELOW}"
        for each in (_TAGS, _LINKS)
    )
    + f" FROM {table}"
    for kind, table in TABLE.items()
)
"""Makes the sums of the rows that are there."""
SHOWN: Final = {
    kind: f"(SELECT shown FROM {TABLES[kind]} WHERE place = {table}.rowid)" for kind, table in TABLE.items()
}
"""By kind: the sum of a row, as a column behind those of its table."""
_PLACE: Final = {kind: f"(SELECT rowid FROM {table} WHERE id = ?)" for kind, table in TABLE.items()}
_EDGE: Final = {
    "tags": "SELECT created_at FROM entity_tags WHERE entity_type = '{kind}' AND entity_id = ? AND tag_id = ?",
    "links": "SELECT relationship_type, created_at FROM task_documents WHERE task_id = ? AND document_id = ?",
}
_TO: Final = {
    "tag": "SELECT entity_type, entity_id, 'tags', created_at FROM entity_tags WHERE tag_id = ?",
    "document": "SELECT 'task', task_id, 'links', relationship_type, created_at FROM task_documents WHERE document_id = ?",
}
"""By kind: the edges that lead to an entity."""
_LINKED: Final = "task_id, document_id, relationship_type, created_at"


def sum_of(values: Sequence[Any]) -> int:
    """Return the sum of a row, or of what says all of an edge but its source."""
    return crc32(dumps(tuple(values), 2))


def prepare(connection: Any) -> None:
    """Give a connection the function that :data:`FILL` calls."""
    connection.create_function(FUNCTION, -1, lambda *values: sum_of(values), deterministic=True)


def verified(kind: str, rows: Iterable[Row]) -> list[Row]:
    """
    Return rows without their sums, which follow the columns.

    Raises:
        DamagedRowsError: A row is not what was written.
    """
    found, damaged = [], []
    for row in rows:
        shown = row[:-1]
        if crc32(dumps(shown, 2)) != row[-1]:
            damaged.append(row[0])
        found.append(shown)
    if damaged:
        raise DamagedRowsError(kind, damaged)
    return found


def tags_of(sql: Statements, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """
    Return ids and names of the tags of some tasks or documents, ordered by name; none for what has no row.

    Raises:
        DamagedRowsError: The tags of one of them, or the row of a tag, are not what was written.
    """
    found: dict[str, list[str]] = {}
    left: dict[str, int | None] = {}
    for chunk in chunks(ids):
        statement = (
            f"SELECT item.id, sums.tags, edge.tag_id, edge.created_at FROM {TABLE[kind]} AS item"
            f" LEFT JOIN {TABLES[kind]} AS sums ON sums.place = item.rowid"
            f" LEFT JOIN entity_tags AS edge ON edge.entity_type = '{kind}' AND edge.entity_id = item.id"
            f" WHERE item.id IN ({marks(chunk)})"
        )
        for entity, total, *edge in sql.execute(statement, chunk):
            tags = found.get(entity)
            if tags is None:
                tags = found[entity] = []
                left[entity] = _number(total)
            if edge[0] is not None:
                tags.append(edge[0])
                rest = left[entity]
                left[entity] = None if rest is None else rest - crc32(dumps(tuple(edge), 2))
    damaged = [entity for entity, rest in left.items() if rest is None or rest % _BELOW]
    if len(found) < len(ids):
        unseen = [entity for entity in ids if entity not in found]
        strange = "SELECT DISTINCT entity_id FROM entity_tags WHERE entity_type = '" + kind + "' AND entity_id IN ({})"
        damaged += [entity for (entity,) in sql.in_chunks(strange, unseen)]
        found.update((entity, []) for entity in unseen)
    if damaged:
        raise DamagedRowsError(kind, damaged)
    names = _names(sql, {tag for tags in found.values() for tag in tags})
    return {
        entity: sorted([(tag, names[tag]) for tag in tags], key=itemgetter(1)) if tags else []
        for entity, tags in found.items()
    }


def _names(sql: Statements, tags: Iterable[str]) -> dict[str, str]:
    wanted = list(tags)
    statement = f"SELECT {COLUMNS_OF['tags']}, {SHOWN['tag']} FROM tags WHERE id IN ({{}})"
    names = {row[0]: row[1] for row in verified("tag", sql.in_chunks(statement, wanted))}
    if lost := [tag for tag in wanted if tag not in names]:
        raise DamagedRowsError("tag", lost)
    return names


def check_links(sql: Statements, tasks: Sequence[str]) -> None:
    """
    Check all links of some tasks.

    Raises:
        DamagedRowsError: They are not what was written.
    """
    left: dict[str, int | None] = {}
    totals = (
        f"SELECT item.id, sums.links FROM tasks AS item LEFT JOIN {TABLES['task']} AS sums ON sums.place = item.rowid"
    )
    left.update((task, _number(total)) for task, total in sql.in_chunks(totals + " WHERE item.id IN ({})", tasks))
    for task, *edge in sql.in_chunks(f"SELECT {_LINKED} FROM task_documents WHERE task_id IN ({{}})", tasks):
        rest = left.get(task)
        left[task] = None if rest is None else rest - sum_of(edge)
    if damaged := [task for task, rest in left.items() if rest is None or rest % _BELOW]:
        raise DamagedRowsError("task", damaged)


def verified_edges(sql: Statements, column: str, rows: list[Row]) -> list[Row]:
    """
    Return all rows of a table of edges, if their totals are the sums of the items.

    Args:
        sql: The statements of the reader.
        column: The sums to compare with: ``tags`` or ``links``.
        rows: The rows.

    Raises:
        DamagedRowsError: They are not.
    """
    left: dict[tuple[str, str], int] = {}
    for kind in ("task", "document"):
        totals = (
            f"SELECT item.id, sums.{column} FROM {TABLE[kind]} AS item"
            f" JOIN {TABLES[kind]} AS sums ON sums.place = item.rowid WHERE sums.{column} <> 0"
        )
        left.update(((kind, entity), _number(total) or 0) for entity, total in sql.all(totals))
    for row in rows:
        kind, entity, *edge = row if column == "tags" else ("task", *row)
        left[kind, entity] = left.get((kind, entity), 0) - sum_of(edge)
    damaged = [(kind, entity) for (kind, entity), rest in left.items() if rest % _BELOW]
    if damaged:
        first = damaged[0][0]
        raise DamagedRowsError(first, [entity for kind, entity in damaged if kind == first])
    return rows


class SumsWriter(Facet):
    """The sums as the writer keeps them."""

    __slots__ = ()

    _sql: WriterStatements

    def show(self, kind: str, shown: Sequence[Shown]) -> None:
        """Write the sums of everything that the tables show of some entities, whose rows were just written."""
        self._sql.many_if_any(
            f"INSERT OR REPLACE INTO {TABLES[kind]} SELECT rowid, ?, ?, ? FROM {TABLE[kind]} WHERE id = ?",
            [(sum_of(each.row), _total(each.tags), _total(each.links), each.row[0]) for each in shown],
        )

    def patch(self, kind: str, patches: Sequence[Patch]) -> None:
        """
        Write the sums of rows of which some columns are about to be written.

        Raises:
            CorruptError: The table lacks one of these rows.
        """
        columns = COLUMNS[kind]
        read = f"SELECT {COLUMNS_OF[TABLE[kind]]}, {SHOWN[kind]}, rowid FROM {TABLE[kind]} WHERE id = ?"
        before: dict[str, Row] = {}
        after: dict[str, list[Any]] = {}
        for each in patches:
            if each.id not in before:
                found = self._sql.one(read, each.id)
                if found is None:
                    raise CorruptError(f"The table {TABLE[kind]}, which lacks a row,")
                before[each.id], after[each.id] = found, list(found[:-2])
            for column, value in zip(each.columns, each.values, strict=True):
                after[each.id][columns.index(column)] = value
        self._sql.many_if_any(
            f"UPDATE {TABLES[kind]} SET shown = ? WHERE place = ?",
            [
                (total ^ sum_of(row) ^ sum_of(after[entity]), place)
                for entity, (*row, total, place) in before.items()
                if type(total) is int
            ],
        )

    def point(self, pointed: Sequence[Pointed]) -> None:
        """Write the sums of entities of which some tags and links are about to be written."""
        for each in pointed:
            column = "tags" if each.cell.startswith("tag.") else "links"
            before = self._sql.one(_EDGE[column].format(kind=each.kind), each.id, each.target)
            added = sum_of((each.target, *each.shown)) if each.shown else 0
            gone = sum_of((each.target, *before)) if before is not None else 0
            if added != gone:
                self._add(each.kind, each.id, column, added - gone)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the sums of entities whose rows and edges are about to be removed, and what others' sums have of these."""
        ids = [(text_of(key),) for key in keys]
        for (entity,) in ids:
            for source, target, column, *edge in self._sql.all(_TO[kind], entity) if kind in _TO else ():
                self._add(source, target, column, -sum_of((entity, *edge)))
        self._sql.many(f"DELETE FROM {TABLES[kind]} WHERE place = {_PLACE[kind]}", ids)

    def _add(self, kind: str, entity: str, column: str, number: int) -> None:
        """Add a number to a sum of edges."""
        self._sql.execute(
            f"UPDATE {TABLES[kind]} SET {column} = ({column} + ?) & {_BELOW - 1} WHERE place = {_PLACE[kind]}",
            (number, entity),
        )


def _number(total: Any) -> int | None:
    """Return a sum; None if it is missing, or one wrong bit has made another type of it."""
    return total if type(total) is int else None


def _total(edges: Iterable[tuple[str, ...]]) -> int:
    return sum(map(sum_of, edges)) % _BELOW
