"""Rates: how fast a peer may bring what costs this device something. Too much is delayed, and never refused."""

from __future__ import annotations

from collections import Counter

from edda_sync.words import limits


class Rate:
    """
    How often something may be done within a window. Ask :meth:`allows` each time, in order, or :meth:`trial`.

    Args:
        most: How often.
        window_s: The length of a window in seconds.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most, self._window_s = most, window_s
        self._since: dict[bytes, tuple[float, int]] = {}  # by key: the start of the window, and how often since

    def allows(self, key: bytes, now: float, times: int = 1) -> bool:
        """
        Tell whether it may be done now; if so, count it.

        Args:
            key: What is counted by itself, such as a device's signing key.
            now: Monotonic time in seconds.
            times: How much it counts.
        """
        allowed = self.left(key, now) > 0
        if allowed:
            self.count(key, times, now)
        return allowed

    def trial(self, now: float) -> Trial:
        """Return a trial, which tells whether it may be done now, and counts it after it was done."""
        return Trial(self, now)

    def left(self, key: bytes, now: float) -> int:
        """Return how often it may still be done in this window."""
        since, count = self._since.get(key, (now, 0))
        return self._most - count if now < since + self._window_s else self._most

    def count(self, key: bytes, times: int, now: float) -> None:
        """Count that it was done."""
        since, count = self._since.get(key, (now, 0))
        if now >= since + self._window_s:
            since, count = now, 0
        if key not in self._since:
            self._since = {known: each for known, each in self._since.items() if now < each[0] + self._window_s}
        self._since[key] = since, count + times

    def ends(self, key: bytes, now: float) -> float:
        """Return when this window ends; if there is none, one that begins now."""
        since = self._since.get(key, (now, 0))[0]
        return (since if now < since + self._window_s else now) + self._window_s


class Trial:
    """
    Asks for one transaction how often something may be done, for each key. Call :meth:`done` after the transaction.

    If the transaction fails, for instance because the disk is full, nothing is counted: it will be tried again.

    Attributes:
        again_s: When what was refused may be done; None when nothing was refused.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._now = rate, now
        self._tried = Counter[bytes]()
        self.again_s: float | None = None

    def __call__(self, key: bytes) -> bool:
        """Tell whether it may be done once more."""
        if self._tried[key] >= self._rate.left(key, self._now):
            self.again_s = self._rate.ends(key, self._now)
            return False
        self._tried[key] += 1
        return True

    def done(self) -> None:
        """Count what was allowed, because it was done."""
        for key, times in self._tried.items():
            self._rate.count(key, times, self._now)


class Rates:
    """
    What one peer brought lately, in this session and before.

    Attributes:
        births: Lives, by the key of the device.
        proofs: Fork proofs, by the key that signed both branches; each proof makes entities be folded again.
        scans: Scans of the whole store, to find what differs.
        pieces: Pieces of chains that were told because of what the peer said.
        expanded: Bytes that data frames expanded to, beyond what is normal.
        asks, answers: Questions for missing evidence, ours and the peer's; each concerns all evidence.
    """

    def __init__(self) -> None:
        self.births = Rate(limits.BIRTHS_MAX, limits.BIRTHS_WINDOW_S)
        self.proofs = Rate(limits.PROOFS_MAX, limits.PROOFS_WINDOW_S)
        self.scans = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
        self.pieces = Rate(limits.PIECES_MAX, limits.PIECES_WINDOW_S)
        self.expanded = Rate(limits.EXPANDED_BYTES_MAX, limits.EXPANDED_WINDOW_S)
        self.asks = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
        self.answers = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
