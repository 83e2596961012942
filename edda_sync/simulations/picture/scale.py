"""
The scale of time from left to right, stretched where much happens and compressed where nothing does.

The distance between two consecutive events grows with the logarithm of the time between them: a week is a few times as wide
as a second, and a frame that takes 80 ms is visibly slanted. Long gaps are drawn as breaks.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

FINEST_S: Final = 0.05  # below this, distances are nearly proportional
BREAK_S: Final = 45.0  # a longer gap is drawn as a break
MOMENT_S: Final = 0.0005  # events that are closer than this happen at one moment


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing happens."""

    start: float
    end: float


class Scale:
    """
    The place of each time, from left to right.

    Args:
        times: The times of events, in any order.
        left, right: The places of the first and the last event.
    """

    def __init__(self, times: Iterable[float], left: float, right: float) -> None:
        self._times: list[float] = []
        for at in sorted(times):
            if not self._times or at - self._times[-1] > MOMENT_S:
                self._times.append(at)
        reached = [0.0]
        for before, after in pairwise(self._times):
            reached.append(reached[-1] + math.log1p((after - before) / FINEST_S))
        width = (right - left) / (reached[-1] or 1.0)
        self._places = [left + each * width for each in reached]
        self.left, self.right = left, right

    def __call__(self, at: float) -> float:
        """Return the place of a time."""
        index = max(0, bisect_right(self._times, at) - 1)
        if at <= self._times[0] or index == len(self._times) - 1:
            return self._places[index]
        before, after = self._times[index : index + 2]
        share = (at - before) / (after - before)
        return self._places[index] + share * (self._places[index + 1] - self._places[index])

    def gaps(self) -> list[Gap]:
        """Return the breaks."""
        pairs = pairwise(self._times)
        return [Gap(before, after) for before, after in pairs if after - before >= BREAK_S]

    def ticks(self, apart: float) -> list[float]:
        """Return times to name on the axis, at least ``apart`` from each other, preferably after the longest waits."""
        waits = sorted(
            range(1, len(self._times)), key=lambda index: (self._times[index - 1] - self._times[index], index)
        )
        chosen = [self._times[0]]
        for index in waits:
            place = self._places[index]
            if all(abs(place - self(other)) >= apart for other in chosen):
                chosen.append(self._times[index])
        return sorted(chosen)
