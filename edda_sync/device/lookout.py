"""
The lookout of a running device: checks ten times a second whether the store has changed without this device being told.

Usually it has not. So the check is a timer of the event loop that calls a plain function. A task that woke up for each check
would go round the event loop twice, which costs more than the check. After it noticed something, the lookout stops until it
is started again; the steward orders what follows.
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
    Checks every ``WATCH_INTERVAL_S`` after :meth:`begin`, until it notices something or until :meth:`end`.

    Args:
        is_quiet: Tells whether nothing has changed.
        noticed: Called when something has changed, or when the check failed; then :meth:`check` raises the error.
        call_later: Calls a function after a number of seconds, unless what it returns is cancelled. By default, the
            running event loop does.
    """

    def __init__(
        self, is_quiet: Callable[[], bool], noticed: Callable[[], None], call_later: CallLater = _by_the_running_loop
    ) -> None:
        self._is_quiet, self._noticed, self._call_later = is_quiet, noticed, call_later
        self._timer: Timer | None = None
        self._failure: Exception | None = None

    def begin(self) -> None:
        """Start to check."""
        self.end()
        self._timer = self._call_later(limits.WATCH_INTERVAL_S, self._look)

    def check(self) -> None:
        """Raise the error of the last check, once."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def end(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        try:
            if self._is_quiet():
                self._timer = self._call_later(limits.WATCH_INTERVAL_S, self._look)
                return
        except Exception as failure:  # noqa: BLE001 - the steward decides about any error
            self._failure = failure
        self._noticed()
