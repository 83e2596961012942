"""Days by name: ``today``, ``tomorrow`` and the days of the week, in the calendar of this machine."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli.common import NONE
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HELP: Final = "is not a date such as 2026-03-01, today, tomorrow or friday, or a time such as 2026-03-01T09:30:00Z"
_FROM_TODAY: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}


class Day(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """
    A date or time, or a word for a date, which is replaced by that date.

    Args:
        today: Returns the present day.
        or_none: Whether ``none`` may be given for no date.
    """

    name = "date"

    def __init__(self, today: Callable[[], datetime.date] = datetime.date.today, *, or_none: bool = False) -> None:
        self._today, self._or_none = today, or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """Return the date or time."""
        word, today = str(value).strip().lower(), self._today()
        if word in _FROM_TODAY:
            return (today + datetime.timedelta(days=_FROM_TODAY[word])).isoformat()
        if word in WEEKDAYS:  # the next one, not today
            days = (WEEKDAYS.index(word) - today.weekday() - 1) % 7 + 1
            return (today + datetime.timedelta(days=days)).isoformat()
        if not (self._or_none and value == NONE):
            field = "date" if param is None else param.opts[0]
            try:
                values.time(field, value)
            except InvalidValueError:
                raise InvalidValueError(field, _HELP, value) from None
        return str(value)
