"""Signatures over heads, in the memory store."""

from __future__ import annotations

from edda_sync.store.memory.journal import Facet, Journal, WriterFacet
from edda_sync.store.memory.log import MemoryLogWriter


class MemorySignatures(Facet):
    """Implementation of ``seams.signatures.SignaturesReader``."""

    __slots__ = ()

    def at(self, actor: bytes, seq: int) -> bytes | None:
        found: bytes | None = self._tables["signatures"].get((actor, seq))
        return found

    def next(self, actor: bytes, seq: int) -> int | None:
        return min((s for a, s in self._tables["signatures"] if a == actor and s >= seq), default=None)

    def last(self, actor: bytes, seq: int) -> int | None:
        return max((s for a, s in self._tables["signatures"] if a == actor and s <= seq), default=None)


class MemorySignaturesWriter(WriterFacet, MemorySignatures):
    """Implementation of ``seams.signatures.SignaturesWriter``."""

    __slots__ = ("_log",)

    def __init__(self, journal: Journal, log: MemoryLogWriter) -> None:
        super().__init__(journal)
        self._log = log

    def add(self, actor: bytes, seq: int, signature: bytes) -> None:
        self._journal.keep("signatures", (actor, seq), signature)
        head = self._tables["heads"].get(actor)
        if head is not None and head.signed_seq < seq:
            self._log.set_head(head._replace(signed_seq=seq, signature=signature))
