"""
The tasks of a running device: a fault in one of them is an event, and a bug in one ends the device.

A fault of the disk, of another process or of a peer is normal, and the steward decides what follows. A bug is not normal,
and neither is a store whose file was taken away: nobody should believe that the device still does what it has stopped doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from edda_sync.words.errors import EddaError


class Supervisor:
    """
    Runs a device's tasks as long as its context lasts. Leaving the context ends them, and raises the bug that ended one.

    A bug cancels the task that entered the context, as in ``asyncio.TaskGroup``. Call :meth:`closing` before the steps that
    must be done in order when the device ends.

    Args:
        on_fault: Called with a fault that ended a task.
    """

    def __init__(self, on_fault: Callable[[EddaError], None]) -> None:
        self._on_fault = on_fault
        self._tasks: set[asyncio.Task[Any]] = set()
        self._owner: asyncio.Task[Any] | None = None
        self._cancelled_owner = False
        self._closing = False
        self._bug: BaseException | None = None

    async def __aenter__(self) -> Supervisor:
        self._owner = asyncio.current_task()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.closing()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._cancelled_owner and self._owner is not None:
            self._owner.uncancel()
        if self._bug is not None:
            raise self._bug

    def closing(self) -> None:
        """Do not cancel the owner any more, because it is already closing."""
        self._closing = True

    def start(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        """Start a task."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def fail(self, bug: BaseException) -> None:
        """End the device over a bug, or over a fault that no further try can mend."""
        if self._bug is None:
            self._bug = bug
            if self._owner is not None and not self._closing:
                self._cancelled_owner = self._owner.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, EddaError):
            self._on_fault(error)
        elif error is not None:
            self.fail(error)
