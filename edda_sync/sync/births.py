"""Births: how fast a peer may bring new lives of a device. That is delayed, and never refused: their number has no limit."""

from __future__ import annotations

from edda_sync import limits


class Births:
    """The lives that one peer brings. Ask :meth:`allows` for each, in order."""

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[float, int]] = {}  # by the device's key: since when, and how many

    def allows(self, key: bytes, now: float) -> bool:
        """
        Tell whether one more life of a device may be taken now, and count it if so.

        Args:
            key: The device's signing key.
            now: Monotonic time in seconds.
        """
        since, count = self._since.get(key, (now, 0))
        if now >= since + limits.BIRTHS_WINDOW_S:
            since, count = now, 0
        if count >= limits.BIRTHS_MAX:
            return False
        self._since[key] = since, count + 1
        return True
