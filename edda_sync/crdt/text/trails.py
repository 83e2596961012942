"""
Trails: a shortcut for an author who writes again and again at one place, each time before what it wrote last, while
others have written much at that place that the author does not know.

For each such insertion, YATA passes over everything that others wrote between its two neighbours, so n insertions
beside n of somebody else's take n * n steps. But an insertion passes over at least what the insertion before it passed
over. So a trail remembers, for an author and a left neighbour, the author's unit before which the next insertion goes.

1. A trail is valid until somebody with a greater name writes after the same left neighbour and is placed before that
   unit. A unit of a lesser name is passed over like the rest, with everything that is written after it.
2. A trail also remembers what the author knew, since that shows that the author knows none of the units in between.
   This is valid until the author knows more.
3. A trail changes no result. If it is dropped from memory, the next search makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import Unit

TRAILS_MAX: Final = 64  # of one text: as many authors can write at the same time where others did


@dataclass(slots=True)
class _Trail:
    right: Unit  # the author's unit before which its next insertion goes
    view: View | None  # what the author knew; None if that is not known


class View:
    """What the author of a change knew, for comparison with what it knew at another change."""

    __slots__ = ("_dot", "_past", "_seen")

    def __init__(self, dot: Dot, past: Mapping[bytes, int]) -> None:
        self._dot, self._past = dot, past
        self._seen: dict[bytes, int] | None = None  # the past without its own changes, as a copy

    def keep(self) -> View:
        """Return this view in a form that can be remembered."""
        if self._seen is None:
            self._seen = {**self._past, self._dot[0][-NAME_BYTES:]: 0}
        return self

    def is_of(self, other: View) -> bool:
        """Tell whether a remembered change of the same author knew the same changes of all others."""
        return self._dot == other._dot or self.keep()._seen == other._seen


class Trails:
    """The trails of one text. :meth:`before` looks a trail up, and :meth:`placed` keeps it."""

    __slots__ = ("_at", "_of", "view")

    def __init__(self) -> None:
        self._of: dict[tuple[int, Unit], _Trail] = {}  # by author and left neighbour; the one used last is at the end
        self._at: dict[Unit, set[int]] = {}  # by left neighbour: the authors that have a trail there
        self.view: View | None = None  # of the edit that is being applied

    def __bool__(self) -> bool:
        return bool(self._of)

    def before(self, own: int, left: Unit) -> Unit | None:
        """Return the unit before which an author's next insertion after a left neighbour goes; None if no trail tells it."""
        trail = self._of.get((own, left))
        return None if trail is None else trail.right

    def is_next(self, own: int, left: Unit, right: Unit) -> bool:
        """Tell whether the trails show that one unit is directly after another in what the edit's author knows."""
        trail = self._of.get((own, left))
        if trail is None or trail.right != right or trail.view is None or self.view is None:
            return False
        return self.view.is_of(trail.view)

    def placed(self, order: Order, names: Sequence[bytes], own: int, left: Unit, first: Unit, *, passed: bool) -> None:
        """
        Note where units of an author were placed.

        Args:
            order, names: The order and names of the text.
            own: The author's index.
            left: The unit after which they were written.
            first: The first of the placed units.
            passed: Whether other units stand between ``left`` and ``first``.
        """
        if not passed and left not in self._at:  # the usual case
            return
        for other in tuple(self._at.get(left, ())):
            trail = self._of[other, left]
            if other != own and names[other] < names[own] and _stands_before(order, first, trail.right):
                self._drop(other, left)
        self._drop(own, left)
        if passed:
            self._of[own, left] = _Trail(first, None if self.view is None else self.view.keep())
            self._at.setdefault(left, set()).add(own)
            if len(self._of) > TRAILS_MAX:
                self._drop(*next(iter(self._of)))

    def forget(self, own: int) -> None:
        """Forget the trails of an author, because it came to know something under another name."""
        for author, left in [each for each in self._of if each[0] == own]:
            self._drop(author, left)

    def clear(self) -> None:
        """Forget all trails, because the indices of the names have changed."""
        self._of.clear()
        self._at.clear()

    def _drop(self, own: int, left: Unit) -> None:
        if self._of.pop((own, left), None) is not None:
            self._at[left].discard(own)
            if not self._at[left]:
                del self._at[left]


def _stands_before(order: Order, one: Unit, other: Unit) -> bool:
    places = []
    for name, clock in (one, other):
        chunk, at = order.find(name, clock)
        places.append((chunk.rank, at, clock))
    return places[0] < places[1]
