"""Rates: how fast a peer may bring what costs this device something. It is delayed, and never refused: it has no limit."""

from __future__ import annotations

from collections import Counter

from edda_sync.words import limits


class Rate:
    """
    How often one thing may be done within a window. Ask :meth:`allows` each time, in order, or :meth:`trial`.

    Args:
        most: So often.
        window_s: Within so many seconds.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most, self._window_s = most, window_s
        self._since: dict[bytes, tuple[float, int]] = {}  # of what: since when, and how often

    def allows(self, key: bytes, now: float, times: int = 1) -> bool:
        """
        Tell whether it may be done once more now, and count it if so.

        Args:
            key: Of what: a device's signing key, where each device counts by itself.
            now: Monotonic time in seconds.
            times: As how much it counts.
        """
        allowed = self.left(key, now) > 0
        if allowed:
            self.count(key, times, now)
        return allowed

    def trial(self, now: float) -> Trial:
        """Return what tells whether it may be done now, and counts it once it was done."""
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
        """Return when this window ends, or one that begins now."""
        since = self._since.get(key, (now, 0))[0]
        return (since if now < since + self._window_s else now) + self._window_s


class Trial:
    """
    What is tried in one transaction: it tells of each key whether it may be done once more. Call :meth:`done` afterwards.

    What a transaction did not do after all, since the disk was full, counts for nothing: it comes again.

    Attributes:
        again_s: When what it refused may be done; None when it refused nothing.
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
        """Count what was allowed: it was done."""
        for key, times in self._tried.items():
            self._rate.count(key, times, self._now)


class Rates:
    """
    What one peer brought lately, in this talk and before it.

    Attributes:
        births: Lives, by the device's key.
        proofs: Proofs that a chain forks, by the key that signed both sides: each has entities folded anew.
        scans: Looks at all that is here, to find what differs.
        pieces: Pieces of chains that were told because of what it said.
        expanded: Bytes that frames of data became, beyond what honest ones do.
        asks, answers: Questions what evidence is lacking here or there, each of which concerns all that there is.
    """

    def __init__(self) -> None:
        self.births = Rate(limits.BIRTHS_MAX, limits.BIRTHS_WINDOW_S)
        self.proofs = Rate(limits.PROOFS_MAX, limits.PROOFS_WINDOW_S)
        self.scans = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
        self.pieces = Rate(limits.PIECES_MAX, limits.PIECES_WINDOW_S)
        self.expanded = Rate(limits.EXPANDED_BYTES_MAX, limits.EXPANDED_WINDOW_S)
        self.asks = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
        self.answers = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
