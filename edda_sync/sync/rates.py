"""Rates: how fast a peer may bring what costs this device something. It is delayed, and never refused: it has no limit."""

from __future__ import annotations

from edda_sync import limits


class Rate:
    """
    How often one thing may be done within a window. Ask :meth:`allows` each time, in order.

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
        since, count = self._since.get(key, (now, 0))
        if now >= since + self._window_s:
            since, count = now, 0
        if count >= self._most:
            return False
        if key not in self._since:
            self._since = {known: each for known, each in self._since.items() if now < each[0] + self._window_s}
        self._since[key] = since, count + times
        return True


class Rates:
    """
    What one peer brought lately, in this talk and before it.

    Attributes:
        births: Lives, by the device's key.
        proofs: Proofs that a chain forks, by the key that signed both sides: each has entities folded anew.
        scans: Looks at all that is here, to find what differs.
        expanded: Bytes that frames of data became, beyond what honest ones do.
    """

    def __init__(self) -> None:
        self.births = Rate(limits.BIRTHS_MAX, limits.BIRTHS_WINDOW_S)
        self.proofs = Rate(limits.PROOFS_MAX, limits.PROOFS_WINDOW_S)
        self.scans = Rate(limits.SCANS_MAX, limits.SCANS_WINDOW_S)
        self.expanded = Rate(limits.EXPANDED_BYTES_MAX, limits.EXPANDED_WINDOW_S)
