"""The specification's tables and their full text, in the SQLite store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams.tables import Patch, Pointed, Shown
from edda_sync.store.sqlite import fulltext, queries
from edda_sync.store.sqlite.edges import SqliteEdgesWriter
from edda_sync.store.sqlite.names import COLUMNS_OF, TABLE, text_of
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import COLUMNS
from edda_sync.words.query import Plan, Row

if TYPE_CHECKING:
    from edda_sync.words.listed import Explained

_SPECIFIED: Final = {
    "tasks": "id", "documents": "id", "tags": "id", "task_documents": "task_id, document_id",
    "entity_tags": "entity_type, entity_id, tag_id",
}  # fmt: skip
_INSERT: Final = {
    kind: f"INSERT INTO {TABLE[kind]}({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for kind, columns in COLUMNS.items()
}
_UPSERT: Final = {
    kind: f"{_INSERT[kind]} ON CONFLICT(id) DO UPDATE SET " + ", ".join(f"{c} = excluded.{c}" for c in columns[1:])
    for kind, columns in COLUMNS.items()
}
_UNINDEXED: Final = "INSERT OR IGNORE INTO _unindexed VALUES (?, ?)"
_INDEXED: Final = frozenset(("title", "description", "content"))  # the columns that full text is made of


@lru_cache(maxsize=256)
def _patch(kind: str, columns: tuple[str, ...]) -> str:
    """Return the statement that writes some columns. SQLite does not touch the indexes of the other columns."""
    return f"UPDATE {TABLE[kind]} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"


class SqliteTables(Facet):
    """
    Implementation of ``seams.tables.TablesReader``.

    Args:
        sql: The statements of the reader.
        hidden_count: Returns how many entities are in the trash.
    """

    __slots__ = ("_hidden_count",)

    def __init__(self, sql: Statements, hidden_count: Callable[[], int]) -> None:
        super().__init__(sql)
        self._hidden_count = hidden_count

    def rows(self, plan: Plan) -> list[Row]:
        near = queries.select_near(plan)
        found = None if near is None else self._rows_by_index(*near)
        if found is None or len(found) < plan.limit:
            found = self._rows_by_index(*queries.select(plan))
        return self._all_of(*queries.select(plan, hint=False)) if found is None else found

    def count(self, plan: Plan) -> int:
        statement, parameters = queries.count(plan)
        found: int = self._sql.execute(statement, parameters).fetchone()[0]
        return found

    def explain(self, plan: Plan) -> list[Explained]:
        from edda_sync.words.listed import Explained  # rarely needed

        near = queries.select_near(plan)
        explained = []
        for statement, parameters in [*([] if near is None else [near]), queries.select(plan)]:
            steps = [row[3] for row in self._sql.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()]
            explained.append(Explained(statement=statement, steps=tuple(steps), indexes=queries.indexes(steps)))
        return explained

    def _rows_by_index(self, statement: str, parameters: Sequence[Any]) -> list[Row] | None:
        """Return the rows of a statement that names an index; None if somebody dropped that index."""
        try:
            return self._all_of(statement, parameters)
        except sqlite.OperationalError as error:
            if "no such index" not in str(error):
                raise
            return None

    def _all_of(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return list(self._sql.execute(statement, parameters).fetchall())

    def row(self, kind: str, entity: str) -> Row | None:
        row: Row | None = self._sql.one(f"SELECT {COLUMNS_OF[TABLE[kind]]} FROM {TABLE[kind]} WHERE id = ?", entity)
        return row

    def all(self, name: str) -> list[Row]:
        return list(self.scan(name))

    def scan(self, name: str) -> Iterator[Row]:
        yield from self._sql.execute(f"SELECT {COLUMNS_OF[name]} FROM {name} ORDER BY {_SPECIFIED[name]}")

    def counts(self) -> dict[str, int]:
        tasks, documents, tags, changes = self._sql.one(
            "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM documents), (SELECT count(*) FROM tags),"
            " (SELECT count(*) FROM _log)"
        )
        hidden = self._hidden_count()
        return {"tasks": tasks, "documents": documents, "tags": tags, "hidden": hidden, "changes": changes}

    def unindexed(self) -> bool:
        return self._sql.one("SELECT 1 FROM _unindexed LIMIT 1") is not None or fulltext.is_outdated(self._sql.execute)

    def unindexed_of(self, kind: str) -> Sequence[str]:
        if fulltext.is_outdated(self._sql.execute):
            return self._sql.column(f"SELECT id FROM {TABLE[kind]} ORDER BY id")
        return self._sql.column("SELECT id FROM _unindexed WHERE kind = ? ORDER BY id", kind)


class SqliteTablesWriter(SqliteTables):
    """Implementation of ``seams.tables.TablesWriter``."""

    __slots__ = ("_edges",)

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, edges: SqliteEdgesWriter, hidden_count: Callable[[], int]) -> None:
        super().__init__(sql, hidden_count)
        self._edges = edges

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        write = self._sql.many_if_any
        self._edges.clear([each for each in shown if each.key not in new])
        for kind in ("tag", "document", "task"):
            of_kind = [each for each in shown if each.kind == kind]
            write(_INSERT[kind], [each.row for each in of_kind if each.key in new])
            write(_UPSERT[kind], [each.row for each in of_kind if each.key not in new])
            if kind != "tag":
                write(_UNINDEXED, [(kind, each.row[0]) for each in of_kind])
        self._edges.add(shown)

    def patch(self, patches: Sequence[Patch]) -> None:
        alike: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        for each in patches:
            alike.setdefault((each.kind, each.columns), []).append((*each.values, each.id))
        for (kind, columns), rows in alike.items():
            if self._sql.many(_patch(kind, columns), rows).rowcount != len(rows):
                raise CorruptError(f"The table {TABLE[kind]}, which lacks a row,")
            if kind != "tag" and not _INDEXED.isdisjoint(columns):
                self._sql.many(_UNINDEXED, [(kind, row[-1]) for row in rows])

    def point(self, pointed: Sequence[Pointed]) -> None:
        self._edges.point(pointed)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        if kind not in TABLE:
            return
        self._edges.hide(kind, keys)
        many, ids = self._sql.many, [(text_of(key),) for key in keys]
        if kind != "tag":
            many(f"DELETE FROM _{kind}_search WHERE rowid = (SELECT rowid FROM {kind}s WHERE id = ?)", ids)
            many(f"DELETE FROM _unindexed WHERE kind = '{kind}' AND id = ?", ids)
        many(f"DELETE FROM {TABLE[kind]} WHERE id = ?", ids)

    def index_texts(self, limit: int = -1) -> int:
        return fulltext.index(self._sql.execute, limit)
