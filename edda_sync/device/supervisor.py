"""
The tasks of a running device: duties that no fault ends, and a bug that ends the device.

A fault of the disk, of another process or of a peer is a thing of every day: the duty that met it is tried again (see
``duties``). A bug is not, nor is a store whose file was taken away: nobody is to believe that a device still does what it
does no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from edda_sync.device.duties import Duties
from edda_sync.words.errors import EddaError


class Supervisor:
    """
    Runs a device's tasks for as long as its context lasts; leaving it ends them, and raises the bug that ended one.

    A bug cancels the task that entered the context, as in ``asyncio.TaskGroup``. Call :meth:`closing` before whatever
    is to be done in order on the way out.

    Args:
        on_fault: Called with a fault that is news, for a person.
        on_damage: Called with what is to be made anew from the log.
    """

    def __init__(self, on_fault: Callable[[str], None], on_damage: Callable[[str], None]) -> None:
        self._on_fault, self._on_damage = on_fault, on_damage
        self._duties = Duties()
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

    @property
    def fault(self) -> str:
        """The latest fault that still holds, for a person; empty for none."""
        return self._duties.fault

    def closing(self) -> None:
        """Cancel the owner no more: it is on its way out."""
        self._closing = True

    def start(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        """Run something once, beside all else."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(
        self, duty: str, work: Callable[[], Awaitable[None]], *, due: asyncio.Event | None = None, pause_s: float = 0.0
    ) -> None:
        """
        Do a duty again and again, whatever faults it meets.

        Args:
            duty: Its name.
            work: Does it once.
            due: Set whenever there is something to do; None for always.
            pause_s: How long to wait after each time, in seconds.
        """
        self.start(self._keep(duty, work, due, pause_s))

    def failed(self, duty: str, error: EddaError) -> float:
        """Do what is to be done about a fault; return when to try again, in seconds."""
        retry = self._duties.failed(duty, error)
        if retry.is_news:
            self._on_fault(str(error))
        if retry.damaged:
            self._on_damage(retry.damaged)
        return retry.delay_s

    def worked(self, duty: str) -> None:
        """Forget a duty's fault."""
        self._duties.worked(duty)

    def fail(self, bug: BaseException) -> None:
        """End everything over a bug, or over what no further try mends."""
        if self._bug is None:
            self._bug = bug
            if self._owner is not None and not self._closing:
                self._cancelled_owner = self._owner.cancel()

    async def _keep(
        self, duty: str, work: Callable[[], Awaitable[None]], due: asyncio.Event | None, pause_s: float
    ) -> None:
        while True:
            if due is not None:
                await due.wait()
                due.clear()
            try:
                await work()
            except EddaError as error:
                await asyncio.sleep(self.failed(duty, error))
                if due is not None:
                    due.set()
            else:
                self.worked(duty)
                await asyncio.sleep(pause_s)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, EddaError):
            self.failed("a task", error)
        elif error is not None:
            self.fail(error)
