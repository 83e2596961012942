"""Times as they are shown: in the time of this machine to a person at a terminal, and in UTC, with a ``Z``, to a program."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from edda_sync.cli.columns import NOTHING
from edda_sync.cli.common import on_terminal
from edda_sync.words.limits import FUTURE_S

if TYPE_CHECKING:
    from edda_sync.words.dates import Clock


def clock() -> Clock:
    """Return the present moment and the zone of this machine."""
    from edda_sync.words.dates import Clock  # only for what has dates

    return Clock(datetime.datetime.now(datetime.UTC))


def short(moment: str | None) -> str:
    """Return a stored time for a list, to the minute; a day as that day."""
    if moment is None:
        return NOTHING
    if moment.endswith("T00:00:00.000Z"):
        return moment[:10]
    return _local(moment)[:16] if on_terminal() else moment[:16] + "Z"


def past(moment: str) -> str:
    """Return a time that should be over, for a list. A person is told if it is not, since a clock was wrong then."""
    ahead = (
        on_terminal()
        and moment > (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=FUTURE_S)).isoformat()
    )
    return f"{short(moment)} (a wrong clock)" if ahead else short(moment)


def full(moment: str) -> str:
    """Return a moment, to the second."""
    return _local(moment) if on_terminal() else f"{moment[:10]} {moment[11:19]}Z"


def _local(moment: str) -> str:
    try:
        return datetime.datetime.fromisoformat(moment).astimezone().replace(tzinfo=None).isoformat(" ", "seconds")
    except (OverflowError, ValueError):  # at the ends of the calendar
        return f"{moment[:10]} {moment[11:19]}Z"
