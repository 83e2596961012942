"""
Setting a text back: the edits that make one text of another that has the same units, of which others are visible.

A change that is taken back is void in one of the two texts: what it inserted keeps its places there, hidden, and what it
deleted is visible. So the edits delete exactly the units that it brought, and bring back exactly those that it deleted. (A
deleted unit stays deleted for ever; what is brought back are new units with the same characters, directly behind the deleted
ones, so that whatever is written beside them later is beside both. See :mod:`~edda_sync.crdt.text.stand_ins`.)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from edda_sync.crdt.text.runs import Run
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.crdt.text.stand_ins import Piece, Turned, turned
from edda_sync.crdt.text.units import units
from edda_sync.words.model import Replacement


class SetBack(NamedTuple):
    """
    How to set a text back.

    Attributes:
        edits: The edits, one after another: they ascend, and each of them only deletes or only inserts.
        after: For each insertion, the name and clock of the last unit that it brings back, behind which it is to stand; None
            for a deletion.
        hidden, shown: How many UTF-16 units they delete, and how many they bring back.
    """

    edits: list[Replacement]
    after: list[tuple[bytes, int] | None]
    hidden: int
    shown: int


class Settled(NamedTuple):
    """
    The text as if nothing had been taken back before, and no undo had done so.

    Attributes:
        before: The text itself.
        after: The text without the changes that are to be taken back now.
    """

    before: TextSequence
    after: TextSequence


def set_back(now: TextSequence, then: TextSequence, settled: Settled | None = None) -> SetBack | None:
    """
    Return the edits that take changes of a text back; None if the texts do not have the same units in the same order.

    Args:
        now: The text.
        then: The same text, folded from the same changes, of which those that are to be taken back are void.
        settled: The same two texts without what had been taken back before; None if nothing had been.
    """
    if settled is None:
        both = _side_by_side(now, then)
        return None if both is None else _edits_of([Turned(name, clock, *shown) for name, clock, shown in both])
    every = _side_by_side(now, then, *settled)
    return None if every is None else _edits_of(turned([Piece(name, clock, *shown) for name, clock, shown in every]))


def _edits_of(turning: Iterable[Turned]) -> SetBack:
    making = _Making()
    for each in turning:
        making.add(each)
    making.flush()
    return SetBack(making.edits, making.after, making.hidden, making.shown)


class _Making:
    """The edits up to a place, and what turns there."""

    def __init__(self) -> None:
        self.edits: list[Replacement] = []
        self.after: list[tuple[bytes, int] | None] = []
        self.hidden = self.shown = 0
        self._at = 0  # the place, in the text after the edits so far
        self._turning: list[Turned] = []

    def add(self, unit: Turned) -> None:
        """Add the next units."""
        if unit.now is None or unit.wanted is None:
            self._turning.append(unit)
        else:
            self.flush()
            self._at += len(unit.now)

    def flush(self) -> None:
        """Make the edits of what turns; none if it would only be replaced by the same characters."""
        turning, self._turning = self._turning, []
        if "".join([each.now or "" for each in turning]) == "".join([each.wanted or "" for each in turning]):
            self._at += sum(len(each.now or "") for each in turning)
            return
        goes_on = False
        for each in turning:
            if each.now is not None:
                self._hide(each.now)
            elif each.wanted is not None:
                self._show(each.wanted, each.name, each.clock, goes_on=goes_on)
            goes_on = each.wanted is not None

    def _hide(self, text: str) -> None:
        self.hidden += units(text)
        if self.edits and self.after[-1] is None and self.edits[-1][0] == self._at:
            self.edits[-1] = self._at, self.edits[-1][1] + len(text), ""
        else:
            self.edits.append((self._at, len(text), ""))
            self.after.append(None)

    def _show(self, text: str, name: bytes, clock: int, *, goes_on: bool) -> None:
        size = units(text)
        self.shown += size
        if goes_on and self.after[-1] == (name, clock - 1):
            begun, _, before = self.edits[-1]
            self.edits[-1], self.after[-1] = (begun, 0, before + text), (name, clock + size - 1)
        else:
            self.edits.append((self._at, 0, text))
            self.after.append((name, clock + size - 1))
        self._at += len(text)


def _side_by_side(*texts: TextSequence) -> list[tuple[bytes, int, list[str | None]]] | None:
    """
    Return what all of some texts show of the same units, with the name and the clock of the first of these.

    Returns:
        None if they do not have the same units in the same order.
    """
    found, walks = list[tuple[bytes, int, list[str | None]]](), [_Pieces(each) for each in texts]
    while any(each.rest for each in walks):
        size = min(each.rest for each in walks)
        name, clock = walks[0].unit
        if not size or any(each.unit != (name, clock) for each in walks):
            return None
        found.append((name, clock, [each.take(size) for each in walks]))
    return found


class _Pieces:
    """The runs of a text, taken a piece at a time."""

    def __init__(self, text: TextSequence) -> None:
        self._names = text.names
        self._runs = chain(text.order)
        self._raw: bytes | None = None
        self._next()

    def _next(self) -> None:
        run: Run | None = next(self._runs, None)
        self.rest = 0 if run is None else run.size
        self._name, self._clock = (b"", 0) if run is None else (self._names[run.name], run.clock)
        self._raw = None if run is None or run.text is None else run.text.encode("utf-16-le", "surrogatepass")

    @property
    def unit(self) -> tuple[bytes, int]:
        """The name and the clock of the next unit."""
        return self._name, self._clock

    def take(self, size: int) -> str | None:
        """Return what the next units show; None if they are deleted."""
        text = None if self._raw is None else self._raw[: 2 * size].decode("utf-16-le", "surrogatepass")
        if size == self.rest:
            self._next()
            return text
        self._clock, self.rest = self._clock + size, self.rest - size
        self._raw = None if self._raw is None else self._raw[2 * size :]
        return text
