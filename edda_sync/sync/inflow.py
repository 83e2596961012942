"""Inflow: frames of data that become much more than themselves, and how fast one peer may bring these."""

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
        codec: Tells how much a frame becomes.
        rates: How much this peer brought lately.
        timers: Of the talk; ``expand`` says when :meth:`ready` is to be asked.
        is_busy: Whether a frame before these is not taken whole yet.
        is_held: Whether no data may be taken now, of whomever it is.
        is_asked_for: Whether all that comes was asked for: a log behind a segment that comes so slowly would be given up.
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
        self._is_ordered = False  # whether not only data waits: what was said after that is heard after it

    def waits(self, frame: bytes, peer: str, now: float, *, is_data: bool = True) -> bool:
        """
        Tell whether a frame has to wait, and keep it then.

        All waits for data that is not taken whole yet, or may not be taken now: what is said later is said of what is in it.
        For frames that may not be expanded yet only data waits.

        Raises:
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
            raise RemoteProtocolError("it goes on to send, and waits for nobody to take it", peer)
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether any wait."""
        return bool(self._frames)

    def ready(self, now: float) -> Iterator[bytes]:
        """Yield the frames that waited, as many as may be taken now."""
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
