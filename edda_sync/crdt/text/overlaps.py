"""
Overlaps: places of a text where concurrent changes deleted the same units, and did not make the same of them.

1. A *place* reaches from such units to both sides, up to the next visible unit that one of these changes saw and left.
2. Of the changes that deleted shared units of a place, those that no other one knew are its *sides*.
3. The *reading* of a side is the place as it was with all that its change knew, and with what was made of it since by
   changes that know this side and no other. What neither side saw stays in each reading.
4. Two sides are *settled* by a change that knows both and deletes a unit of the place or inserts one there. If a third side
   is left, the reading of that change takes their place.
5. A place is listed while two sides are not settled, one of them inserted something, and a reading is not what is shown.

All of this is a function of the text's units, of which change inserted and deleted each, and of the pasts of these changes:
so it is the same wherever the same changes are, in whatever order they came.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.attribution import Range, Spans
from edda_sync.crdt.text.disputed import disputed, joined
from edda_sync.crdt.text.readings import Atom, Readings, Who
from edda_sync.crdt.text.runs import Run
from edda_sync.crdt.text.sequence import TextSequence

_WHOLE: Final = 0  # seq of what is named as a whole: a rewrite, or the start
Latest = dict[int, int]
"""Of some changes, the last one of each author, which knows all that the earlier ones know."""


class Log(Protocol):
    """What the log says of changes. A text names them like its units: by names that end with those of the log."""

    def knows(self, one: Dot, other: Dot) -> bool:
        """Tell whether a change is another one or depends on it."""
        ...

    def inserted(self, dot: Dot, size: int, *, rewrite: bool) -> str:
        """Return the ``size`` units that a change inserted into the text, in a rewrite or not."""
        ...

    def start(self, dots: Iterable[Dot]) -> str:
        """Return the string that changes started the text with."""
        ...


class Side(NamedTuple):
    """One side of an overlap: the changes that made it (several, if they made the same rewrite), and its reading."""

    dots: tuple[Dot, ...]
    text: str


class Overlap(NamedTuple):
    """A place where concurrent changes overlap: its position in code points, what it shows, and the sides that are open."""

    position: int
    shown: str
    sides: tuple[Side, ...]


@dataclass(slots=True)
class _Place:
    position: int
    runs: list[Run]  # its units
    sharers: Latest
    end: tuple[int, int]  # the index of its last run among all, and how many units of that run are in it
    deletions: list[tuple[Who, Range]] = field(default_factory=list)


def overlaps(text: TextSequence, log: Log) -> list[Overlap]:
    """
    Return the overlaps of a text, in the order of their places.

    Args:
        text: The text.
        log: What the log says of its changes. Whatever it raises is passed on.
    """
    if not text.is_disputed:
        return []
    finder = _Finder(text, log)
    return [found for place in finder.places() if (found := finder.overlap(place)) is not None]


class _Group(NamedTuple):
    changes: list[Who]
    is_open: bool  # whether it is not settled with all others


class _Finder:
    def __init__(self, text: TextSequence, log: Log) -> None:
        self._text, self._log = text, log
        self._dots: dict[Who, tuple[Dot, ...]] = {}
        self._known: dict[tuple[Who, Who], bool] = {}
        self._words: dict[Who, bytes] = {}

    # --- places -------------------------------------------------------------------------------------------------------

    def places(self) -> list[_Place]:
        """Return all places, with what was deleted in each."""
        text = self._text
        shared = disputed(text.authors.values(), text.rewrites.values())
        runs = text.order.whole()
        at: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by name: first clock and index of each run
        before = [0]  # code points before each run
        for index, run in enumerate(runs):
            if run.name in shared:
                at[run.name].append((run.clock, index))
            before.append(before[-1] + len(run.text or ""))
        sharers: dict[int, Latest] = defaultdict(dict)  # by the index of a run
        for each in at.values():
            each.sort()
        for who, (name, clock, size) in self._deleted(shared):
            for _, index in at[name][bisect_right(at[name], (clock, len(runs))) - 1 :]:
                if runs[index].clock >= clock + size:
                    break
                _join(sharers[index], [who])
        found: list[_Place] = []
        for index in sorted(sharers):
            if not found or index > found[-1].end[0]:
                self._reach(runs, before, sharers, index, found)
        self._note_deletions(found)
        return found

    def _reach(
        self, runs: Sequence[Run], before: Sequence[int], sharers: dict[int, Latest], index: int, found: list[_Place]
    ) -> None:
        """Find the place of a run with shared units. It becomes a part of the last one if it reaches that."""
        last = found[-1].end if found else (-1, 0)
        among, left = dict(sharers[index]), list[Run]()
        ended = False
        at = index - 1
        while at >= 0 and not ended and at >= last[0]:
            for piece in reversed(self._pieces(runs[at])):
                if at == last[0] and piece.clock < runs[at].clock + last[1]:
                    ended = True
                    break
                if piece.text is not None and self._saw(among.items(), self._by(piece.name, piece.clock)[0]):
                    at, ended = -2, True
                    break
                left.append(piece)
            at -= 1
        is_joined = bool(found) and at > -2 and (ended or at < last[0])
        if is_joined:
            place = found.pop()
            _join(among, place.sharers.items())
        right, end = [runs[index]], (index, runs[index].size)
        for at in range(index + 1, len(runs)):
            _join(among, sharers.get(at, {}).items())
            taken = self._take_right(runs[at], among.items(), right)
            end = (at, taken) if taken else end
            if taken < runs[at].size:
                break
        if is_joined:
            found.append(_Place(place.position, [*place.runs, *reversed(left), *right], among, end))
            return
        shown = sum(len(piece.text or "") for piece in left)
        found.append(_Place(before[index] - shown, [*reversed(left), *right], among, end))

    def _take_right(self, run: Run, among: Iterable[Who], right: list[Run]) -> int:
        """Add the pieces of a run up to the first that one of some changes saw and left; return how many units that is."""
        taken = 0
        for piece in self._pieces(run):
            if piece.text is not None and self._saw(among, self._by(piece.name, piece.clock)[0]):
                break
            right.append(piece)
            taken += piece.size
        return taken

    def _saw(self, changes: Iterable[Who], by: Who) -> bool:
        return any(each != by and self._knows(each, by) for each in changes)

    def _pieces(self, run: Run) -> list[Run]:
        """Return a run in pieces, each inserted by one change; as it is if it is deleted."""
        if run.text is None:
            return [run]
        pieces, rest = [], Run(*[getattr(run, name) for name in run.__struct_fields__])
        while (end := self._by(rest.name, rest.clock)[1]) < rest.clock + rest.size:
            following = rest.cut(end)
            pieces.append(rest)
            rest = following
        return [*pieces, rest]

    def _by(self, name: int, clock: int) -> tuple[Who, int]:
        """Return the change that inserted a unit, and the clock after the last one that it inserted under that name."""
        text = self._text
        if name in text.rewrites:
            return (name, _WHOLE), text.rewrites[name].size
        if name == text.index[text.genesis]:
            return (name, _WHOLE), text.started
        insertions = text.authors[name].insertions
        seq = insertions.seq_of(clock)
        return (name, seq), insertions.known(seq)

    def _deleted(self, spans: Spans) -> Iterator[tuple[Who, Range]]:
        """Yield the changes that deleted units of some spans, each with what it deleted of one span."""
        for index, author in self._text.authors.items():
            for seq, deleted in author.deletions.within(spans):
                yield (index, seq), deleted
        for index, rewrite in self._text.rewrites.items():
            for name, ranges in joined(rewrite.deletions).items():
                among = spans.get(name, [])
                for start, end in ranges:
                    for first, last in among[max(0, bisect_right(among, (start,)) - 1) :]:
                        if first >= end:
                            break
                        if last > start:
                            yield (index, _WHOLE), (name, max(first, start), min(last, end) - max(first, start))

    def _note_deletions(self, places: Sequence[_Place]) -> None:
        held = sorted(
            (piece.name, piece.clock, piece.clock + piece.size, number)
            for number, place in enumerate(places)
            for piece in place.runs
            if piece.text is None
        )
        spans: Spans = defaultdict(list)
        for name, clock, end, _ in held:
            spans[name].append((clock, end))
        for who, deleted in self._deleted(spans):
            place = places[held[bisect_right(held, (deleted[0], deleted[1], 1 << 62)) - 1][3]]
            place.deletions.append((who, deleted))

    # --- what each side made of a place -------------------------------------------------------------------------------

    def overlap(self, place: _Place) -> Overlap | None:
        """Return the overlap at a place; None if it is settled, or all made the same of it."""
        sharers = sorted(place.sharers.items())
        sides = [one for one in sharers if not any(two != one and self._knows(two, one) for two in sharers)]
        if len(sides) < 2:
            return None
        atoms = self._atoms(place)
        groups = self._groups(atoms, sides)
        if not any(group.is_open for group in groups):
            return None
        read = Readings(self, [_last(group.changes) for group in groups])
        atoms, position = read.trimmed(atoms, place.position)
        readings = [read.of(number, atoms) for number in range(len(groups))]
        shown = "".join(atom.text or "" for atom in atoms)
        left = [number for number, group in enumerate(groups) if group.is_open]
        if not any(readings[number][1] for number in left) or all(readings[number][0] == shown for number in left):
            return None
        blank = _blank([shown, *(readings[number][0] for number in left)])
        found = [Side(self.dots(groups[number].changes[0]), readings[number][0][blank:]) for number in left]
        return Overlap(position + blank, shown[blank:], tuple(sorted(found)))

    def _groups(self, atoms: Sequence[Atom], sides: Sequence[Who]) -> list[_Group]:
        """Return the changes of a place that know one of the sides, together with it, and those that settle several."""
        followers, joints, met = [[side] for side in sides], list[tuple[Who, list[int]]](), [0] * len(sides)
        changes = dict.fromkeys(who for atom in atoms for who in (atom.by, *atom.deleted))
        for who in changes:
            if who in sides or self._saw(sides, who):
                continue  # it knows none of them
            known = [number for number, side in enumerate(sides) if self._knows(who, side)]
            if len(known) == 1:
                followers[known[0]].append(who)
            elif known:
                joints.append((who, known))
                mask = sum(1 << number for number in known)
                for number in known:
                    met[number] |= mask
        every = (1 << len(sides)) - 1
        is_open = [met[number] | 1 << number != every for number in range(len(sides))]
        if not any(is_open):
            return []
        settling = _last([who for who, _ in joints])
        last = [each for each in joints if not self._saw(settling, each[0])]
        groups = [_Group([who], any(is_open[number] for number in known)) for who, known in last]
        for number, each in enumerate(followers):
            rest = [who for who in (each[0], *sorted(each[1:], key=self.dots)) if not self._saw(settling, who)]
            groups += [_Group(rest, is_open[number])] if rest else []
        return groups

    def _atoms(self, place: _Place) -> list[Atom]:
        """Return the units of a place, cut where another change inserted or deleted them."""
        by_name: dict[int, list[tuple[int, int, Who]]] = defaultdict(list)
        for who, (name, clock, size) in place.deletions:
            by_name[name] += [(clock, 1, who), (clock + size, 0, who)]
        for steps in by_name.values():
            steps.sort()
        found: list[Atom] = []
        for run in place.runs:
            clock, end = run.clock, run.clock + run.size
            if run.text is not None:
                found.append(Atom(run.name, clock, run.size, run.text, self._by(run.name, clock)[0], ()))
                continue
            steps, active = by_name[run.name], dict[Who, int]()
            at = bisect_right(steps, (clock, 1))  # what ends there was of other units
            while clock < end:
                while at < len(steps) and steps[at][0] == clock:
                    active[steps[at][2]] = active.get(steps[at][2], 0) + (1 if steps[at][1] else -1)
                    at += 1
                by, behind = self._by(run.name, clock)
                behind = min(end, behind, steps[at][0] if at < len(steps) else end)
                deleted = tuple([who for who, depth in active.items() if depth > 0])
                found.append(Atom(run.name, clock, behind - clock, None, by, deleted))
                clock = behind
        return found

    def text_of(self, atom: Atom) -> str:
        """Return the text of some units, which the log still has if they are deleted."""
        if atom.text is not None:
            return atom.text
        first = atom.clock
        if atom.by not in self._words:
            self._words[atom.by] = self._inserted(atom.by).encode("utf-16-le", "surrogatepass")
        if atom.by[1] != _WHOLE:
            first -= self._text.authors[atom.by[0]].insertions.known(atom.by[1] - 1)
        return self._words[atom.by][2 * first : 2 * (first + atom.size)].decode("utf-16-le", "surrogatepass")

    def _inserted(self, who: Who) -> str:
        text, (index, seq) = self._text, who
        if index in text.rewrites:
            return self._log.inserted(min(text.rewrites[index].dots), text.rewrites[index].size, rewrite=True)
        if seq == _WHOLE:
            return self._log.start(sorted(text.starts))
        insertions = text.authors[index].insertions
        size = insertions.known(seq) - insertions.known(seq - 1)
        return self._log.inserted((text.names[index], seq), size, rewrite=False)

    # --- what changes know --------------------------------------------------------------------------------------------

    def dots(self, who: Who) -> tuple[Dot, ...]:
        """Return the changes that are meant: several, if they made the same rewrite."""
        found = self._dots.get(who)
        if found is None:
            rewrite = self._text.rewrites.get(who[0]) if who[1] == _WHOLE else None
            found = tuple(sorted(rewrite.dots)) if rewrite is not None else ((self._text.names[who[0]], who[1]),)
            self._dots[who] = found
        return found

    def is_start(self, who: Who) -> bool:
        """Tell whether the start of the text is meant, which every change of the text knows."""
        return who[0] == self._text.index[self._text.genesis]

    def _knows(self, one: Who, other: Who) -> bool:
        if self.is_start(other) or self.is_start(one):
            return self.is_start(other)
        known = self._known.get((one, other))
        if known is None:
            known = any(self._log.knows(mine, its) for mine in self.dots(one) for its in self.dots(other))
            self._known[one, other] = known
        return known

    def knows(self, group: Iterable[Who], other: Who) -> bool:
        """Tell whether one of some changes is another change, or depends on it."""
        return any(each == other or self._knows(each, other) for each in group)


def _join(latest: Latest, changes: Iterable[Who]) -> None:
    for author, seq in changes:
        latest[author] = max(latest.get(author, _WHOLE), seq)


def _last(changes: Iterable[Who]) -> list[Who]:
    """Return the last one of each author."""
    latest: Latest = {}
    _join(latest, changes)
    return [*latest.items()]


def _blank(texts: Sequence[str]) -> int:
    """Return how many spaces some texts begin with alike, the first of them not wholly."""
    most = min(len(each) - len(each.lstrip(" ")) for each in texts)
    return min(most, len(texts[0]) - 1) if texts[0] else 0
