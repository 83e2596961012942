"""The specification's tables and their full text, in the SQLite store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams.tables import Patch, Pointed, Shown
from edda_sync.store.sqlite import fulltext, queries, schema, sums
from edda_sync.store.sqlite.edges import SqliteEdgesWriter
from edda_sync.store.sqlite.names import COLUMNS_OF, TABLE, text_of
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import COLUMNS
from edda_sync.words.query import Plan, Row

if TYPE_CHECKING:
    from edda_sync.store.sqlite.serving import Served
    from edda_sync.words.indexes import IndexConfig
    from edda_sync.words.listed import Explained

_SPECIFIED: Final = {
    "tasks": "id", "documents": "id", "tags": "id", "task_documents": "task_id, document_id",
    "entity_tags": "entity_type, entity_id, tag_id",
}  # fmt: skip
_TOTALLED: Final = {"task_documents": "links", "entity_tags": "tags"}
_ROW: Final = {
    kind: f"SELECT {COLUMNS_OF[table]}, {sums.SHOWN[kind]} FROM {table} WHERE id = ?" for kind, table in TABLE.items()
}
_INSERT: Final = {
    kind: f"INSERT INTO {TABLE[kind]}({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for kind, columns in COLUMNS.items()
}
_UPSERT: Final = {
    kind: f"{_INSERT[kind]} ON CONFLICT(id) DO UPDATE SET " + ", ".join(f"{c} = excluded.{c}" for c in columns[1:])
    for kind, columns in COLUMNS.items()
}
_INDEXES: Final = "SELECT '', value FROM _meta WHERE key = 'indexes' UNION ALL SELECT * FROM _unique"
_NO_INDEX: Final = ("no such index", "no such table: _index_", "no query solution")  # SQLite's words
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

    __slots__ = ("_hidden_count", "_indexes")

    def __init__(self, sql: Statements, hidden_count: Callable[[], int]) -> None:
        super().__init__(sql)
        self._hidden_count = hidden_count
        self._indexes: list[IndexConfig] | None = None

    def reset(self) -> None:
        """Forget what is remembered."""
        self._indexes = None

    def rows(self, plan: Plan) -> list[Row]:
        for statement, parameters in self._ways(plan):
            found = self._rows_by_index(statement, parameters)
            if found is not None and len(found) >= plan.limit:
                break
        return sums.verified(plan.kind, self._all_of(*queries.select(plan, hint=False)) if found is None else found)

    def count(self, plan: Plan) -> int:
        served = self._served(plan)
        found = None if served is None else self._rows_by_index(*queries.count(plan, served))
        return int((self._all_of(*queries.count(plan)) if found is None else found)[0][0])

    def explain(self, plan: Plan) -> list[Explained]:
        from edda_sync.words.listed import Explained  # rarely needed

        explained = []
        for statement, parameters in self._ways(plan):
            steps = [row[3] for row in self._sql.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()]
            explained.append(Explained(statement=statement, steps=tuple(steps), indexes=queries.indexes(steps)))
        return explained

    def indexes(self) -> Sequence[IndexConfig]:
        if self._indexes is None:
            kept = self._sql.all(_INDEXES)
            self._indexes = _indexing().read(kept) if kept else []
        return self._indexes

    def _ways(self, plan: Plan) -> list[tuple[str, list[Any]]]:
        """Return the statements that find a query's rows: the last one in any case, those before it if they fill a page."""
        served = self._served(plan)
        if served is not None and plan.near is not None:
            return [queries.select(each, served=self._served(each)) for each in queries.nearer(plan)]
        near = queries.select_near(plan) if served is None else None
        return [*([] if near is None else [near]), queries.select(plan, served=served)]

    def _served(self, plan: Plan) -> Served | None:
        """Return how an index that a person made serves a query; None if none does."""
        try:
            configs = self.indexes()
        except CorruptError:  # the doctor names it; without an index a query takes longer
            return None
        if not configs or queries.is_most_urgent(plan):
            return None
        from edda_sync.store.sqlite import serving  # rarely needed

        return serving.served(plan, configs)

    def _rows_by_index(self, statement: str, parameters: Sequence[Any]) -> list[Row] | None:
        """Return the rows of a statement that names an index; None if somebody dropped that index."""
        try:
            return self._all_of(statement, parameters)
        except sqlite.OperationalError as error:
            if not any(each in str(error) for each in _NO_INDEX):
                raise
            return None

    def _all_of(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return list(self._sql.execute(statement, parameters).fetchall())

    def row(self, kind: str, entity: str) -> Row | None:
        row: Row | None = self._sql.one(_ROW[kind], entity)
        return None if row is None else sums.verified(kind, (row,))[0]

    def all(self, name: str) -> list[Row]:
        if (kind := name.removesuffix("s")) in TABLE:
            return sums.verified(
                kind, self._all_of(f"SELECT {COLUMNS_OF[name]}, {sums.SHOWN[kind]} FROM {name} ORDER BY id", ())
            )
        return sums.verified_edges(self._sql, _TOTALLED[name], list(self.scan(name)))

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

    __slots__ = ("_edges", "_sums")

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, edges: SqliteEdgesWriter, hidden_count: Callable[[], int]) -> None:
        super().__init__(sql, hidden_count)
        self._edges, self._sums = edges, sums.SumsWriter(sql)

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        write = self._sql.many_if_any
        self._edges.clear([each for each in shown if each.key not in new])
        for kind in ("tag", "document", "task"):
            of_kind = [each for each in shown if each.kind == kind]
            write(_INSERT[kind], [each.row for each in of_kind if each.key in new])
            write(_UPSERT[kind], [each.row for each in of_kind if each.key not in new])
            self._sums.show(kind, of_kind)
            if kind != "tag":
                write(_UNINDEXED, [(kind, each.row[0]) for each in of_kind])
        self._edges.add(shown)

    def patch(self, patches: Sequence[Patch]) -> None:
        for kind in TABLE:
            self._sums.patch(kind, [each for each in patches if each.kind == kind])
        alike: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        for each in patches:
            alike.setdefault((each.kind, each.columns), []).append((*each.values, each.id))
        for (kind, columns), rows in alike.items():
            if self._sql.many(_patch(kind, columns), rows).rowcount != len(rows):
                raise CorruptError(f"The table {TABLE[kind]}, which lacks a row,")
            if kind != "tag" and not _INDEXED.isdisjoint(columns):
                self._sql.many(_UNINDEXED, [(kind, row[-1]) for row in rows])

    def point(self, pointed: Sequence[Pointed]) -> None:
        self._sums.point(pointed)
        self._edges.point(pointed)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        if kind not in TABLE:
            return
        self._sums.hide(kind, keys)
        self._edges.hide(kind, keys)
        many, ids = self._sql.many, [(text_of(key),) for key in keys]
        if kind != "tag":
            many(f"DELETE FROM _{kind}_search WHERE rowid = (SELECT rowid FROM {kind}s WHERE id = ?)", ids)
            many(f"DELETE FROM _unindexed WHERE kind = '{kind}' AND id = ?", ids)
        many(f"DELETE FROM {TABLE[kind]} WHERE id = ?", ids)

    def index_texts(self, limit: int = -1) -> int:
        return fulltext.index(self._sql.execute, limit)

    def make_index(self, config: IndexConfig) -> None:
        _indexing().make(self._sql.execute, config)
        self._keep([*self.indexes(), config])

    def drop_index(self, name: str) -> None:
        (gone,) = [each for each in self.indexes() if each.name == name and not each.unique]
        _indexing().drop(self._sql.execute, gone)
        self._keep([each for each in self.indexes() if each != gone])

    def define(self, name: str, record: bytes | None) -> None:
        """Make the index of SQLite that serves a unique index, whose record is in the table; drop it if there is none."""
        self._indexes = None
        indexing = _indexing()
        for config in self.indexes():
            if config.unique and config.name == name:
                (indexing.drop if record is None else indexing.make)(self._sql.execute, config)
        self._indexes = None

    def settle(self) -> None:
        """Bring the indexes that people made up to date, at the end of a transaction."""
        for config in self.indexes():
            _indexing().settle(self._sql.execute, config)

    def clear(self) -> None:
        """Remove all rows of the view. The indexes that people made of them are made anew, empty."""
        for config in self._readable():
            _indexing().drop(self._sql.execute, config)
        _indexing().drop_rest(self._sql.execute)
        for name in schema.VIEW_TABLES:
            self._sql.execute(f"DELETE FROM {name}")
        self._indexes = None  # unique indexes are a part of the view
        for config in self.indexes():
            _indexing().make(self._sql.execute, config)

    def _readable(self) -> Sequence[IndexConfig]:
        """Return the indexes that people made. What cannot be read of the list is removed from it."""
        self._indexes = None
        for forget in ("DELETE FROM _unique", "DELETE FROM _meta WHERE key = 'indexes'"):
            try:
                return self.indexes()
            except CorruptError:
                self._sql.execute(forget)  # the unique ones are in the log
        return self.indexes()

    def _keep(self, configs: list[IndexConfig]) -> None:
        _indexing().keep(self._sql.execute, [each for each in configs if not each.unique])
        self._indexes = configs


def _indexing() -> Any:
    """Return the module of the indexes that people make. Most stores have none."""
    from edda_sync.store.sqlite import indexing  # rarely needed

    return indexing
