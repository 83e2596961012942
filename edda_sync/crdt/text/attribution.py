"""
Which change inserted, and which deleted, each unit of a text, stored as steps.

Typing makes one change for each letter, and each change inserts or deletes the unit next to the last one. So what an
actor did is stored as *steps*. A step is a series of consecutive changes that each did as much as the one before it,
one place further on. Steps are only ever added, in the order of the actor's changes, so they are the same wherever the
same edits were accepted. Ascending columns are also stored as differences, as in a text's state, because that state is
made after every pause in typing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.clients import NAME_BYTES

Range = tuple[int, int, int]
"""Index of a name, first clock, number of units."""

Spans = dict[int, list[tuple[int, int]]]
"""Units by the index of their name: first clock, and the clock after the last one; ascending, and apart."""

InsertionColumns = tuple[list[int], list[int], list[int], int]
"""Seqs, clocks and units of the steps, the first two as differences; then the clock after the last unit."""

DeletionColumns = tuple[list[int], list[int], list[int], list[int], list[int]]
"""Seqs, counts, names, clocks and sizes of the steps; seqs and clocks as differences."""


def meets(dots: Iterable[Dot], dot: Dot, past: Mapping[bytes, int]) -> bool:
    """
    Tell whether one of some changes is in the past of a change, or is that change itself.

    The past contains the names of changes, which are the last part of the names in a text
    (:mod:`~edda_sync.fold.item_names`).
    """
    for actor, seq in dots:  # noqa: SIM110 -- any() takes twice as long, and every edit asks this
        if seq <= past.get(actor[-NAME_BYTES:], 0) or (actor, seq) == dot:
            return True
    return False


class Insertions:
    """Which change inserted each unit that has an actor's own name."""

    __slots__ = ("_clock_steps", "_clocks", "_seq_steps", "_seqs", "_units", "clock", "seq")

    def __init__(self) -> None:
        self.clock = 0  # where the next change continues
        self.seq = 0  # the last change that inserted anything
        self._seqs: list[int] = []  # for each step: its first change,
        self._clocks: list[int] = []  # the first unit of that change,
        self._units: list[int] = []  # and how many units each of its changes inserted
        self._seq_steps: list[int] = []  # the first two columns as differences
        self._clock_steps: list[int] = []

    def add(self, seq: int, size: int) -> None:
        """Note what the actor's next change inserted, or what its last change inserted in addition."""
        if seq != self.seq + 1 or not self._units or size != self._units[-1]:
            self._seq_steps.append(seq - self._seqs[-1] if self._seqs else seq)
            self._clock_steps.append(self.clock - self._clocks[-1] if self._clocks else self.clock)
            self._seqs.append(seq)
            self._clocks.append(self.clock)
            self._units.append(size)
        self.seq = seq
        self.clock += size

    def known(self, seq: int) -> int:
        """Return the clock up to which an author knows this actor's units, if it knows the actor's changes up to ``seq``."""
        if seq >= self.seq:
            return self.clock
        at = bisect_right(self._seqs, seq) - 1
        if at < 0:
            return 0
        end = self._clocks[at + 1] if at + 1 < len(self._clocks) else self.clock
        return min(end, self._clocks[at] + (seq - self._seqs[at] + 1) * self._units[at])

    def seq_of(self, clock: int) -> int:
        """Return the change that inserted a unit."""
        at = bisect_right(self._clocks, clock) - 1
        return self._seqs[at] + (clock - self._clocks[at]) // self._units[at]

    def upto(self, seq: int) -> Insertions:
        """Return what was inserted up to a change."""
        cut = Insertions()
        cut.clock = self.known(seq)
        kept = bisect_right(self._seqs, seq)
        cut._seqs, cut._clocks, cut._units = self._seqs[:kept], self._clocks[:kept], self._units[:kept]
        cut._seq_steps, cut._clock_steps = self._seq_steps[:kept], self._clock_steps[:kept]
        cut.seq = cut.seq_of(cut.clock - 1) if kept else 0
        return cut

    def columns(self) -> InsertionColumns:
        """Return the steps as columns of small numbers."""
        return self._seq_steps, self._clock_steps, self._units, self.clock

    @classmethod
    def of(cls, columns: InsertionColumns) -> Insertions:
        """
        Return the insertions that some columns describe.

        Raises:
            ValueError: The columns are not valid.
        """
        seqs, clocks, units, clock = columns
        made = cls()
        made.clock, made._units, made._seq_steps, made._clock_steps = clock, units, seqs, clocks
        made._seqs, made._clocks = list(accumulate(seqs)), list(accumulate(clocks))
        if not len(seqs) == len(clocks) == len(units):
            raise ValueError("columns of different lengths")
        if not seqs and not clock:
            return made
        if not seqs or seqs[0] < 1 or min(seqs) < 0 or clocks[0] or min(clocks[1:], default=1) < 1 or min(units) < 1:
            raise ValueError("steps that do not go up")
        ends = [*made._clocks[1:], clock]
        if any(
            end <= start or (end - start) % size for start, end, size in zip(made._clocks, ends, units, strict=True)
        ):
            raise ValueError("a step that is not of whole changes")
        made.seq = made.seq_of(clock - 1)
        return made


class Deletions:
    """Which units an actor deleted with which change, in that order. A unit may be deleted more than once."""

    __slots__ = ("_clock_steps", "_clocks", "_counts", "_names", "_seq_steps", "_seqs", "_sizes")

    def __init__(self) -> None:
        self._seqs: list[int] = []  # for each step: its first change,
        self._counts: list[int] = []  # the number of its changes, negative if they went from right to left,
        self._names: list[int] = []  # and what the first change deleted: the index of a name,
        self._clocks: list[int] = []  # the first unit,
        self._sizes: list[int] = []  # and the number of units, which is the same for each change
        self._seq_steps: list[int] = []  # seqs and clocks as differences
        self._clock_steps: list[int] = []

    def add(self, seq: int, deleted: Range) -> None:
        """Note what the actor's next change deleted, or what its last change deleted in addition."""
        name, clock, size = deleted
        if self._seqs and name == self._names[-1] and size == self._sizes[-1]:
            count = self._counts[-1]
            if seq == self._seqs[-1] + abs(count):
                moved = clock - self._clocks[-1]
                if moved == count * size:
                    self._counts[-1] = count + 1 if count > 0 else count - 1
                    return
                if count == 1 and moved == -size:
                    self._counts[-1] = -2
                    return
        self._seq_steps.append(seq - self._seqs[-1] if self._seqs else seq)
        self._clock_steps.append(clock - self._clocks[-1] if self._clocks else clock)
        self._seqs.append(seq)
        self._counts.append(1)
        self._names.append(name)
        self._clocks.append(clock)
        self._sizes.append(size)

    @property
    def seq(self) -> int:
        """The last change that deleted anything; 0 if none did."""
        return self._seqs[-1] + abs(self._counts[-1]) - 1 if self._seqs else 0

    def of_units(self, name: int, clock: int, size: int) -> Iterator[tuple[int, Range]]:
        """Yield the changes that deleted some units, each with those that it deleted."""
        return self.within({name: [(clock, clock + size)]})

    def within(self, spans: Spans) -> Iterator[tuple[int, Range]]:
        """Yield the changes that deleted units of some spans, each with those of one span that it deleted."""
        columns = zip(self._seqs, self._counts, self._names, self._clocks, self._sizes, strict=True)
        for seq, count, name, start, length in columns:
            if name not in spans:
                continue
            lowest = start if count > 0 else start + (count + 1) * length
            among, highest = spans[name], lowest + abs(count) * length
            for at in range(max(0, bisect_right(among, (lowest,)) - 1), len(among)):
                clock, end = among[at]
                if clock >= highest:
                    break
                first, last = max(0, (clock - lowest) // length), min(abs(count), -((lowest - end) // length))
                for number in range(first, last):
                    left = lowest + number * length
                    begin, behind = max(clock, left), min(end, left + length)
                    yield seq + (number if count > 0 else abs(count) - 1 - number), (name, begin, behind - begin)

    def ranges(self) -> Iterator[Range]:
        """Yield what each step deleted."""
        for count, name, clock, size in zip(self._counts, self._names, self._clocks, self._sizes, strict=True):
            yield name, clock if count > 0 else clock + (count + 1) * size, abs(count) * size

    def rename(self, indices: Sequence[int]) -> None:
        """Give each name another index."""
        self._names = [indices[name] for name in self._names]

    def upto(self, seq: int) -> Deletions:
        """Return what was deleted up to a change."""
        cut, kept = Deletions(), bisect_right(self._seqs, seq)
        cut._seqs, cut._counts, cut._names = self._seqs[:kept], self._counts[:kept], self._names[:kept]
        cut._clocks, cut._sizes = self._clocks[:kept], self._sizes[:kept]
        cut._seq_steps, cut._clock_steps = self._seq_steps[:kept], self._clock_steps[:kept]
        if kept and (count := seq - cut._seqs[-1] + 1) < abs(cut._counts[-1]):
            cut._counts[-1] = count if cut._counts[-1] > 0 or count == 1 else -count
        return cut

    def columns(self) -> DeletionColumns:
        """Return the steps as columns of small numbers."""
        return self._seq_steps, self._counts, self._names, self._clock_steps, self._sizes

    @classmethod
    def of(cls, columns: DeletionColumns) -> Deletions:
        """
        Return the deletions that some columns describe. The caller checks that the units exist.

        Raises:
            ValueError: The columns are not valid.
        """
        made = cls()
        seqs, made._counts, made._names, clocks, made._sizes = columns
        made._seqs, made._clocks = list(accumulate(seqs)), list(accumulate(clocks))
        made._seq_steps, made._clock_steps = seqs, clocks
        if len({len(column) for column in columns}) > 1:
            raise ValueError("columns of different lengths")
        if seqs and (seqs[0] < 1 or min(seqs) < 0 or min(made._sizes) < 1 or 0 in made._counts):
            raise ValueError("steps that do not go up")
        return made


class Author:
    """What an actor inserted under its own name, what it deleted, and how many units it wrote in rewrites."""

    __slots__ = ("deletions", "insertions", "rewritten")

    def __init__(self) -> None:
        self.insertions = Insertions()
        self.deletions = Deletions()
        self.rewritten = 0


class Rewrite:
    """A whole rewrite: its number of units, what it deleted, and the changes that made it."""

    __slots__ = ("deletions", "dots", "size")

    def __init__(self, size: int, deletions: Iterable[Range], dots: Iterable[Dot]) -> None:
        self.size = size
        self.deletions = list(deletions)
        self.dots = set(dots)
