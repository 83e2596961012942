"""Edges, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.store.memory.journal import Facet, WriterFacet, refused, text_of
from edda_sync.store.seams.tables import Pointed, Shown
from edda_sync.words import values
from edda_sync.words.fitting import reached
from edda_sync.words.model import COLUMNS
from edda_sync.words.query import Row

PARENT: Final = COLUMNS["task"].index("parent_id")


class MemoryEdges(Facet):
    """Implementation of ``seams.edges.EdgesReader``."""

    __slots__ = ()

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        wanted = {(kind, values.id_text(target)) for kind, target in map(kind_and_id, targets)}
        found = {("task", task) for task, row in self._tables["tasks"].items() if ("task", row[PARENT]) in wanted}
        tagged, linked = self._tables["entity_tags"], self._tables["task_documents"]
        found |= {of for of, tags in tagged.items() if any(("tag", tag) in wanted for tag, _ in tags)}
        found |= {
            ("task", task) for task, links in linked.items() if any(("document", to[0]) in wanted for to in links)
        }
        return sorted(key_of(kind, values.id_bytes("id", entity)) for kind, entity in found)

    def withheld_to(self, targets: Sequence[bytes]) -> list[bytes]:
        held, wanted = self._tables["withheld"], set(targets)
        return sorted(source for source, edges in held.items() if any(target in wanted for _, target, _ in edges))

    def parent(self, task: bytes) -> bytes | None:
        row = self._tables["tasks"].get(text_of(task))
        if row is None:
            return None
        if row[PARENT] is not None:
            return key_of("task", values.id_bytes("parent_id", row[PARENT]))
        edges = self._tables["withheld"].get(task, ())
        return next((target for cell, target, why in edges if cell == "parent_id" and why == "ring"), None)

    def below(self, task: str) -> set[str]:
        children: dict[str | None, list[str]] = {}
        for entity, row in self._tables["tasks"].items():
            children.setdefault(row[PARENT], []).append(entity)
        return reached(task, lambda above: children.get(above, ()))

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        shown = {row[PARENT] for row in self._tables["tasks"].values()}
        ringed = {target for edges in self._tables["withheld"].values() for _, target, why in edges if why == "ring"}
        return {task for task in tasks if task in ringed or text_of(task) in shown}

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        held = self._tables["withheld"]
        return {task for task in tasks if any(why == "ring" for _, _, why in held.get(task, ()))}

    def has_rings(self) -> bool:
        return bool(self.in_rings())

    def in_rings(self) -> list[bytes]:
        held = self._tables["withheld"]
        return sorted(source for source, edges in held.items() if any(why == "ring" for _, _, why in edges))

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        held, tags = self._tables["entity_tags"], self._tables["tags"]
        found = {}
        for entity in ids:
            named = [(tag, tags[tag][1]) for tag, _ in held.get((kind, entity), ())]
            found[entity] = sorted(named, key=lambda each: each[1])
        return found

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        held = self._tables["entity_tags"].items()
        return sorted(entity for entity, tags in held if any(each == tag for each, _ in tags))

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        held = self._tables["task_documents"].items()
        links = ((source, *link) for source, to in held for link in to)
        rows = [r for r in links if task in (None, r[0]) and document in (None, r[1])]
        return sorted(rows, key=lambda row: (row[3], row[0], row[1]))


class MemoryEdgesWriter(WriterFacet, MemoryEdges):
    """The edges in a transaction. The tables write them together with the rows that show them."""

    def put(self, shown: Shown) -> None:
        """Write the edges that lead from an entity, in place of the former ones."""
        self._put("withheld", shown.key, shown.withheld)
        if shown.kind != "tag":
            self._put("entity_tags", (shown.kind, shown.row[0]), shown.tags)
        if shown.kind == "task":
            self._put("task_documents", shown.row[0], shown.links)

    def point(self, pointed: Pointed) -> None:
        """Write where one tag or link of an entity points. Its other tags and links stay."""
        if pointed.cell.startswith("tag."):
            self._point("entity_tags", (pointed.kind, pointed.id), pointed.target, pointed.shown)
        else:
            self._point("task_documents", pointed.id, pointed.target, pointed.shown)
        self._point("withheld", pointed.key, pointed.cell, pointed.withheld)

    def _point(self, table: str, source: Any, first: str, rest: tuple[Any, ...]) -> None:
        others = [edge for edge in self._tables[table].get(source, ()) if edge[0] != first]
        self._put(table, source, [*others, (first, *rest)] if rest else others)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        """Remove the edges that lead from or to entities of a kind."""
        gone = {text_of(key) for key in keys}
        for key in keys:
            self._journal.drop("withheld", key)
        for entity in gone:
            self._journal.drop("entity_tags", (kind, entity))
            if kind == "task":
                self._journal.drop("task_documents", entity)
        if kind != "task":
            table = "entity_tags" if kind == "tag" else "task_documents"
            for source, edges in list(self._tables[table].items()):
                if any(edge[0] in gone for edge in edges):
                    self._put(table, source, [edge for edge in edges if edge[0] not in gone])

    def _put(self, table: str, source: Any, edges: Sequence[tuple[Any, ...]]) -> None:
        if len({edge[0] for edge in edges}) < len(edges):
            raise refused(f"UNIQUE constraint failed: {table}")
        if any(value is None for edge in edges for value in edge):
            raise refused(f"NOT NULL constraint failed: {table}")
        if edges:
            self._journal.set(table, source, tuple(edges))
        else:
            self._journal.drop(table, source)
