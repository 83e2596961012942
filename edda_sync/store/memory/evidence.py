"""Evidence, in the memory store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet


class MemoryEvidence(Facet):
    """Implementation of ``seams.evidence.EvidenceReader``."""

    __slots__ = ()

    def all(self) -> Mapping[bytes, bytes]:
        return dict(sorted(self._tables["evidence"].items()))

    def names(self) -> Sequence[bytes]:
        return sorted(self._tables["evidence"])

    def get(self, name: bytes) -> bytes | None:
        found: bytes | None = self._tables["evidence"].get(name)
        return found


class MemoryEvidenceWriter(WriterFacet, MemoryEvidence):
    """Implementation of ``seams.evidence.EvidenceWriter``."""

    __slots__ = ()

    def add(self, name: bytes, evidence: bytes) -> None:
        self._journal.keep("evidence", bytes(name), bytes(evidence))

    def drop(self, name: bytes) -> None:
        self._journal.drop("evidence", name)
