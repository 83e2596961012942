"""
Time from left to right, stretched where much happens and squeezed where nothing does.

A distance between two things that happen one after the other grows with the logarithm of the time between them: a week is
a few times as wide as a second, and a frame that takes 80 ms is seen to take its time. Long gaps are drawn as breaks.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

FINEST_S: Final = 0.05  # below this, distances are nearly in proportion
BREAK_S: Final = 45.0  # a longer gap is a break
MOMENT_S: Final = 0.0005  # what is closer than this is one moment


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing happened."""

    start: float
    end: float


class Scale:
    """
    Where a time is, from left to right.

    Args:
        times: When something happened, in any order.
        left, right: Where the first and the last of them are.
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
        """Return where a time is."""
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
        """Return times to name on the axis, at least so far apart: where something happens after the longest waits."""
        waits = sorted(
            range(1, len(self._times)), key=lambda index: (self._times[index - 1] - self._times[index], index)
        )
        chosen = [self._times[0]]
        for index in waits:
            place = self._places[index]
            if all(abs(place - self(other)) >= apart for other in chosen):
                chosen.append(self._times[index])
        return sorted(chosen)
