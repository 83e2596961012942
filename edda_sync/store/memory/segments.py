"""Segments, and how much of the log behind them is here, in the memory store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.store.memory.journal import Facet, Journal, WriterFacet
from edda_sync.store.memory.log import MemoryLogWriter
from edda_sync.store.seams.log import Head
from edda_sync.store.seams.segments import Rewritten


class MemorySegments(Facet):
    """Implementation of ``seams.segments.SegmentsReader``."""

    __slots__ = ()

    def merged(self) -> Sequence[tuple[int, bytes]]:
        return sorted(self._tables["segments"].items())

    def behind(self) -> Mapping[bytes, Head]:
        return dict(self._tables["behind"])

    def rewritten(self) -> Sequence[Rewritten]:
        held = self._tables["rewritten"].items()
        return [each for number, each in sorted(held, key=lambda item: (item[1].position, item[0]))]

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        held = self._tables["rewritten"]
        last = max((number for number, each in held.items() if each.entity == entity), default=None)
        return None if last is None else held[last].leaves


class MemorySegmentsWriter(WriterFacet, MemorySegments):
    """Implementation of ``seams.segments.SegmentsWriter``."""

    __slots__ = ("_log",)

    def __init__(self, journal: Journal, log: MemoryLogWriter) -> None:
        super().__init__(journal)
        self._log = log

    def append(self, position: int, segment: bytes) -> None:
        self._journal.add("segments", position, bytes(segment))
        self._log.reach(position)

    def end(self, segment: bytes) -> None:
        for position in [position for position, name in self._tables["segments"].items() if name == segment]:
            self._journal.drop("segments", position)
        self._journal.drop_where("segment_parts", lambda key: key[0] == segment)
        self._journal.clear("behind")
        newest = max((*self._tables["log"], *self._tables["segments"]), default=0)
        self._journal.set("serials", "log", newest)

    def set_behind(self, head: Head) -> None:
        self._journal.set("behind", head.actor, head)

    def drop_behind(self) -> None:
        first = min(self._tables["segments"], default=0)
        for position in [position for position in self._tables["log"] if position < first]:
            logged = self._log.read(position)
            self._journal.drop("dots", (logged.actor, logged.seq))
            self._journal.drop("log", position)
        self._journal.drop_where("log_parts", lambda key: key[0] < first)
        behind, heads = self._tables["behind"], self._tables["heads"]
        for actor, seq in list(self._tables["signatures"]):
            if actor in behind and seq <= behind[actor].seq and heads[actor].signed_seq != seq:
                self._journal.drop("signatures", (actor, seq))
        self._journal.clear("behind")

    def fall_back(self) -> None:
        first = min(self._tables["segments"], default=0)
        for position in [position for position in self._tables["log"] if position >= first]:
            logged = self._log.read(position)
            self._journal.drop("dots", (logged.actor, logged.seq))
            self._journal.drop("log", position)
        self._journal.drop_where("log_parts", lambda key: key[0] >= first)
        self._journal.drop_where("unapplied", lambda key: key[0] >= first)
        for entity, mentioned in list(self._tables["mentions"].items()):
            self._journal.set("mentions", entity, frozenset(each for each in mentioned if each < first))
        behind = self._tables["behind"]
        self._journal.drop_where("signatures", lambda key: key[0] not in behind or key[1] > behind[key[0]].seq)
        self._journal.clear("heads")
        for actor, head in behind.items():
            signed = max((seq for name, seq in self._tables["signatures"] if name == actor), default=0)
            signature = self._tables["signatures"].get((actor, signed), b"")
            self._journal.set("heads", actor, head._replace(signed_seq=signed, signature=signature))

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        self._journal.set("rewritten", max(self._tables["rewritten"], default=-1) + 1, rewritten)

    def forget_rewritten(self) -> None:
        self._journal.clear("rewritten")
