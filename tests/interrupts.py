"""
Interrupts for tests: Ctrl-C at each place where one may come.

CPython looks for signals where a Python function begins, and right after a call of C (beside the ends of loops): there a
signal's handler raises. A profiler is called in these two places as well, and what it raises is raised there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


def interrupted(work: Callable[[], object], number: int) -> str | None:
    """Do some work, with an interrupt in the place of that number; return the place, or None where there are fewer."""
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
