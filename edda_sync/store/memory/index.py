"""The index over states, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from edda_sync.crdt.cells import Write
from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.memory.journal import Facet, WriterFacet, text_of
from edda_sync.store.seams import Deleted
from edda_sync.words import limits


class MemoryIndex(Facet):
    """Implementation of ``seams.index.IndexReader``."""

    __slots__ = ()

    def digest(self) -> int:
        total: int = self._tables["digest"].get("sum", 0)
        return total

    def hidden(self, kind: str) -> list[bytes]:
        held = self._tables["entities"].items()
        return sorted(key for key, record in held if record.hidden and kind_and_id(key)[0] == kind)

    def conflicted(self) -> list[bytes]:
        return sorted(self._tables["conflicted"])

    def contested(self) -> list[bytes]:
        return sorted(key for key, deleted in self._tables["deletions"].items() if deleted.is_contested)

    def deletions(self, entities: Iterable[bytes]) -> dict[bytes, tuple[Write, ...]]:
        held = self._tables["deletions"]
        return {key: held[key].open for key in entities if key in held}

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        held = self._tables["entities"].items()
        of_kind = ((record.hidden, key) for key, record in held if kind_and_id(key)[0] == kind)
        found = sorted(each for each in of_kind if each[1].hex().endswith(suffix))
        return [text_of(key) for _, key in found[: limits.CANDIDATES_MAX]]

    def stale(self) -> list[bytes]:
        return sorted(self._tables["stale"])

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        return self._tables["stale"].keys() & set(entities)


class MemoryIndexWriter(WriterFacet, MemoryIndex):
    """Implementation of ``seams.index.IndexWriter``."""

    __slots__ = ()

    def add_to_digest(self, delta: int) -> None:
        self._journal.set("digest", "sum", (self.digest() + delta) % (1 << 128))

    def set_deletions(self, deletions: Mapping[bytes, Deleted | None]) -> None:
        for entity, deleted in deletions.items():
            if deleted is None:
                self._journal.drop("deletions", entity)
            else:
                self._journal.set("deletions", entity, deleted)

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        for entity, is_stale in stale.items():
            if is_stale:
                self._journal.keep("stale", entity, None)
            else:
                self._journal.drop("stale", entity)

    def drop(self, entities: Iterable[bytes]) -> None:
        """Forget that some entities are stale, and their open deletions."""
        for entity in entities:
            self._journal.drop("stale", entity)
            self._journal.drop("deletions", entity)
