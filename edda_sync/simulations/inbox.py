"""The frames that a slow device has not processed yet. It takes them one after another, at its pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Inbox:
    """
    The frames that have arrived at a device and are not processed yet.

    Args:
        later: Plans an event after a number of seconds.
        take: Runs an event as soon as the device is awake.

    Attributes:
        pace_s: How long the device takes for each frame.
    """

    def __init__(
        self, later: Callable[[float, Callable[[], None]], None], take: Callable[[Callable[[], None]], None]
    ) -> None:
        self.pace_s = 0.0
        self._later, self._take = later, take
        self._waiting: deque[Callable[[], None]] = deque()
        self._taking = False

    def add(self, deal: Callable[[], None]) -> None:
        """Add the handling of a frame, to run in its turn."""
        self._waiting.append(deal)
        self._go_on()

    def hurry(self) -> None:
        """Return to full speed."""
        self.pace_s = 0.0
        self._go_on()

    def clear(self) -> None:
        """Drop the frames that wait."""
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
