"""
The lookout of a running device: checks ten times a second whether the store has changed without this device being told.

Usually it has not. So the check is a timer of the event loop that calls a plain function. A task that woke up for each check
would go round the event loop twice, which costs more than the check. After it noticed something, the lookout stops until it
is started again; the steward orders what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edda_sync.words import limits


class Lookout:
    """
    Checks every ``WATCH_INTERVAL_S`` after :meth:`begin`, until it notices something or until :meth:`end`.

    Args:
        is_quiet: Tells whether nothing has changed.
        noticed: Called when something has changed, or when the check failed; then :meth:`check` raises the error.
    """

    def __init__(self, is_quiet: Callable[[], bool], noticed: Callable[[], None]) -> None:
        self._is_quiet, self._noticed = is_quiet, noticed
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None

    def begin(self) -> None:
        """Start to check. The running event loop calls the checks."""
        self.end()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(limits.WATCH_INTERVAL_S, self._look)

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
                self._timer = self._loop.call_later(limits.WATCH_INTERVAL_S, self._look)
                return
        except Exception as failure:  # noqa: BLE001 - the steward decides about any error
            self._failure = failure
        self._noticed()
