"""
Faults: what follows when something fails that a device does. A policy only: it has no clock and no task.

What can fail is called a concern: a duty of the device, a session, or what a program asks of the store.

1. A fault (any :class:`EddaError`) ends no duty. The duty is tried again, after a delay that doubles up to a limit.
2. A person is told of a fault once, even if several concerns meet it, until they have worked again.
3. New damage is mended once. If folding the log did not help, folding it a second time will not help either.
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
        is_news: Whether to tell a person.
        damaged: What to fold again from the log; empty for nothing.
    """

    delay_s: float
    is_news: bool
    damaged: str


class Faults:
    """The faults that hold now. Call :meth:`failed` or :meth:`worked` after each try of a concern."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}  # by concern, the latest last
        self._failures: dict[str, int] = {}  # by concern, in a row

    def failed(self, concern: str, error: EddaError) -> Retry:
        """Note that a concern met a fault; return what to do about it."""
        failures = self._failures[concern] = self._failures.get(concern, 0) + 1
        text = str(error)
        is_news = text not in self._faults.values()
        self._faults.pop(concern, None)
        self._faults[concern] = text
        damaged = error.what if isinstance(error, CorruptError) and is_news and concern != Duty.MENDING else ""
        return Retry(_delay_s(concern, error, failures), is_news, damaged)

    def worked(self, concern: str) -> None:
        """Note that a concern did its work, and forget its fault."""
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
