"""
The lookout of a running device: whether anything has happened to the store that nobody tells of, ten times a second.

Nearly always nothing has. So it is a timer of the event loop that calls a plain function: a task that wakes up for each look
goes round the loop twice, which costs more than the look. Once it has noticed something it looks no more, until it is
told to: the steward orders what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from edda_sync.words import limits


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Let it not happen."""
        ...


CallLater = Callable[[float, Callable[[], None]], Timer]
"""Calls a function after so many seconds."""


def _by_the_running_loop(delay_s: float, function: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, function)


class Lookout:
    """
    Looks every ``WATCH_INTERVAL_S`` from :meth:`begin` on, until there is something to notice or :meth:`end`.

    Args:
        is_quiet: Tells whether all is as it was.
        noticed: Called when it is not, or when that could not be told: :meth:`check` raises why.
        call_later: Calls a function after so many seconds, unless what it returns is cancelled; by default, the event loop
            that runs then does.
    """

    def __init__(
        self, is_quiet: Callable[[], bool], noticed: Callable[[], None], call_later: CallLater = _by_the_running_loop
    ) -> None:
        self._is_quiet, self._noticed, self._call_later = is_quiet, noticed, call_later
        self._timer: Timer | None = None
        self._failure: Exception | None = None

    def begin(self) -> None:
        """Look from now on."""
        self.end()
        self._timer = self._call_later(limits.WATCH_INTERVAL_S, self._look)

    def check(self) -> None:
        """Raise what went wrong in the last look, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        try:
            if self._is_quiet():
                self._timer = self._call_later(limits.WATCH_INTERVAL_S, self._look)
                return
        except Exception as failure:  # noqa: BLE001 - whichever it is: the steward knows what to do
            self._failure = failure
        self._noticed()
