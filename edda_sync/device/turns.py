"""
Turns: several threads use one replica, one at a time. The effects of each turn are carried out on the event loop, in order.

A thread that has committed takes its turn itself if the replica is free. So what was written is sent after one change of
threads. All other turns run on a thread of their own, so that a commit that waits for the disk blocks neither the network
nor other readers.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from edda_sync.crdt.frontier import Dot
from edda_sync.sync.effects import Effect, Errand, Work
from edda_sync.sync.progress import Progress
from edda_sync.sync.replica import Replica
from edda_sync.words.errors import is_bug

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """
    The result of one turn.

    Attributes:
        effects: The replica's effects, in order.
        progress: The progress of each session, by peer.
        deadline: When the replica's timers are due; None for never.
        told: The last own change that the peers were told of, if that was the purpose of the turn.
    """

    effects: list[Effect]
    progress: dict[str, Progress]
    deadline: float | None
    told: Dot | None = None


class Turns:
    """
    The turns of one replica. Make it on the event loop, and call :meth:`end` last.

    Args:
        carry_out: Called on the event loop with the result of each turn, in order.

    Attributes:
        replica: The replica, which whoever makes it sets.
        large: The peer with whom something large is exchanged beside the turns; None for none.
    """

    def __init__(self, carry_out: Callable[[Turn], None]) -> None:
        self._carry_out = carry_out
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "edda-replica")
        self._taken = threading.Lock()
        self.replica: Replica
        self.large: str | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Run something on the replica's thread, between its turns."""
        return await self._loop.run_in_executor(self._thread, work)

    async def drive(self, work: Callable[[Replica, float], list[Effect] | None]) -> None:
        """Run a turn of the replica. Its effects are carried out when this returns."""

        def turn() -> None:
            with self._taken:
                self._turn(work, None)

        await self.run(turn)

    async def work(self, work: Work) -> None:
        """Run long work on a thread of its own, beside the turns, and take its result in a turn."""

        def run() -> None:  # to its end, even if nobody waits for it any more
            self.large = work.peer
            try:
                work.run()
            finally:
                self.large = None

        await asyncio.to_thread(run)
        await self.drive(lambda replica, now: replica.worked(work, now))

    async def errand(self, errand: Errand) -> None:
        """Run an errand on a thread of its own, beside the turns, and take its result in a turn."""
        await asyncio.to_thread(errand.run)
        await self.drive(lambda replica, now: replica.ran(errand, now))

    def drive_here(self, work: Callable[[Replica, float], list[Effect] | None], told: Dot) -> bool:
        """
        Run a turn of the replica on the calling thread, if the replica is free.

        Args:
            work: The turn.
            told: The last own change that the turn tells the peers of.

        Returns:
            Whether the turn ran without a fault. If not, the caller must have it done elsewhere, where the fault is
            handled. It never runs on the main thread, because a signal could end it midway.
        """
        if threading.current_thread() is threading.main_thread() or not self._taken.acquire(blocking=False):
            return False
        try:
            self._turn(work, told)
        except BaseException as error:
            if not is_bug(error):
                raise
            return False
        finally:
            self._taken.release()
        return True

    def end(self) -> None:
        """Stop the thread."""
        self._thread.shutdown()

    def _turn(self, work: Callable[[Replica, float], list[Effect] | None], told: Dot | None) -> None:
        effects = work(self.replica, time.monotonic()) or []
        turn = Turn(effects, self.replica.progress(), self.replica.next_deadline(), told)
        self._loop.call_soon_threadsafe(self._carry_out, turn)  # before anybody else's turn begins
