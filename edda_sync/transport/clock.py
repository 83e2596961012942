"""
The clock of a peer. Each end of a link says its time in the header ``Date`` of the handshake (RFC 9110, section 6.6.1).

It proves nothing, and nothing hangs on it: a device only tells its person that two clocks are apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import formatdate, parsedate_to_datetime


def said(now: Callable[[], float] = time.time) -> str:
    """Return the value of the header, in whole seconds; :func:`ahead_s` reads it."""
    return formatdate(now(), usegmt=True)


def ahead_s(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """
    Return by how many seconds the peer's clock is ahead of this one's; negative if it is behind.

    Args:
        headers: The headers of its handshake, which has just come. Until then it took some time, up to a few seconds.
        now: Returns the wall time in seconds since 1970.

    Returns:
        The seconds; None if the peer does not say its time, or nothing that is one.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        return date.timestamp() - now() if date.tzinfo is not None else None
    except (ValueError, TypeError, IndexError, OverflowError, LookupError):  # whatever a peer may have sent
        return None
