"""
The order of a text: its runs in sequence, and where each unit and each code point is among them.

A unit is found by its name and clock, and a code point by its position. A search begins where the last one ended. If the
target is elsewhere, a unit is looked up in an index; for a code point, the chunks are counted from the start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Final

from edda_sync.crdt.text.runs import EDGE, Chunk, Run, Unit
from edda_sync.crdt.text.units import Pairs, units
from edda_sync.words import limits

_CHUNK: Final = 32  # runs at which a chunk is cut in two; measured: typing is slower with 24 and with 64

_clock = attrgetter("clock")


class Order:
    """Runs in order. :class:`~edda_sync.crdt.text.sequence.TextSequence` decides what goes where."""

    __slots__ = ("_at", "_base", "_head", "_hit", "_runs", "_size_bytes", "_starts", "_where", "pairs", "points")

    def __init__(self, runs: Sequence[Run], pairs: dict[int, Pairs]) -> None:
        self.pairs = pairs  # by name: where its characters of two units are
        head: Chunk | None = None
        for at in reversed(range(0, len(runs), _CHUNK // 2)):
            head = Chunk(list(runs[at : at + _CHUNK // 2]), head, at)
        self._head = head or Chunk([], None, 0)  # the only chunk that may be empty
        self.points = sum(chunk.points for chunk in self._chunks())
        self._size_bytes = -1  # computed when it is first needed
        self._at, self._base = self._head, 0  # the place of the last position, and the number of code points before it
        self._hit = self._head, 0  # the run that contained the last unit
        # By name: its runs, ascending, and their clocks; by run: its chunk. Made when a unit is first looked up.
        self._runs: dict[int, list[Run]] = {}
        self._starts: dict[int, list[int]] = {}
        self._where: dict[Run, Chunk] = {}

    # --- reading ------------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Run]:
        return chain.from_iterable([chunk.runs for chunk in self._chunks()])

    def _chunks(self) -> Iterator[Chunk]:
        chunk: Chunk | None = self._head
        while chunk is not None:
            yield chunk
            chunk = chunk.next

    def string(self) -> str:
        """Return the present text."""
        return "".join([chunk.string() for chunk in self._chunks()])

    @property
    def size_bytes(self) -> int:
        """The size of the present text, in UTF-8."""
        if self._size_bytes < 0:
            self._size_bytes = _size_bytes(self.string())
        return self._size_bytes

    def whole(self) -> list[Run]:
        """Return all runs, as long as they can be: the same wherever the same edits were made."""
        self._merge()
        return list(self)

    def packed(self) -> bytes:
        """Return :meth:`whole` as msgpack. Chunks that have not changed since the last call are not encoded again."""
        self._merge()
        chunks = list(self._chunks())
        count = sum([len(chunk.runs) for chunk in chunks])
        return b"".join([_array_of(count), *[chunk.pack() for chunk in chunks]])

    def _merge(self) -> None:
        """Join runs at the ends of chunks, so that all are as long as they can be."""
        chunk = self._head
        while (following := chunk.next) is not None:
            if chunk.packed is not None and following.packed is not None:  # neither has changed since the last call
                chunk = following
                continue
            if self._is_one(chunk.runs[-1], following.runs[0]):
                points = len(following.runs[0].text or "")
                self._join(chunk, len(chunk.runs) - 1, following, 0)
                chunk.changed(points)
                following.changed(-points)
                if not following.runs:
                    chunk.next = following.next
                    continue
            chunk = following
        self._at, self._base, self._hit = self._head, 0, (self._head, 0)

    def by_name(self) -> Iterable[Run]:
        """Return all runs, with those of one name ascending."""
        return sorted(self.whole(), key=_clock)

    def rename(self, indices: Sequence[int]) -> None:
        """Give each name another index."""
        for chunk in self._chunks():
            chunk.recut()
        for run in self:
            run.name = indices[run.name]
            if run.left >= 0:
                run.left = indices[run.left]
            if run.right >= 0:
                run.right = indices[run.right]
        self.pairs = {indices[name]: pairs for name, pairs in self.pairs.items()}
        self._runs = {indices[name]: runs for name, runs in self._runs.items()}
        self._starts = {indices[name]: starts for name, starts in self._starts.items()}

    # --- by name and clock --------------------------------------------------------------------------------------------

    def is_inside(self, name: int, clock: int) -> bool:
        """Tell whether a unit is the second one of its character."""
        return name in self.pairs and self.pairs[name].has(clock)

    def find(self, name: int, clock: int) -> tuple[Chunk, int]:
        """Return the place of the run that contains a unit, which must exist."""
        chunk, at = self._hit
        if at < len(chunk.runs):
            run = chunk.runs[at]
            if run.name == name and 0 <= clock - run.clock < run.size:
                return self._hit
        if not self._runs:
            self._index()
        run = self._runs[name][bisect_right(self._starts[name], clock) - 1]
        chunk = self._where[run]
        self._hit = chunk, chunk.runs.index(run)
        return self._hit

    def run_of(self, unit: Unit) -> Run | None:
        """Return the run that contains a unit; None for the edge."""
        if unit == EDGE:
            return None
        chunk, at = self.find(*unit)
        return chunk.runs[at]

    def after(self, unit: Unit) -> Unit:
        """Return the unit directly after another one. The edge stands before the first unit and after the last."""
        name, clock = unit
        if name < 0:
            following = self._head.following(-1)
        else:
            chunk, at = self.find(name, clock)
            run = chunk.runs[at]
            if clock + 1 < run.clock + run.size:
                return name, clock + 1
            following = chunk.following(at)
        return EDGE if following is None else (following.name, following.clock)

    def after_known(self, unit: Unit, known: Mapping[int, int]) -> Unit:
        """Return the first unit after another one that is known: its clock is below the one that is known of its name."""
        following = self.after(unit)
        if following == EDGE or following[1] < known[following[0]]:  # the usual case: nobody else wrote there meanwhile
            return following
        for run, first in self.behind(unit):
            if first < known[run.name]:
                return run.name, first
        return EDGE

    def behind(self, unit: Unit) -> Iterator[tuple[Run, int]]:
        """Return the runs after a unit, each with the first of its clocks that is after the unit."""
        name, clock = unit
        chunk, at = self._head, 0
        if name >= 0:
            chunk, at = self.find(name, clock)
            run = chunk.runs[at]
            if clock + 1 < run.clock + run.size:
                yield run, clock + 1
            at += 1
        rest: Chunk | None = chunk
        while rest is not None:
            for run in rest.runs[at:]:
                yield run, run.clock
            rest, at = rest.next, 0

    def _index(self) -> None:
        of: dict[int, list[Run]] = {}
        for chunk in self._chunks():
            self._where.update(dict.fromkeys(chunk.runs, chunk))
            for run in chunk.runs:
                if run.name in of:
                    of[run.name].append(run)
                else:
                    of[run.name] = [run]
        self._runs = {name: sorted(runs, key=_clock) for name, runs in of.items()}
        self._starts = {name: list(map(_clock, runs)) for name, runs in self._runs.items()}

    # --- by code points -----------------------------------------------------------------------------------------------

    def gap(self, position: int) -> tuple[Unit, Unit]:
        """Return the units between which an insertion at a position goes. Deleted units after the position stay after it."""
        if position == 0:
            return EDGE, self.after(EDGE)
        chunk, at, offset = self._seek(position - 1)
        run = chunk.runs[at]
        clock = run.clock + offset
        if run.text is not None and len(run.text) != run.size:
            clock = run.clock + units(run.text[: offset + 1]) - 1
        self._hit = chunk, at
        return (run.name, clock), self.after((run.name, clock))

    def spans(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Return the units of the code points from one position to another: name, clock, how many."""
        found: list[tuple[int, int, int]] = []
        count = end - start
        if not count:
            return found
        chunk: Chunk | None
        chunk, at, offset = self._seek(start)
        while count:
            assert chunk is not None, "positions are checked"
            for run in chunk.runs[at:]:
                if run.text is None:
                    continue
                text = run.text[offset : offset + count]
                found.append((run.name, run.clock + units(run.text[:offset]), units(text)))
                count -= len(text)
                offset = 0
                if not count:
                    break
            chunk, at = chunk.next, 0
        return found

    def _seek(self, position: int) -> tuple[Chunk, int, int]:
        """Return the chunk and the index of the run that shows a code point, and the code point's number in that run."""
        if position < self._base:
            self._at, self._base = self._head, 0
        chunk, rest = self._at, position - self._base
        while rest >= chunk.points:
            rest -= chunk.points
            assert chunk.next is not None, "positions are checked"
            chunk = chunk.next
        self._at, self._base = chunk, position - rest
        return chunk, *chunk.seek(rest)

    # --- changing -----------------------------------------------------------------------------------------------------

    def insert(self, after: Unit, run: Run) -> None:
        """Insert a run directly after a unit or the edge. Its pairs must have been noted already."""
        if after == EDGE:
            self._put(self._head, 0, run)
        else:
            self._put(*self._cut_at(after[0], after[1], 1), run)

    def insert_before(self, before: Unit, run: Run) -> None:
        """Insert a run directly before a unit."""
        self._put(*self._cut_at(before[0], before[1], 0), run)

    def delete(self, name: int, clock: int, size: int) -> bool:
        """Delete units, and tell whether all of them were visible. Units that are already deleted stay so."""
        if not self._runs:
            self._index()
        starts, end = self._starts[name], clock + size
        first, last = bisect_right(starts, clock) - 1, bisect_right(starts, end - 1)
        runs = self._runs[name][first:last]
        visible = [run for run in runs if run.text is not None]
        for run in visible:
            self._turn(name, max(clock, run.clock), min(end, run.clock + run.size), None)
        return len(visible) == len(runs)

    def show(self, name: int, clock: int, text: str) -> None:
        """Show deleted units again: those with the text ``text``, from a clock on. Visible units stay visible."""
        if not self._runs:
            self._index()
        raw = text.encode("utf-16-le")
        starts, end = self._starts[name], clock + len(raw) // 2
        first, last = bisect_right(starts, clock) - 1, bisect_right(starts, end - 1)
        for run in self._runs[name][first:last]:
            if run.text is None:
                begin, behind = max(clock, run.clock), min(end, run.clock + run.size)
                self._turn(name, begin, behind, raw[2 * (begin - clock) : 2 * (behind - clock)].decode("utf-16-le"))

    def _turn(self, name: int, clock: int, end: int, text: str | None) -> None:
        """Delete units of a single run, or show their text again."""
        self._cut_at(name, end - 1, 1)
        chunk, at = self._cut_at(name, clock, 0)
        runs = chunk.runs
        run = runs[at]
        if run.text is not None:
            self._show(chunk, run.text, -1)
        if text is not None:
            self._show(chunk, text, 1)
        run.text = text
        if at + 1 < len(runs) and self._is_one(run, runs[at + 1]):
            self._join(chunk, at, chunk, at + 1)
        if at and self._is_one(runs[at - 1], run):
            self._join(chunk, at - 1, chunk, at)

    def _cut_at(self, name: int, clock: int, after: int) -> tuple[Chunk, int]:
        """Return the place before a unit (0) or after it (1), and cut the run that crosses it."""
        chunk, at = self.find(name, clock)
        run = chunk.runs[at]
        clock += after
        if clock == run.clock:
            return chunk, at
        if clock == run.clock + run.size:
            return chunk, at + 1
        return self._add(chunk, at + 1, run.cut(clock))

    def _put(self, chunk: Chunk, at: int, run: Run) -> None:
        """Insert a run at a place, in pieces if it is too long."""
        is_short = run.clock + run.size <= self._end(run.name, run.clock)
        for piece in (run,) if is_short else run.pieces(partial(self._end, run.name)):
            if piece.text is not None:
                self._show(chunk, piece.text, 1)
            if at and self._is_one(chunk.runs[at - 1], piece):
                chunk.runs[at - 1].absorb(piece)
                self._hit = chunk, at - 1
            else:
                chunk, at = self._add(chunk, at, piece)
                at += 1

    def _add(self, chunk: Chunk, at: int, run: Run) -> tuple[Chunk, int]:
        """Add a run at a place, and return the place. What the run shows must have been counted already."""
        if not self._runs:
            self._index()
        chunk.runs.insert(at, run)
        chunk.recut()
        self._where[run] = chunk
        starts, runs = self._starts.setdefault(run.name, []), self._runs.setdefault(run.name, [])
        index = len(starts) if not starts or run.clock > starts[-1] else bisect_right(starts, run.clock)
        starts.insert(index, run.clock)
        runs.insert(index, run)
        if len(chunk.runs) > _CHUNK:
            half = _CHUNK // 2
            fresh = Chunk(chunk.runs[half:], chunk.next, self._rank_after(chunk))
            del chunk.runs[half:]
            chunk.changed(-fresh.points)
            chunk.next = fresh
            self._where.update(dict.fromkeys(fresh.runs, fresh))
            if at >= half:
                chunk, at = fresh, at - half
        self._hit = chunk, at
        return self._hit

    def _join(self, chunk: Chunk, at: int, following: Chunk, second: int) -> None:
        """Join two runs."""
        rest = following.runs.pop(second)
        chunk.runs[at].absorb(rest)
        chunk.recut()
        following.recut()
        if self._runs:
            index = bisect_right(self._starts[rest.name], rest.clock) - 1
            del self._starts[rest.name][index], self._runs[rest.name][index], self._where[rest]
        self._hit = chunk, at

    def _show(self, chunk: Chunk, text: str, way: int) -> None:
        """Count a text that becomes visible (1) or hidden (-1)."""
        chunk.changed(way * len(text))
        self.points += way * len(text)
        if self._size_bytes >= 0:
            self._size_bytes += way * _size_bytes(text)
        if chunk.rank < self._at.rank:
            self._base += way * len(text)

    def _rank_after(self, chunk: Chunk) -> float:
        """Return the rank for a new chunk that is to follow another one."""
        if chunk.next is None:
            return chunk.rank + 1
        rank = (chunk.rank + chunk.next.rank) / 2
        if chunk.rank < rank < chunk.next.rank:
            return rank
        for at, each in enumerate(self._chunks()):  # there was no number left between the two ranks
            each.rank = 2 * at
        return chunk.rank + 1

    def _is_one(self, before: Run, run: Run) -> bool:
        return run.goes_on(before) and self._end(run.name, before.clock) > run.clock

    def _end(self, name: int, clock: int) -> int:
        """Return the clock at which a run must end if it begins with a given clock."""
        end = (clock // limits.TEXT_RUN_UNITS + 1) * limits.TEXT_RUN_UNITS
        return end + 1 if self.is_inside(name, end) else end


def _array_of(count: int) -> bytes:
    """Return the beginning of a msgpack array."""
    if count < 1 << 4:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdd" + count.to_bytes(4, "big")


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
