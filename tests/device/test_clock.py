from __future__ import annotations

import asyncio
import time

import pytest

from edda_sync.device import clock
from edda_sync.words.limits import CLOCKS_APART_S


class Desk:
    """A machine whose clock people set; it ends after its script."""

    def __init__(self, *walls: float) -> None:
        self._walls = list(walls)  # the wall time at each look, in seconds; one second passes between two
        self.told: list[float] = []
        self.passed = 0.0

    def wall_s(self) -> float:
        return self._walls[int(self.passed)]

    async def pause(self, _seconds: float) -> None:
        self.passed += 1
        if self.passed == len(self._walls):
            raise asyncio.CancelledError

    async def watched(self) -> list[float]:
        with pytest.raises(asyncio.CancelledError):
            await clock.watch(
                lambda: self.told.append(self.passed),
                wall_s=self.wall_s, passed_s=lambda: self.passed, pause=self.pause,
            )  # fmt: skip
        return self.told


async def test_a_clock_that_only_goes_on_is_no_news() -> None:
    assert await Desk(100, 101, 102, 103).watched() == []


async def test_each_time_that_the_clock_was_set_is_told_once() -> None:
    assert await Desk(100, 10_901, 10_902, 10_903, 104, 105).watched() == [1, 4]


async def test_small_steps_are_told_when_they_add_up() -> None:
    step = CLOCKS_APART_S * 0.6
    assert await Desk(0, 1, 2 + step, 3 + step, 4 + 2 * step, 5 + 2 * step).watched() == [4]


def test_the_clock_that_nobody_sets_goes_on_while_the_machine_sleeps() -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no such clock")
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= clock._passed_s() <= time.clock_gettime(time.CLOCK_BOOTTIME)
