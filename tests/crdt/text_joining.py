"""
Join two states of one text, and put the units of one state in order again from nothing.

The product joins no states: only an empty store takes a segment. That states can be joined shows that a state contains all
of a text: the same edits give it wherever it came from, and its order follows from its units alone. YATA puts the units
that one state lacks into their places; it needs only the neighbours between which they were written. The resulting order
must be the one in which the other state has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edda_sync.crdt.text import state as text_state
from edda_sync.crdt.text.attribution import Range, Rewrite
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import EDGE, Run, Unit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.crdt.text.units import Pairs, code_points


def join(text: TextSequence, other: TextSequence) -> None:
    """
    Bring into a text the units that only another state of it has.

    Args:
        text: The text; if this fails it is half joined, and of no more use.
        other: The other state; it is not changed.

    Raises:
        ValueError: They are not states of one text, with the reason.
    """
    if text.genesis != other.genesis or text.started != other.started:
        raise ValueError("another text")
    indices = [text.named(name) for name in other.names]
    _Joining(text, other.order, indices).run()
    _join_authors(text, other, indices)
    _join_rewrites(text, other, indices)
    text.starts |= other.starts


def merged(document: TextDocument, state: bytes) -> TextDocument:
    """
    Return a text joined with the state of another one.

    Raises:
        ValueError: They are not states of one text, with the reason.
    """
    joined, other = text_state.decode(document.state()), text_state.decode(state)
    put_in_order(other)
    join(joined, other)
    return TextDocument(joined)


def put_in_order(text: TextSequence) -> None:
    """
    Put every run of a text in its place again, in an empty text.

    Raises:
        ValueError: It is not what edits make of a text, with the reason.
    """
    empty = TextSequence(text.genesis, "", text.starts)
    empty.started = text.started
    join(empty, text)


class _Joining:
    """The units that a text lacks, on their way into it."""

    def __init__(self, text: TextSequence, other: Order, indices: Sequence[int]) -> None:
        self._text, self._other, self._indices = text, other, indices
        self._held = _totals((run.name, run.clock, run.size) for run in text.order)
        self._lacking: dict[int, list[Run]] = {}  # by name the runs that are left, the last first
        for run in sorted(other, key=lambda run: -run.clock):
            name = indices[run.name]
            if run.clock + run.size > self._held.get(name, 0):
                self._lacking.setdefault(name, []).append(run)

    def run(self) -> None:
        """Bring all of it, and compare the orders."""
        order, indices = self._text.order, self._indices
        for of, theirs in self._other.pairs.items():
            fresh = theirs.seconds(self._held.get(indices[of], 0), theirs.end)
            if fresh:
                order.pairs.setdefault(indices[of], Pairs()).extend((second, 1) for second in fresh)
        for name in list(self._lacking):
            while self._lacking[name]:
                self._bring(name)
        for run in self._other:
            if run.text is None:
                order.delete(indices[run.name], run.clock, run.size)
        told = [(indices[run.name], run.clock, run.size) for run in self._other]
        totals = _totals(told)
        ours = ((run.name, run.clock, min(run.size, totals.get(run.name, 0) - run.clock)) for run in order)
        if list(_coalesced(ours)) != list(_coalesced(told)):
            raise ValueError("units in another order")

    def _bring(self, name: int) -> None:
        """Bring the next run of a name, after the runs beside which it was written."""
        waiting = [name]
        while waiting:
            name = waiting[-1]
            run = self._lacking[name][-1]
            beside = self._unit(run.left, run.left_clock), self._unit(run.right, run.right_clock)
            missing = [of for of, clock in beside if of != EDGE[0] and clock >= self._held.get(of, 0)]
            if not missing:
                self._put(name, self._lacking[name].pop(), *beside)
                waiting.pop()
            elif missing[0] in waiting:
                raise ValueError("units beside units that come after them")
            else:
                waiting.append(missing[0])

    def _put(self, name: int, run: Run, left: Unit, right: Unit) -> None:
        held = max(run.clock, self._held.get(name, 0))
        text = run.text
        if held > run.clock:
            left = name, held - 1
            text = text if text is None else text[code_points(text, held - run.clock) :]
        size = run.clock + run.size - held
        self._text.order.insert(self._text.place(name, left, right), Run(name, held, size, text, *left, *right))
        self._held[name] = held + size

    def _unit(self, name: int, clock: int) -> Unit:
        return EDGE if name == EDGE[0] else (self._indices[name], clock)


def _totals(spans: Iterable[Range]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for name, clock, size in spans:
        totals[name] = max(totals.get(name, 0), clock + size)
    return totals


def _coalesced(spans: Iterable[Range]) -> Iterator[Range]:
    """Return units in order, as few spans as they can be; spans without units are left out."""
    before, start, end = EDGE[0], 0, 0
    for name, clock, size in spans:
        if size <= 0:
            continue
        if name != before or clock != end:
            if end:
                yield before, start, end - start
            before, start = name, clock
        end = clock + size
    if end:
        yield before, start, end - start


def _join_authors(text: TextSequence, other: TextSequence, indices: Sequence[int]) -> None:
    """Join what each actor did; the shorter one must be the beginning of the longer one."""
    for name, theirs in other.authors.items():
        ours = text.author(other.names[name])
        inserted, deleted = theirs.insertions.upto(theirs.insertions.seq), theirs.deletions.upto(theirs.deletions.seq)
        deleted.rename(indices)
        if ours.insertions.seq < inserted.seq:
            ours.insertions, inserted = inserted, ours.insertions
        if ours.deletions.seq < deleted.seq:
            ours.deletions, deleted = deleted, ours.deletions
        if ours.insertions.upto(inserted.seq).columns() != inserted.columns():
            raise ValueError("an author of other units")
        if ours.deletions.upto(deleted.seq).columns() != deleted.columns():
            raise ValueError("an author of other deletions")


def _join_rewrites(text: TextSequence, other: TextSequence, indices: Sequence[int]) -> None:
    for name, theirs in other.rewrites.items():
        deleted = [(indices[of], clock, size) for of, clock, size in theirs.deletions]
        ours = text.rewrites.setdefault(indices[name], Rewrite(theirs.size, deleted, ()))
        if ours.size != theirs.size or ours.deletions != deleted:
            raise ValueError("one rewrite of two kinds")
        for actor, seq in theirs.dots - ours.dots:
            text.author(actor).rewritten += ours.size
            ours.dots.add((actor, seq))
