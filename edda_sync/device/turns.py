"""
Turns: a replica that several threads use, one at a time, and what it says, carried out on the event loop in that order.

A thread that has committed takes its turn itself where the replica is free, and waits for nobody: so what was written is on
its way after one change of thread. All else takes turns on a thread of its own, so that a commit that waits for the disk
holds up neither the network nor anybody else's reading.
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
from edda_sync.sync.effects import Effect
from edda_sync.sync.progress import Progress
from edda_sync.sync.replica import Replica
from edda_sync.words.errors import is_bug

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What came of one turn.

    Attributes:
        effects: What the replica said, in order.
        progress: How it stands with each peer.
        deadline: When its timers are due; None for never.
        told: The last own change of which the peers were told, where that was what the turn was for.
    """

    effects: list[Effect]
    progress: dict[str, Progress]
    deadline: float | None
    told: Dot | None = None


class Turns:
    """
    The turns of one replica. Make it on the event loop; :meth:`end` it last.

    Args:
        carry_out: Called on the event loop with what came of each turn, in order.
    """

    def __init__(self, carry_out: Callable[[Turn], None]) -> None:
        self._carry_out = carry_out
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "edda-replica")
        self._taken = threading.Lock()
        self.replica: Replica

    async def run(self, work: Callable[[], T]) -> T:
        """Run something on the replica's thread, between its turns."""
        return await self._loop.run_in_executor(self._thread, work)

    async def drive(self, work: Callable[[Replica, float], list[Effect] | None]) -> None:
        """Let the replica do something; what it says is carried out when this returns."""

        def turn() -> None:
            with self._taken:
                self._turn(work, None)

        await self.run(turn)

    def drive_here(self, work: Callable[[Replica, float], list[Effect] | None], told: Dot) -> bool:
        """
        Let the replica do something on the calling thread, if it is free.

        Args:
            work: What.
            told: Of what the peers are told by it.

        Returns:
            Whether it did, and met no fault: else whoever is to do it then meets that. On the main thread it never does,
            since a signal could end it midway.
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
        """Let go of the thread."""
        self._thread.shutdown()

    def _turn(self, work: Callable[[Replica, float], list[Effect] | None], told: Dot | None) -> None:
        effects = work(self.replica, time.monotonic()) or []
        turn = Turn(effects, self.replica.progress(), self.replica.next_deadline(), told)
        self._loop.call_soon_threadsafe(self._carry_out, turn)  # before anybody else's turn begins
