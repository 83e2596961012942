"""Which changes are about which entities, in the memory store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet


class MemoryMentions(Facet):
    """Implementation of ``seams.mentions.MentionsReader``."""

    __slots__ = ()

    def of(self, entity: bytes) -> Sequence[int]:
        return sorted(self._tables["mentions"].get(entity, ()))

    def count(self) -> int:
        return sum(map(len, self._tables["mentions"].values()))

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        wanted = set(positions)
        return sorted(entity for entity, at in self._tables["mentions"].items() if at & wanted)


class MemoryMentionsWriter(WriterFacet, MemoryMentions):
    """Implementation of ``seams.mentions.MentionsWriter``."""

    __slots__ = ()

    def add(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        for entity, position in mentions:
            self._journal.set("mentions", entity, self._tables["mentions"].get(entity, frozenset()) | {position})
