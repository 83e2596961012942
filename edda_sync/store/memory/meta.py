"""Small named values, in the memory store."""

from __future__ import annotations

from edda_sync.store.memory.journal import Facet, WriterFacet


class MemoryMeta(Facet):
    """Implementation of ``seams.meta.MetaReader``."""

    __slots__ = ()

    def get(self, key: str) -> bytes | None:
        found: bytes | None = self._tables["meta"].get(key)
        return found

    def read(self, *keys: str) -> list[bytes | None]:
        return [self.get(key) for key in keys]


class MemoryMetaWriter(WriterFacet, MemoryMeta):
    """Implementation of ``seams.meta.MetaWriter``."""

    __slots__ = ()

    def set(self, key: str, value: bytes) -> None:
        self._journal.set("meta", key, bytes(value))

    def drop(self, key: str) -> None:
        self._journal.drop("meta", key)
