"""The virtual clock: a heap of planned events in order of time; events of the same time run in the order of planning."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from edda_sync.simulations.violation import Violation

EVENTS_MAX: Final = 500_000  # a run with more is considered endless; six devices that wait for a day have half as many


class Clock:
    """
    Virtual time. Plan events with :meth:`at` and :meth:`later`, and run them with :meth:`run_until`.

    Attributes:
        now: Seconds since the run began. It jumps to the time of each event.
        planned: How many events were planned so far.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.planned = 0
        self._heap: list[tuple[float, int, Callable[[], object]]] = []

    def at(self, due: float, work: Callable[[], object]) -> None:
        """Plan an event for a time; if that has passed, it runs right after what is due now."""
        self.planned += 1
        heapq.heappush(self._heap, (max(due, self.now), self.planned, work))

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Plan an event after a delay."""
        self.at(self.now + delay_s, work)

    def step(self, until: float) -> bool:
        """
        Run the next event.

        Returns:
            Whether there was an event before ``until``. If not, that is the time now.

        Raises:
            Violation: There were ``EVENTS_MAX`` events, so the run would never end.
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
        """Run all events up to a time, or until a condition holds."""
        while not is_so() and self.step(until):
            pass
