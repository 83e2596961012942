"""Under way: the data frames that one peer was sent and has not acknowledged yet, which are bounded."""

from __future__ import annotations

from collections import deque

from edda_sync.sync.window import Window
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class UnderWay:
    """
    The data frames to one peer.

    Attributes:
        sent: How many were sent.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._frames: deque[tuple[int, float]] = deque()  # the size of each frame, and when it was sent
        self._window = Window(limits.FILE_WINDOW_BYTES_MIN, limits.WINDOW_BYTES_MAX)

    def has_room(self, *, for_parts: bool) -> bool:
        """
        Tell whether more may be under way.

        Args:
            for_parts: Whether parts of a large change are being sent; then only as much as arrives soon may be.
        """
        most = min(self._window.size, limits.WINDOW_BYTES_MAX) if for_parts else limits.WINDOW_BYTES_MAX
        return sum(size for size, _ in self._frames) < most

    def note(self, size: int, now: float) -> None:
        """Note that a frame was sent, with its size in bytes, and when."""
        self._frames.append((size, now))
        self.sent += 1

    def acknowledged(self, frames: int, now: float) -> None:
        """
        Note how many frames the peer has dealt with.

        Args:
            frames: How many of all that it was sent.
            now: Monotonic time in seconds.

        Raises:
            RemoteProtocolError: They are more than it was sent.
        """
        if frames > self.sent:
            raise RemoteProtocolError(f"an acknowledgement of {frames:,} frames when {self.sent:,} were sent")
        while self._frames and len(self._frames) > self.sent - frames:
            size, sent_s = self._frames.popleft()
            self._window.answered(size, now - sent_s)
