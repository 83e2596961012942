"""Large changes that are only partly here, in the memory store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.memory.journal import Facet, Journal, WriterFacet
from edda_sync.store.memory.log import MemoryLogWriter
from edda_sync.store.seams.incoming import Incoming


class MemoryIncoming(Facet):
    """Implementation of ``seams.incoming.IncomingReader``."""

    __slots__ = ()

    def all(self, seq: int | None = None) -> Sequence[Incoming]:
        parts = self._tables["incoming_parts"]
        return [
            Incoming(actor, at, raw, frozenset(number for *of, number in parts if of == [actor, at]))
            for (actor, at), raw in sorted(self._tables["incoming"].items())
            if seq in (None, at)
        ]

    def part(self, actor: bytes, seq: int, number: int) -> bytes:
        return bytes(self._tables["incoming_parts"][actor, seq, number])


class MemoryIncomingWriter(WriterFacet, MemoryIncoming):
    """Implementation of ``seams.incoming.IncomingWriter``."""

    __slots__ = ("_log",)

    def __init__(self, journal: Journal, log: MemoryLogWriter) -> None:
        super().__init__(journal)
        self._log = log

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        self._journal.keep("incoming", (actor, seq), bytes(raw))

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        self._journal.keep("incoming_parts", (actor, seq, number), bytes(part))

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        for (a, s, number), part in list(self._tables["incoming_parts"].items()):
            if (a, s) == (actor, seq):
                self._log.append_part(position, number, part)
        self.forget(actor, seq)

    def forget(self, actor: bytes, seq: int) -> None:
        self._journal.drop("incoming", (actor, seq))
        self._journal.drop_where("incoming_parts", lambda key: key[:2] == (actor, seq))
