"""Turns: callers of an invitation are heard one at a time, and nobody can take all the time by calling often."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator


class Turns:
    """
    One caller at a time has its turn: ``async with turns.of(network)``.

    Next is a caller of the network that has had the fewest turns; of several such callers, the one that came first.
    """

    def __init__(self) -> None:
        self._taken = False
        self._had: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def of(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it as long as the context lasts."""
        if self._taken:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((network, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if (network, turn) in self._waiting:
                    self._waiting.remove((network, turn))
                else:  # its turn had just come
                    self._pass_on()
                raise
        self._taken = True
        self._had[network] += 1
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        self._taken = bool(self._waiting)  # it stays taken until the next one goes on
        if self._waiting:
            following = min(self._waiting, key=lambda each: self._had[each[0]])
            self._waiting.remove(following)
            following[1].set_result(None)
