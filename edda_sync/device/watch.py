"""What wakes the tasks of a running device that wait for a change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes the tasks that wait for a change, on one event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._next: asyncio.Future[None] | None = None

    def told(self) -> None:
        """Signal that something has changed."""
        self.count += 1
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. It is checked now, and after each change."""
        while not condition():
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)  # shielded, because others wait for it too
