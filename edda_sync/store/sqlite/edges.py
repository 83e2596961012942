"""Edges, in the SQLite store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.store.seams.tables import Pointed, Shown
from edda_sync.store.sqlite import queries, sums
from edda_sync.store.sqlite.names import COLUMNS_OF, text_of
from edda_sync.store.sqlite.statements import Facet, WriterStatements, where
from edda_sync.words import values
from edda_sync.words.query import Row

_REFERRERS: Final = {
    "task": "SELECT 'task', id FROM tasks WHERE parent_id IN ({})",
    "tag": "SELECT entity_type, entity_id FROM entity_tags WHERE tag_id IN ({})",
    "document": "SELECT 'task', task_id FROM task_documents WHERE document_id IN ({})",
}


class SqliteEdges(Facet):
    """Implementation of ``seams.edges.EdgesReader``."""

    __slots__ = ()

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        found: set[Row] = set()
        for kind, statement in _REFERRERS.items():
            of_kind = [values.id_text(target) for its, target in map(kind_and_id, targets) if its == kind]
            found.update(self._sql.in_chunks(statement, of_kind))
        return sorted(key_of(kind, values.id_bytes("id", entity)) for kind, entity in found)

    def withheld_to(self, targets: Sequence[bytes]) -> list[bytes]:
        found = set(self._sql.in_chunks("SELECT source FROM _withheld WHERE target IN ({})", targets))
        return sorted(row[0] for row in found)

    def parent(self, task: bytes) -> bytes | None:
        row = self._sql.one(
            "SELECT parent_id, (SELECT target FROM _withheld WHERE source = ?2 AND cell = 'parent_id' AND why = 'ring')"
            " FROM tasks WHERE id = ?1",
            text_of(task), task,
        )  # fmt: skip
        if row is None:
            return None
        parent: bytes | None = row[1] if row[0] is None else key_of("task", values.id_bytes("parent_id", row[0]))
        return parent

    def below(self, task: str) -> set[str]:
        return set(self._sql.column(queries.UNDER, task))

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        shown = self._sql.in_chunks(
            "SELECT id FROM tasks AS parent WHERE id IN ({}) AND EXISTS"
            " (SELECT 1 FROM tasks WHERE parent_id = parent.id)",
            map(text_of, tasks),
        )
        found = {key_of("task", values.id_bytes("id", row[0])) for row in shown}
        if self.has_rings():
            ringed = self._sql.in_chunks("SELECT target FROM _withheld WHERE target IN ({}) AND why = 'ring'", tasks)
            found.update(row[0] for row in ringed)
        return found

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        found = self._sql.in_chunks("SELECT source FROM _withheld WHERE source IN ({}) AND why = 'ring'", tasks)
        return {row[0] for row in found}

    def has_rings(self) -> bool:
        return self._sql.one("SELECT 1 FROM _withheld WHERE why = 'ring' LIMIT 1") is not None

    def in_rings(self) -> list[bytes]:
        return self._sql.column("SELECT source FROM _withheld WHERE why = 'ring' ORDER BY source")

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        return sums.tags_of(self._sql, kind, ids)

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        return self._sql.all(
            "SELECT entity_type, entity_id FROM entity_tags WHERE tag_id = ? ORDER BY entity_type, entity_id", tag
        )

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        rows = self._sql.execute(
            f"SELECT {COLUMNS_OF['task_documents']} FROM task_documents{where(task_id=task, document_id=document)}"
            " ORDER BY created_at, task_id, document_id",
            {"task_id": task, "document_id": document},
        )
        found = list(rows.fetchall())
        if task is None and document is None:
            return sums.verified_edges(self._sql, "links", found)
        sums.check_links(self._sql, list({row[0] for row in found} if task is None else (task,)))
        return found


class SqliteEdgesWriter(SqliteEdges):
    """
    The edges as the writer keeps them. The tables write them together with the rows that show them.

    It remembers whether any edge is withheld, and whether any is withheld because of a ring.
    """

    __slots__ = ("_rings", "_withholds")

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements) -> None:
        super().__init__(sql)
        self.reset()

    def reset(self) -> None:
        """Forget what is remembered."""
        self._withholds: bool | None = None
        self._rings: bool | None = None

    def has_rings(self) -> bool:
        if self._rings is None:
            self._rings = super().has_rings()
        return self._rings

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        return super().in_rings_among(tasks) if tasks and self.has_rings() else set()

    def withheld_to(self, targets: Sequence[bytes]) -> list[bytes]:
        return super().withheld_to(targets) if self._withholds_any() else []

    def _withholds_any(self) -> bool:
        if self._withholds is None:
            self._withholds = self._sql.one("SELECT 1 FROM _withheld LIMIT 1") is not None
        return self._withholds

    def add(self, shown: Sequence[Shown]) -> None:
        """Write the edges of entities that have none yet."""
        tags = [(each.kind, each.row[0], tag, since) for each in shown for tag, since in each.tags]
        links = [(each.row[0], document, what, since) for each in shown for document, what, since in each.links]
        withheld = [(each.key, *edge) for each in shown for edge in each.withheld]
        self._write(tags, links, withheld)

    def point(self, pointed: Sequence[Pointed]) -> None:
        """Write where some tags and links of entities point. The other ones stay."""
        write = self._sql.many_if_any
        tags = [each for each in pointed if each.cell.startswith("tag.")]
        links = [each for each in pointed if not each.cell.startswith("tag.")]
        write(
            "DELETE FROM entity_tags WHERE entity_type = ? AND entity_id = ? AND tag_id = ?",
            [(each.kind, each.id, each.target) for each in tags],
        )
        write(
            "DELETE FROM task_documents WHERE task_id = ? AND document_id = ?",
            [(each.id, each.target) for each in links],
        )
        if self._withholds_any():
            write("DELETE FROM _withheld WHERE source = ? AND cell = ?", [(each.key, each.cell) for each in pointed])
        self._write(
            [(each.kind, each.id, each.target, *each.shown) for each in tags if each.shown],
            [(each.id, each.target, *each.shown) for each in links if each.shown],
            [(each.key, each.cell, *each.withheld) for each in pointed if each.withheld],
        )

    def _write(self, tags: Sequence[Row], links: Sequence[Row], withheld: Sequence[Row]) -> None:
        write = self._sql.many_if_any
        write(f"INSERT INTO entity_tags({COLUMNS_OF['entity_tags']}) VALUES (?, ?, ?, ?)", tags)
        write(f"INSERT INTO task_documents({COLUMNS_OF['task_documents']}) VALUES (?, ?, ?, ?)", links)
        write("INSERT INTO _withheld VALUES (?, ?, ?, ?)", withheld)
        if withheld:
            self._withholds, self._rings = True, None

    def clear(self, shown: Sequence[Shown]) -> None:
        """Remove the edges that lead from entities, before new ones are written."""
        sql = self._sql
        edged = [each for each in shown if each.kind != "tag"]
        sql.many_if_any(
            "DELETE FROM entity_tags WHERE entity_type = ? AND entity_id = ?",
            [(each.kind, each.row[0]) for each in edged],
        )
        tasks = [(each.row[0],) for each in edged if each.kind == "task"]
        sql.many_if_any("DELETE FROM task_documents WHERE task_id = ?", tasks)
        if self._withholds_any():
            sql.many_if_any("DELETE FROM _withheld WHERE source = ?", [(each.key,) for each in edged])
            self._rings = None

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the edges that lead from or to entities of a kind."""
        many, ids = self._sql.many, [(text_of(key),) for key in keys]
        if kind == "tag":
            many("DELETE FROM entity_tags WHERE tag_id = ?", ids)
        else:
            many(f"DELETE FROM entity_tags WHERE entity_type = '{kind}' AND entity_id = ?", ids)
            many(f"DELETE FROM task_documents WHERE {kind}_id = ?", ids)
        many("DELETE FROM _withheld WHERE source = ?", [(key,) for key in keys])
        self._rings = None
