"""The log, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet
from edda_sync.store.seams.log import Head, Logged
from edda_sync.words.errors import CorruptError


class MemoryLog(Facet):
    """Implementation of ``seams.log.LogReader``."""

    __slots__ = ()

    def heads(self) -> Mapping[bytes, Head]:
        return dict(self._tables["heads"])

    def position(self) -> int:
        newest: int = self._tables["serials"].get("log", 0)
        return newest

    def positions_after(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        found: list[int] = []
        dots = self._tables["dots"]
        for actor, head in self._tables["heads"].items():
            seqs = range(frontier.get(actor, 0) + 1, head.seq + 1)
            found += [dots[actor, seq] for seq in seqs if (actor, seq) in dots]
        return sorted(found)

    def backwards(self) -> Iterator[int]:
        return iter(sorted(self._tables["log"], reverse=True))

    def read(self, position: int) -> Logged:
        found: Logged | None = self._tables["log"].get(position)
        if found is None:
            raise CorruptError(f"The log, which has nothing at position {position:,},")
        return found

    def position_of(self, actor: bytes, seq: int) -> int | None:
        found: int | None = self._tables["dots"].get((actor, seq))
        return found

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        position = self._tables["dots"].get((actor, seq))
        if position is not None:
            return self.read(position).hash
        head: Head | None = self._tables["heads"].get(actor)
        return head.hash if head is not None and head.seq == seq else None

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        dots = self._tables["dots"]
        head = self._tables["heads"].get(actor)
        seqs = range(first, head.seq + 1) if head is not None else range(0)
        return [(seq, self.read(dots[actor, seq]).hash) for seq in seqs if (actor, seq) in dots]

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        dots = self._tables["dots"]
        return [self.read(dots[actor, seq]).raw for seq in range(first, last + 1) if (actor, seq) in dots]

    def part(self, position: int, number: int) -> bytes | None:
        found: bytes | None = self._tables["log_parts"].get((position, number))
        return found

    def parts(self, position: int) -> Iterator[bytes]:
        number = 0
        while (part := self.part(position, number)) is not None:
            yield part
            number += 1


class MemoryLogWriter(WriterFacet, MemoryLog):
    """Implementation of ``seams.log.LogWriter``."""

    __slots__ = ()

    def append(self, logged: Logged, head: Head) -> None:
        self._journal.add("log", logged.position, logged)
        self.reach(logged.position)
        self._journal.add("dots", (logged.actor, logged.seq), logged.position)
        self.set_head(head)

    def reach(self, position: int) -> None:
        """Note that the log has an entry at a position."""
        if position > self.position():
            self._journal.set("serials", "log", position)

    def append_part(self, position: int, number: int, part: bytes) -> None:
        self._journal.add("log_parts", (position, number), bytes(part))

    def set_head(self, head: Head) -> None:
        self._journal.set("heads", head.actor, head)

    def replace(self, logged: Logged) -> None:
        self._journal.set("log", logged.position, logged)

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        self._journal.set("log_parts", (position, number), bytes(part))

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        head: Head = self._tables["heads"][old]
        renamed = []
        for seq in range(above + 1, head.seq + 1):
            position = self._tables["dots"].get((old, seq))
            if position is not None:  # None if a segment stands for this change
                self._journal.drop("dots", (old, seq))
                self._journal.set("dots", (new, seq), position)
                self._journal.set("log", position, self.read(position)._replace(actor=new))
                renamed.append(position)
        for actor, seq in [key for key in self._tables["signatures"] if key[0] == old and key[1] > above]:
            self._journal.set("signatures", (new, seq), self._tables["signatures"][actor, seq])
            self._journal.drop("signatures", (actor, seq))
        self._journal.drop("heads", old)
        self._journal.set("heads", new, head._replace(actor=new))
        if before is not None:
            last = max((seq for actor, seq in self._tables["signatures"] if actor == old), default=0)
            signature = self._tables["signatures"].get((old, last), b"")
            self._journal.set("heads", old, before._replace(signed_seq=last, signature=signature))
        return sorted(renamed)

    def move_to_end(self, positions: Sequence[int]) -> None:
        for old in positions:
            logged = self.read(old)._replace(position=self.position() + 1)
            new = logged.position
            self._journal.drop("log", old)
            self._journal.set("log", new, logged)
            self.reach(new)
            self._journal.set("dots", (logged.actor, logged.seq), new)
            for at, number in [key for key in self._tables["log_parts"] if key[0] == old]:
                self._journal.set("log_parts", (new, number), self._tables["log_parts"][at, number])
                self._journal.drop("log_parts", (at, number))
            for entity, mentioned in list(self._tables["mentions"].items()):
                if old in mentioned:
                    self._journal.set("mentions", entity, mentioned - {old} | {new})
            for key, each in list(self._tables["unapplied"].items()):
                if each.position == old:
                    self._journal.drop("unapplied", key)
                    self._journal.set("unapplied", (new, *key[1:]), each._replace(position=new))
            for key, text in list(self._tables["rewritten"].items()):
                if text.position == old:
                    self._journal.set("rewritten", key, text._replace(position=new))

    def drop_lives(self, actors: Collection[bytes]) -> None:
        gone = {at for at, logged in self._tables["log"].items() if logged.actor in actors}
        self._journal.drop_where("log", lambda key: key in gone)
        for name in ("dots", "signatures"):
            self._journal.drop_where(name, lambda key: key[0] in actors)
        self._journal.drop_where("heads", lambda key: key in actors)
        for name in ("log_parts", "unapplied"):
            self._journal.drop_where(name, lambda key: key[0] in gone)
        for entity, mentioned in list(self._tables["mentions"].items()):
            self._journal.set("mentions", entity, mentioned - gone)
        for key in [key for key, each in self._tables["rewritten"].items() if each.position in gone]:
            self._journal.drop("rewritten", key)
        newest = max((*self._tables["log"], *self._tables["segments"]), default=0)
        self._journal.set("serials", "log", newest)
