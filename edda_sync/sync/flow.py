"""
Flow: how much of files is asked of one peer at a time, so that nothing else waits long behind it.

The bytes that are under way fill the link, and a change that is sent meanwhile comes after them. So as many bytes are under
way as arrive within ``FILE_WINDOW_S``: while answers come sooner than that, the window grows by what has arrived, which
doubles it in each round; while they come later, it shrinks in the same proportion.

Source: Shalunov et al., "Low Extra Delay Background Transport (LEDBAT)" (RFC 6817), section 2.4, without its one-way clocks:
here the asking side both sets the window and measures.
"""

from __future__ import annotations

from math import inf

from edda_sync.words import limits


class Flow:
    """
    What is asked of one peer and not yet answered. Times are monotonic seconds.

    Attributes:
        window: How many bytes may be under way.
        size: How many bytes are.
    """

    def __init__(self) -> None:
        self.window = limits.FILE_WINDOW_BYTES_MIN
        self.size = 0
        self._asked: dict[tuple[bytes, int], tuple[int, float]] = {}  # by chunk and place: how much, and when
        self._heard = 0.0
        self._soonest_s = inf  # the shortest time that an answer took: what does not depend on the window

    def room(self, left: int) -> int:
        """Return how much of a chunk of which ``left`` bytes are to be asked for may be asked now; 0 for nothing."""
        most = min(max(self.window // 4, limits.FILE_SLICE_BYTES_MIN), limits.FILE_SLICE_BYTES_MAX, left)
        is_full = len(self._asked) >= limits.FILE_ASKS_MAX or self.size + most > self.window
        return 0 if is_full else most

    def asked(self, chunk: bytes, at: int, size: int, now: float) -> None:
        """Note a question."""
        if not self._asked:
            self._heard = now
        self._asked[chunk, at] = size, now
        self.size += size

    def answered(self, chunk: bytes, at: int, now: float) -> int | None:
        """Note an answer; return how much was asked for. None if it was not asked for."""
        size, asked_s = self._asked.pop((chunk, at), (None, 0.0))
        if size is None:
            return None
        self._heard = now
        self.size -= size
        took_s = now - asked_s
        self._soonest_s = min(self._soonest_s, took_s)
        share = max(-1.0, 1 - (took_s - self._soonest_s) / limits.FILE_WINDOW_S)
        grown = int(self.window + share * size)
        self.window = min(max(grown, limits.FILE_WINDOW_BYTES_MIN), limits.FILE_WINDOW_BYTES_MAX)
        return size

    def awaits(self, chunk: bytes) -> bool:
        """Tell whether anything is asked of a chunk."""
        return any(name == chunk for name, _ in self._asked)

    def lacked(self, chunk: bytes, now: float) -> bool:
        """Note that the peer does not have a chunk; tell whether it was asked for it."""
        places = [at for name, at in self._asked if name == chunk]
        for at in places:
            self.size -= self._asked.pop((chunk, at))[0]
            self._heard = now
        return bool(places)

    def silent_at(self) -> float | None:
        """Return when the peer is not waited for any more, unless it answers; None while nothing is asked."""
        return self._heard + limits.FILE_ANSWER_S if self._asked else None
