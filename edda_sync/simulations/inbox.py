"""Frames that a slow device has not come to: it takes one after another, each after its pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Inbox:
    """
    What arrived at a device and is not taken yet.

    Args:
        later: Lets something happen after so many seconds.
        take: Does something as soon as the device is awake.

    Attributes:
        pace_s: How long the device takes over each frame.
    """

    def __init__(
        self, later: Callable[[float, Callable[[], None]], None], take: Callable[[Callable[[], None]], None]
    ) -> None:
        self.pace_s = 0.0
        self._later, self._take = later, take
        self._waiting: deque[Callable[[], None]] = deque()
        self._taking = False

    def add(self, deal: Callable[[], None]) -> None:
        """Let a frame be dealt with in its turn."""
        self._waiting.append(deal)
        self._go_on()

    def hurry(self) -> None:
        """Be as fast as ever."""
        self.pace_s = 0.0
        self._go_on()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _go_on(self) -> None:
        while self._waiting and not self.pace_s:
            self._take(self._waiting.popleft())
        if self._waiting and not self._taking:
            self._taking = True
            self._later(self.pace_s, self._take_slowly)

    def _take_slowly(self) -> None:
        self._taking = False
        if self._waiting:
            self._take(self._waiting.popleft())
        self._go_on()
