"""The virtual clock: one heap of what is to happen, in order of time, and of two at one time in the order of asking."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from edda_sync.simulations.violation import Violation

EVENTS_MAX: Final = 200_000  # a run that is not over by then never ends


class Clock:
    """
    Virtual time. Plan with :meth:`at` and :meth:`later`, then let it happen with :meth:`run_until`.

    Attributes:
        now: Seconds since the run began; it moves to the time of what happens, and costs nothing.
        planned: How many things were planned so far.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.planned = 0
        self._heap: list[tuple[float, int, Callable[[], object]]] = []

    def at(self, due: float, work: Callable[[], object]) -> None:
        """Let something happen at a time; at once, after what is due now, if that has passed."""
        self.planned += 1
        heapq.heappush(self._heap, (max(due, self.now), self.planned, work))

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Let something happen after a while."""
        self.at(self.now + delay_s, work)

    def step(self, until: float) -> bool:
        """
        Let the next thing happen.

        Returns:
            Whether there was one before ``until``; else that is the time now.

        Raises:
            Violation: There were ``EVENTS_MAX``, and there is no end.
        """
        if not self._heap or self._heap[0][0] > until:
            self.now = max(self.now, until)
            return False
        self.now, _, work = heapq.heappop(self._heap)
        if self.planned > EVENTS_MAX:
            raise Violation(0, "the network", f"{EVENTS_MAX:,} events, and no end")
        work()
        return True

    def run_until(self, until: float, is_so: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen up to a time, or until something is so."""
        while not is_so() and self.step(until):
            pass
