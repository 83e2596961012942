"""Outgoing: the frames that wait for one link, in order, and limited in size."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from edda_sync.words import limits
from edda_sync.words.errors import EddaError
from edda_sync.words.reasons import Reason

FRAME_OVERHEAD_BYTES: Final = 64  # what Python needs beside a frame's bytes: small ones add up too


class Sink(Protocol):
    """The sending side of a link."""

    def send_now(self, frame: bytes) -> bool:
        """Send a frame if none waits before it; tell whether it was sent."""
        ...

    async def send(self, frame: bytes) -> None:
        """Send a frame as soon as there is room for it."""
        ...

    async def close(self, reason: Reason) -> None:
        """Close the link for a reason, even if the peer does not read."""
        ...


class Outgoing:
    """
    The frames that wait for a link. Run :meth:`run` as a task of its own.

    A peer that sends and does not read makes answers pile up here. Above ``OUTGOING_BYTES_MAX`` the link is closed.

    Args:
        link: The link.

    Attributes:
        heard: The reason that the peer gave with its goodbye; None if it said none.
    """

    def __init__(self, link: Sink) -> None:
        self._link = link
        self.heard: str | None = None
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._is_free = False  # whether it runs, and nothing is being sent
        self._ended = False  # no more frames will be added
        self._reason = Reason.DONE
        self._over = asyncio.Event()  # no more frames will be sent
        self._wake = asyncio.Event()

    def send(self, frame: bytes) -> bool:
        """
        Send a frame, or queue it while others wait. Frames after the link's end are dropped.

        Returns:
            False if too much waits already: then the link is closed at once, and what waits is dropped.
        """
        if self._over.is_set():
            return True
        if self._is_free and not self._frames and self._link.send_now(frame):
            return True  # the usual case, one turn of the event loop earlier
        size = len(frame) + FRAME_OVERHEAD_BYTES
        if self._size + size > limits.OUTGOING_BYTES_MAX:
            self._reason = Reason.UNREAD
            self._give_up()
            return False
        self._frames.append(frame)
        self._size += size
        self._wake.set()
        return True

    def end(self, reason: Reason = Reason.DONE) -> None:
        """Close the link, for a reason, after everything that waits is sent."""
        self._reason = reason if self._reason is Reason.DONE else self._reason
        self._ended = True
        self._wake.set()

    async def run(self) -> None:
        """Send frames in order until :meth:`end`, or until the link ends or is given up; then close the link."""
        writing, over = asyncio.ensure_future(self._write()), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((writing, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._give_up()
            over.cancel()
            writing.cancel()  # it may wait for a peer that never reads
            await asyncio.gather(writing, over, return_exceptions=True)
        await self._link.close(self._reason)
        if not writing.cancelled():
            writing.result()  # a bug is raised

    async def sent(self) -> None:
        """Wait until no more frames will be sent."""
        await self._over.wait()

    def _give_up(self) -> None:
        self._frames.clear()
        self._size = 0
        self._over.set()

    async def _write(self) -> None:
        with contextlib.suppress(EddaError):  # the link has ended; its reader gets the error
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    await self._link.send(frame)
                    self._size -= len(frame) + FRAME_OVERHEAD_BYTES
                if self._ended:
                    return
                self._wake.clear()
                self._is_free = True
                await self._wake.wait()
                self._is_free = False


async def all_sent(ending: Iterable[Outgoing]) -> None:
    """Wait until the last words to some peers are sent; not for long, because a peer may not read."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limits.CLOSE_TIMEOUT_S):
            await asyncio.gather(*(each.sent() for each in ending))
