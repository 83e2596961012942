"""The specification's tables and their full text, in the memory store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from edda_sync.crdt import uniques
from edda_sync.store.memory.edges import PARENT, MemoryEdges, MemoryEdgesWriter
from edda_sync.store.memory.journal import TABLE, Facet, Journal, WriterFacet, refused, text_of
from edda_sync.store.seams.edges import among
from edda_sync.store.seams.tables import Patch, Pointed, Shown
from edda_sync.words.errors import CorruptError
from edda_sync.words.fitting import matches, occurrences, sorting
from edda_sync.words.indexes import IndexConfig
from edda_sync.words.listed import Explained
from edda_sync.words.model import COLUMNS
from edda_sync.words.order import in_order
from edda_sync.words.query import Plan, Row

_NULLABLE: Final = {
    "description", "content", "completed_at", "due_date", "parent_id", "metadata", "agent_context", "color",
}  # fmt: skip


class MemoryTables(Facet):
    """Implementation of ``seams.tables.TablesReader``."""

    __slots__ = ()

    def rows(self, plan: Plan) -> list[Row]:
        names = COLUMNS[plan.kind]
        found = self._found(plan)
        if plan.order[0][0] == "relevance":  # more occurrences come first: simpler than SQLite's ranking
            found.sort(key=lambda each: (-each[0], each[1][0]), reverse=plan.order[0][1])
        column = sorting(plan, lambda row, name: row[names.index(name)])
        ordered = in_order(plan.order, [row for _, row in found], column)
        return ordered[plan.offset : plan.offset + plan.limit]

    def count(self, plan: Plan) -> int:
        return len(self._found(plan._replace(after=None)))

    def explain(self, plan: Plan) -> list[Explained]:
        return [Explained(statement="", steps=(f"LOOK AT ALL {plan.kind}s IN MEMORY",), indexes=())]

    def indexes(self) -> Sequence[IndexConfig]:
        unique = sorted(self._tables["unique"].items())
        return [*self._tables["indexes"].values(), *(uniques.decode(name, record) for name, record in unique)]

    def _found(self, plan: Plan) -> list[tuple[int, Row]]:
        """Return the rows that meet a plan's conditions, each with the number of occurrences of its words."""
        names = COLUMNS[plan.kind]
        tagged, indexed = self._tables["entity_tags"], self._tables["search"]
        allowed = among(MemoryEdges(self._tables), plan)
        found: list[tuple[int, Row]] = []
        for entity, row in self._tables[TABLE[plan.kind]].items():
            columns = dict(zip(names, row, strict=True))
            if (
                plan.words or plan.no_words
            ):  # search what is indexed: a row that waits for the index is found by its former words
                columns |= indexed.get((plan.kind, entity), {"title": "", "description": "", "content": ""})
            tags = [tag for tag, _ in tagged.get((plan.kind, entity), ())]
            if matches(plan, columns, tags, allowed is None or entity in allowed):
                found.append((occurrences(plan, columns) if plan.words else 0, row))
        return found

    def row(self, kind: str, entity: str) -> Row | None:
        found: Row | None = self._tables[TABLE[kind]].get(entity)
        return found

    def all(self, name: str) -> list[Row]:
        held = self._tables[name].items()
        if name == "entity_tags":
            return sorted((*entity, tag, since) for entity, tags in held for tag, since in tags)
        if name == "task_documents":
            return sorted((task, *link) for task, links in held for link in links)
        return [row for _, row in sorted(held)]

    def scan(self, name: str) -> Iterator[Row]:
        yield from self.all(name)

    def counts(self) -> dict[str, int]:
        counted = {name: len(self._tables[name]) for name in ("tasks", "documents", "tags")}
        hidden = sum(record.hidden for record in self._tables["entities"].values())
        return {**counted, "hidden": hidden, "changes": len(self._tables["log"])}

    def unindexed(self) -> bool:
        return bool(self._tables["unindexed"])

    def unindexed_of(self, kind: str) -> Sequence[str]:
        return sorted(entity for its, entity in self._tables["unindexed"] if its == kind)


class MemoryTablesWriter(WriterFacet, MemoryTables):
    """Implementation of ``seams.tables.TablesWriter``. Call :meth:`check` at the end of a transaction."""

    __slots__ = ("_edges",)

    def __init__(self, journal: Journal, edges: MemoryEdgesWriter) -> None:
        super().__init__(journal)
        self._edges = edges

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        for each in sorted(shown, key=lambda each: ("tag", "document", "task").index(each.kind)):
            entity = each.row[0]
            if each.key in new and entity in self._tables[TABLE[each.kind]]:
                raise refused(f"UNIQUE constraint failed: {TABLE[each.kind]}.id")
            self._show_row(each.kind, each.row)
            self._edges.put(each)
            if each.kind != "tag":
                self._journal.keep("unindexed", (each.kind, entity), None)

    def patch(self, patches: Sequence[Patch]) -> None:
        for each in patches:
            row = self._tables[TABLE[each.kind]].get(each.id)
            if row is None:
                raise CorruptError(f"The table {TABLE[each.kind]}, which lacks a row,")
            written = dict(zip(COLUMNS[each.kind], row, strict=True)) | dict(
                zip(each.columns, each.values, strict=True)
            )
            self._show_row(each.kind, tuple(written.values()))
            if each.kind != "tag" and not {"title", "description", "content"}.isdisjoint(each.columns):
                self._journal.keep("unindexed", (each.kind, each.id), None)

    def point(self, pointed: Sequence[Pointed]) -> None:
        for each in pointed:
            self._edges.point(each)

    def _show_row(self, kind: str, row: Row) -> None:
        table = TABLE[kind]
        for column, value in zip(COLUMNS[kind], row, strict=True):
            if value is None and column not in _NULLABLE:
                raise refused(f"NOT NULL constraint failed: {table}.{column}")
        if kind == "tag":
            former = self._tables["tags"].get(row[0])
            if self._tables["tag_names"].get(row[1], row[0]) != row[0]:
                raise refused("UNIQUE constraint failed: tags.name")
            if former is not None:
                self._journal.drop("tag_names", former[1])
            self._journal.set("tag_names", row[1], row[0])
        self._journal.set(table, row[0], tuple(row))

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        if kind not in TABLE:
            return
        self._edges.hide(kind, keys)
        for entity in {text_of(key) for key in keys}:
            row = self._tables[TABLE[kind]].get(entity)
            if kind == "tag" and row is not None:
                self._journal.drop("tag_names", row[1])
            self._journal.drop(TABLE[kind], entity)
            for table in ("search", "unindexed"):
                self._journal.drop(table, (kind, entity))

    def index_texts(self, limit: int = -1) -> int:
        due = sorted(self._tables["unindexed"], key=lambda key: (key[0] != "task", key[1]))
        due = due if limit < 0 else due[:limit]
        for kind, entity in due:
            row = dict(zip(COLUMNS[kind], self._tables[TABLE[kind]][entity], strict=True))
            self._journal.set(
                "search", (kind, entity), {name: row.get(name) for name in ("title", "description", "content")}
            )
            self._journal.drop("unindexed", (kind, entity))
        return len(due)

    def make_index(self, config: IndexConfig) -> None:
        self._journal.set("indexes", config.name, config)  # nothing is faster than to look at all rows

    def drop_index(self, name: str) -> None:
        self._journal.drop("indexes", name)

    def check(self) -> None:
        """Check the foreign keys of the rows that were written, and of those that pointed at a removed row."""
        written = {(name, key) for name, key, _ in self._journal.entries}
        held = self._tables
        gone = {table: any(n == table and k not in held[table] for n, k in written) for table in TABLE.values()}
        for source, row in self._to_check("tasks", written, gone["tasks"]):
            if row[PARENT] is not None and row[PARENT] not in held["tasks"]:
                raise refused(f"FOREIGN KEY constraint failed: the parent of task {source}")
        for (_, source), tags in self._to_check("entity_tags", written, gone["tags"]):
            if any(tag not in held["tags"] for tag, _ in tags):
                raise refused(f"FOREIGN KEY constraint failed: a tag of {source}")
        for source, links in self._to_check("task_documents", written, gone["tasks"] or gone["documents"]):
            if source not in held["tasks"] or any(document not in held["documents"] for document, _, _ in links):
                raise refused(f"FOREIGN KEY constraint failed: a link of task {source}")

    def _to_check(self, table: str, written: set[tuple[str, Any]], whole: bool) -> list[tuple[Any, Any]]:
        rows = self._tables[table]
        if whole:
            return list(rows.items())
        return [(key, rows[key]) for name, key in written if name == table and key in rows]
