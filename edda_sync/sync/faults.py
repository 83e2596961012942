"""
Faults: what becomes of what a device does when it fails. A policy only: it knows no clock and no task.

What meets a fault is called a concern: a duty of the device, a talk, or what a program asks of the store.

1. A fault (any :class:`EddaError`) ends no duty. It is tried again, after a delay that doubles up to a limit.
2. A fault is told to a person once, whichever concerns meet it, until they have worked again.
3. Damage that is news is to be mended, once: a fold of the log that does not help will not help a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edda_sync.sync.orders import Duty
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, EddaError

_DOUBLINGS_MAX: Final = 20  # more than any limit below needs


@dataclass(frozen=True, slots=True)
class Retry:
    """
    What to do about a concern that met a fault.

    Attributes:
        delay_s: When to try again, in seconds from now.
        is_news: Whether a person is to be told.
        damaged: What is to be made anew from the log; empty for nothing.
    """

    delay_s: float
    is_news: bool
    damaged: str


class Faults:
    """The faults that hold now; call :meth:`failed` or :meth:`worked` after each try of a concern."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}  # by concern, the latest last
        self._failures: dict[str, int] = {}  # by concern, in a row

    def failed(self, concern: str, error: EddaError) -> Retry:
        """Take in that a concern met a fault; return what to do about it."""
        failures = self._failures[concern] = self._failures.get(concern, 0) + 1
        text = str(error)
        is_news = text not in self._faults.values()
        self._faults.pop(concern, None)
        self._faults[concern] = text
        damaged = error.what if isinstance(error, CorruptError) and is_news and concern != Duty.MENDING else ""
        return Retry(_delay_s(concern, error, failures), is_news, damaged)

    def worked(self, concern: str) -> None:
        """Take in that a concern did its work: its fault is forgotten."""
        self._faults.pop(concern, None)
        self._failures.pop(concern, None)

    @property
    def latest(self) -> str:
        """The latest fault that still holds, for a person; empty for none."""
        return next(reversed(self._faults.values()), "")


def _delay_s(concern: str, error: EddaError, failures: int) -> float:
    hopeless = concern == Duty.MENDING and isinstance(error, CorruptError)  # the log itself is damaged
    longest = limits.MEND_RETRY_S_MAX if hopeless else limits.DUTY_RETRY_S_MAX
    return min(longest, limits.DUTY_RETRY_S_MIN * 2.0 ** min(failures - 1, _DOUBLINGS_MAX))
