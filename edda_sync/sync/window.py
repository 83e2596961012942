"""
A window: how many bytes may be under way to or from a peer, so that nothing else waits long behind them.

The bytes that are under way fill the link, and what is sent meanwhile comes after them. So as many bytes are under way as
arrive within ``FILE_WINDOW_S``: while answers come sooner than that, the window grows by what has arrived, which doubles it
in each round; while they come later, it shrinks in the same proportion.

Source: Shalunov et al., "Low Extra Delay Background Transport (LEDBAT)" (RFC 6817), section 2.4, without its one-way clocks:
here one side both sets the window and measures.
"""

from __future__ import annotations

from math import inf

from edda_sync.words import limits


class Window:
    """
    A window.

    Args:
        least, most: Its limits, in bytes.

    Attributes:
        size: How many bytes may be under way.
    """

    def __init__(self, least: int, most: int) -> None:
        self.size, self._least, self._most = least, least, most
        self._soonest_s = inf  # the shortest time that an answer took: what does not depend on the window

    def answered(self, size: int, took_s: float) -> None:
        """Note that some bytes were answered for, and how long after they were sent or asked for."""
        self._soonest_s = min(self._soonest_s, took_s)
        share = max(-1.0, 1 - (took_s - self._soonest_s) / limits.FILE_WINDOW_S)
        self.size = min(max(int(self.size + share * size), self._least), self._most)
