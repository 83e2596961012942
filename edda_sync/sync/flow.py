"""Flow: how much of files is asked of one peer at a time, so that nothing else waits long behind it."""

from __future__ import annotations

from edda_sync.sync.window import Window
from edda_sync.words import limits


class Flow:
    """
    What is asked of one peer and not yet answered. Times are monotonic seconds.

    Attributes:
        size: How many bytes are under way.
    """

    def __init__(self) -> None:
        self._window = Window(limits.FILE_WINDOW_BYTES_MIN, limits.FILE_WINDOW_BYTES_MAX)
        self.size = 0
        self._asked: dict[tuple[bytes, int], tuple[int, float]] = {}  # by chunk and place: how much, and when
        self._heard = 0.0

    @property
    def window(self) -> int:
        """How many bytes may be under way."""
        return self._window.size

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
        self._window.answered(size, now - asked_s)
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
