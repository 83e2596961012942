"""
Interrupts for tests: Ctrl-C at each possible place.

CPython looks for signals at the beginning of a Python function, right after a call of C, and at the ends of loops: a
signal's handler raises there. A profiler is called at the first two of these places as well, and its error is raised there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


def interrupted(work: Callable[[], object], number: int) -> str | None:
    """Do some work with an interrupt at the n-th place; return the place, or None if there are fewer."""
    interrupt = _Interrupt(number)
    with suppress(KeyboardInterrupt):
        sys.setprofile(interrupt)
        try:
            work()
        finally:
            sys.setprofile(None)
    return interrupt.place


class _Interrupt:
    def __init__(self, number: int) -> None:
        self._left = number + 1  # the first place is where the work begins
        self.place: str | None = None

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event in ("call", "c_return") and frame.f_code.co_filename != __file__:
            self._left -= 1
            if self._left == 0:
                sys.setprofile(None)
                self.place = f"{event} in {frame.f_code.co_qualname}, line {frame.f_lineno}"
                raise KeyboardInterrupt
