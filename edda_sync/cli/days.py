"""Days and times that options take, as :mod:`edda_sync.words.dates` reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import times
from edda_sync.cli.common import NONE
from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from edda_sync.words.dates import Clock, When
    from edda_sync.words.spans import Span

EXAMPLES = "2026-03-01, tomorrow, friday, eow, +3d, 10:00, friday 10:00, in your time"


class Day(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """
    A day or a time.

    Args:
        clock: Returns the present moment.
        or_none: Whether ``none`` may be given for no date.
    """

    name = "date"

    def __init__(self, clock: Callable[[], Clock] = times.clock, *, or_none: bool = False) -> None:
        self._clock, self._or_none = clock, or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> When | str:  # noqa: ARG002 - click's
        """Return what was meant; ``none`` stays as it is."""
        from edda_sync.words import dates  # only for what has dates

        if self._or_none and value == NONE:
            return NONE
        if self._or_none and not str(value).strip():
            raise InvalidValueError("date" if param is None else param.opts[0], f"is empty; `{NONE}` takes a date away")
        return dates.read("date" if param is None else param.opts[0], str(value), self._clock())


class Moment(Day):
    """A moment that was, as it is stored; a day is its first moment for the person."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """Return what was meant."""
        from edda_sync.words import dates  # only for what has dates

        found = dates.read_past("time" if param is None else param.opts[0], str(value), self._clock())
        return dates.stored(found if found.at is not None else found._replace(at=self._clock().moment(found.day)))


class Days(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """
    A span of days, such as ``week`` or ``overdue``; ``none`` and ``any`` stay as they are.

    Args:
        clock: Returns the present moment.
    """

    name = "span"

    def __init__(self, clock: Callable[[], Clock] = times.clock) -> None:
        self._clock = clock

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span | str:  # noqa: ARG002 - click's
        """Return what was meant."""
        from edda_sync.words import filters, spans  # only for what has dates

        if value in (filters.NONE, filters.ANY):
            return str(value)
        return spans.read("due" if param is None else param.opts[0], str(value), self._clock())
