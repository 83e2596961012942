"""Blobs, in the memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet


class MemoryBlobs(Facet):
    """Implementation of ``seams.blobs.BlobsReader``."""

    __slots__ = ()

    def part(self, name: bytes, number: int) -> bytes | None:
        found: bytes | None = self._tables["segment_parts"].get((name, number))
        return found

    def unreferenced(self) -> Sequence[tuple[bytes, int]]:
        merged = set(self._tables["segments"].values())
        counted = Counter(segment for segment, _ in self._tables["segment_parts"] if segment not in merged)
        return sorted(counted.items())


class MemoryBlobsWriter(WriterFacet, MemoryBlobs):
    """Implementation of ``seams.blobs.BlobsWriter``."""

    __slots__ = ()

    def keep_part(self, name: bytes, number: int, part: bytes) -> None:
        self._journal.keep("segment_parts", (bytes(name), number), bytes(part))

    def rename(self, draft: bytes, name: bytes) -> None:
        parts = [(number, part) for (of, number), part in self._tables["segment_parts"].items() if of == draft]
        self._journal.drop_where("segment_parts", lambda key: key[0] == draft)
        for number, part in parts:
            self._journal.keep("segment_parts", (bytes(name), number), part)

    def drop(self, name: bytes) -> None:
        if name not in self._tables["segments"].values():
            self._journal.drop_where("segment_parts", lambda key: key[0] == name)
