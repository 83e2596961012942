"""
What becomes of a running device's duties when they fail. A policy only: it knows no clock and no task.

A duty is what a device does for as long as it runs: telling peers of its commits, looking for those of other processes,
the scrub. The device asks here after each try, and does what it is told.

1. A fault (any :class:`EddaError`) ends no duty. It is tried again, after a delay that doubles up to a limit.
2. A fault is told to a person once, whichever duties meet it, until they have worked again.
3. Damage that is news is to be mended, once: a fold of the log that does not help will not help a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, EddaError

MENDING: Final = "mending"  # the duty to fold the log anew, when something in the tables is not what was written
_DOUBLINGS_MAX: Final = 20  # more than any limit below needs


@dataclass(frozen=True, slots=True)
class Retry:
    """
    What to do about a duty that failed.

    Attributes:
        delay_s: When to try again, in seconds from now.
        is_news: Whether a person is to be told.
        damaged: What is to be made anew from the log; empty for nothing.
    """

    delay_s: float
    is_news: bool
    damaged: str


class Duties:
    """The duties that fail now; call :meth:`failed` or :meth:`worked` after each try of one."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}  # by duty, the latest last
        self._failures: dict[str, int] = {}  # by duty, in a row

    def failed(self, duty: str, error: EddaError) -> Retry:
        """Take in that a duty met a fault; return what to do about it."""
        failures = self._failures[duty] = self._failures.get(duty, 0) + 1
        text = str(error)
        is_news = text not in self._faults.values()
        self._faults.pop(duty, None)
        self._faults[duty] = text
        damaged = error.what if isinstance(error, CorruptError) and is_news and duty != MENDING else ""
        return Retry(_delay_s(duty, error, failures), is_news, damaged)

    def worked(self, duty: str) -> None:
        """Take in that a duty did its work: its fault is forgotten."""
        self._faults.pop(duty, None)
        self._failures.pop(duty, None)

    @property
    def fault(self) -> str:
        """The latest fault that still holds, for a person; empty for none."""
        return next(reversed(self._faults.values()), "")


def _delay_s(duty: str, error: EddaError, failures: int) -> float:
    hopeless = duty == MENDING and isinstance(error, CorruptError)  # the log itself is damaged
    longest = limits.MEND_RETRY_S_MAX if hopeless else limits.DUTY_RETRY_S_MAX
    return min(longest, limits.DUTY_RETRY_S_MIN * 2.0 ** min(failures - 1, _DOUBLINGS_MAX))
