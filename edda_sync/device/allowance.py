"""An allowance: how often something may be done, in bursts and in the long run."""

from __future__ import annotations


class Allowance:
    """
    So many times at once, and as many again within each window: call :meth:`take` before each time.

    Args:
        most: How many times at once; at least 1.
        window_s: How long it takes until all of them may be taken again, in seconds.

    Source: the token bucket of RFC 2697, with one token for each time.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most, self._window_s = most, window_s
        self._left = float(most)
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Return whether it may be done once more, and count it; ``now_s`` is monotonic."""
        self._left = min(self._most, self._left + max(0.0, now_s - self._at_s) * self._most / self._window_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
