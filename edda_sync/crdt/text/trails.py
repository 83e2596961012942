"""
Trails: a shortcut for an author who writes again and again at one place, each time before what it wrote last, while others
have written much there that it does not know.

For each such insertion YATA steps over everything that others wrote between its two neighbours: n insertions beside n of
somebody else's took n * n steps. But an insertion steps over at least what the one before it stepped over. So a trail
remembers, for an author and a left neighbour, before which of the author's units the next insertion goes.

1. A trail is valid until somebody with a greater name writes behind the same left neighbour and stands before that unit.
   A unit of a lesser name is stepped over like the rest, and with it everything that is written behind it.
2. That the author knows nothing of the units in between is remembered together with what it knew then; it is valid until
   the author knows more.
3. A trail changes no result. When others push it out of memory, the next search makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import Unit

TRAILS_MAX: Final = 64  # of one text: so many authors write at once where others did


@dataclass(slots=True)
class _Trail:
    right: Unit  # the author's unit before which its next one goes
    view: View | None  # what the author knew; None where nobody says that


class View:
    """What the author of a change knew: compared with what it knew at another one."""

    __slots__ = ("_dot", "_past", "_seen")

    def __init__(self, dot: Dot, past: Mapping[bytes, int]) -> None:
        self._dot, self._past = dot, past
        self._seen: dict[bytes, int] | None = None  # the past but its own; others go on to change that

    def keep(self) -> View:
        """Return it as what is remembered."""
        if self._seen is None:
            self._seen = {**self._past, self._dot[0][-NAME_BYTES:]: 0}
        return self

    def is_of(self, other: View) -> bool:
        """Tell whether another change of the same author, which is remembered, knew the same of all others."""
        return self._dot == other._dot or self.keep()._seen == other._seen


class Trails:
    """The trails of one text; :meth:`before` looks one up, and :meth:`placed` keeps them."""

    __slots__ = ("_at", "_of", "view")

    def __init__(self) -> None:
        self._of: dict[tuple[int, Unit], _Trail] = {}  # by author and left neighbour, the one used last at the end
        self._at: dict[Unit, set[int]] = {}  # by left neighbour: whose there are
        self.view: View | None = None  # of the edit that is being made

    def __bool__(self) -> bool:
        return bool(self._of)

    def before(self, own: int, left: Unit) -> Unit | None:
        """Return the unit before which what an author writes next behind a left neighbour goes, if that is known."""
        trail = self._of.get((own, left))
        return None if trail is None else trail.right

    def is_next(self, own: int, left: Unit, right: Unit) -> bool:
        """Tell whether it is known that a unit stands directly after another one in what the edit's author knows."""
        trail = self._of.get((own, left))
        if trail is None or trail.right != right or trail.view is None or self.view is None:
            return False
        return self.view.is_of(trail.view)

    def placed(self, order: Order, names: Sequence[bytes], own: int, left: Unit, first: Unit, *, passed: bool) -> None:
        """
        Note that an author's units were put in their place.

        Args:
            order, names: Of the text.
            own: The author's index.
            left: What they were written behind.
            first: The first one.
            passed: Whether something stands between the two.
        """
        if not passed and left not in self._at:  # nearly always
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
        """Forget an author's: it came to know something that goes by another name."""
        for author, left in [each for each in self._of if each[0] == own]:
            self._drop(author, left)

    def clear(self) -> None:
        """Forget all: the names' indices are others."""
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
