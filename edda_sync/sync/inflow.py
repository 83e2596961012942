"""Inflow: data frames of one peer that wait, because of earlier data or because they expand to far more than their size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from edda_sync.sync.rates import Rates
from edda_sync.sync.timers import Timers
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Inflow:
    """
    The frames of one peer that wait until they may be taken, in the order in which they came.

    Args:
        codec: Tells to how much a frame expands.
        rates: How much this peer brought lately.
        timers: The session's; the timer ``expand`` says when to call :meth:`ready`.
        is_busy: Whether an earlier frame is not processed completely yet.
        is_held: Whether no data may be taken now, from any peer.
        is_asked_for: Whether everything that comes was asked for. Then it is not delayed, because a log behind a segment
            that comes too slowly would be given up.
    """

    def __init__(
        self,
        codec: Codec,
        rates: Rates,
        timers: Timers,
        is_busy: Callable[[], bool],
        is_held: Callable[[], bool],
        is_asked_for: Callable[[], bool],
    ) -> None:
        self._codec, self._rates, self._timers = codec, rates, timers
        self._is_busy, self._is_held, self._is_asked_for = is_busy, is_held, is_asked_for
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._is_ordered = False  # whether other frames than data wait too, so that they stay in order

    def waits(self, frame: bytes, peer: str, now: float, *, is_data: bool = True) -> bool:
        """
        Tell whether a frame has to wait; if so, keep it.

        While earlier data is not processed completely, or may not be taken now, all frames wait, because later ones refer
        to it. While data waits only because it may not be expanded yet, only other data waits.

        Raises:
            RemoteProtocolError: More frames wait than may be under way.
            RemoteProtocolError: More wait than may be under way.
        """
        is_busy = self._is_busy()
        if not is_data and not is_busy and not self._is_ordered:
            return False
        if not self._frames and not is_busy and self._may_take(frame, now):
            return False
        self._is_ordered = self._is_ordered or not is_data or is_busy or self._is_held()
        self._frames.append(frame)
        self._bytes += len(frame)
        if self._bytes > limits.WINDOW_BYTES_MAX + limits.FRAME_BYTES_MAX:
            raise RemoteProtocolError("more data than may be under way", peer)
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether any frames wait."""
        return bool(self._frames)

    def ready(self, now: float) -> Iterator[bytes]:
        """Yield the waiting frames, as many as may be taken now."""
        while self._frames and not self._is_busy() and self._may_take(self._frames[0], now):
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            self._is_ordered = self._is_ordered and bool(self._frames)
            yield frame

    def _may_take(self, frame: bytes, now: float) -> bool:
        return not self._is_held() and self._may_expand(frame, now)

    def _may_expand(self, frame: bytes, now: float) -> bool:
        excess = self._codec.excess(frame)
        if not excess or self._rates.expanded.allows(b"", now, excess) or self._is_asked_for():
            return True
        self._timers.at("expand", self._rates.expanded.ends(b"", now))
        return False
