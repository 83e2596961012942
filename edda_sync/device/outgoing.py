"""What is on its way out over one link: frames in order, and never more of them than fit."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Protocol

from edda_sync.words import limits
from edda_sync.words.errors import EddaError


class Sink(Protocol):
    """A link, as far as sending goes."""

    async def send(self, frame: bytes) -> None:
        """Send a frame, once there is room for it."""
        ...

    async def close(self) -> None:
        """Close the link."""
        ...


class Outgoing:
    """
    The frames that wait for a link. Run :meth:`run` as a task of its own.

    A peer that sends and does not read makes answers pile up here: above ``OUTGOING_BYTES_MAX`` the link is given up.

    Args:
        link: Where they go.
    """

    def __init__(self, link: Sink) -> None:
        self._link = link
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._wake = asyncio.Event()

    def send(self, frame: bytes) -> bool:
        """Queue a frame; False when too much waits already: the link is then closed at once."""
        if self._size + len(frame) > limits.OUTGOING_BYTES_MAX:
            self._frames.clear()
            self.end()
            return False
        self._frames.append(frame)
        self._size += len(frame)
        self._wake.set()
        return True

    def end(self) -> None:
        """Close the link once what waits is sent."""
        self._ended = True
        self._wake.set()

    async def run(self) -> None:
        """Send frames in order until :meth:`end`, or until the link ends; then close it."""
        with contextlib.suppress(EddaError):
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    self._size -= len(frame)
                    await self._link.send(frame)
                if self._ended:
                    break
                self._wake.clear()
                await self._wake.wait()
        await self._link.close()
