"""Watches the clock of this machine, so that the others learn its time anew when it was set while the device runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from edda_sync.words.limits import CLOCK_POLL_S, CLOCKS_APART_S


def _passed_s() -> float:
    """Return the seconds of a clock that nobody sets; it goes on while the machine sleeps, where there is such a clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


async def watch(
    was_set: Callable[[], None],
    *,
    wall_s: Callable[[], float] = time.time,
    passed_s: Callable[[], float] = _passed_s,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """
    Call a function whenever the clock was set by more than ``CLOCKS_APART_S``, without end.

    Args:
        was_set: The function.
        wall_s: Returns the wall time in seconds since 1970.
        passed_s: Returns the seconds of a clock that nobody sets.
        pause: Waits for some seconds.
    """
    began_s = wall_s() - passed_s()
    while True:
        await pause(CLOCK_POLL_S)
        moved_s = wall_s() - passed_s() - began_s
        if abs(moved_s) > CLOCKS_APART_S:
            began_s += moved_s
            was_set()
