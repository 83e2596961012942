"""
Spans of due dates: ``today``, ``week``, ``overdue``, before or after what :mod:`.dates` reads.

A due date is a day anywhere, or a moment. So the first moment of a day is no border for both: west of Greenwich, the day is
stored before that moment, and a moment of the evening before lies between the two. A span is therefore asked for as one
range and holes in it: whole days, and moments, that are on the other side of a border.
"""

from __future__ import annotations

import datetime
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from edda_sync.words import dates
from edda_sync.words.dates import Clock, When

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY: Final = timedelta(days=1)
Hole = tuple[str, str]


class Span(NamedTuple):
    """
    Due dates from one on, and before another. A day as a whole is before a moment if it is an earlier day.

    Attributes:
        start: Where it begins; None for any.
        end: What comes first behind it; None for any.
    """

    start: When | None = None
    end: When | None = None


class Range(NamedTuple):
    """What to ask a store for, as ``TaskQuery`` takes it: ``due_from``, ``due_before`` and ``due_except``."""

    start: str | None
    end: str | None
    holes: tuple[Hole, ...]


def read(field: str, text: str, clock: Clock) -> Span:
    """
    Return the span that a person means: ``overdue``, ``week``, ``next month``, ``2026-12``, or a date or time, which stands
    for its day.

    Raises:
        InvalidValueError: It is none of these.
    """
    said = " ".join(text.replace("-", " ").split()).lower()
    if said == "overdue":
        return overdue(clock)
    if (make := _PERIODS.get(said.removeprefix("this "))) is not None:
        first, last = make(clock.today)
        return Span(When(first), When(last))
    if (named := _named(text.strip())) is not None:
        return Span(When(named[0]), When(named[1]))
    found = dates.read(field, text, clock)
    return Span(When(found.day), When(found.day + _DAY))


def overdue(clock: Clock) -> Span:
    """Return the span of what is over: days that have ended, and moments that were reached."""
    return Span(None, When(clock.today, clock.now + timedelta(milliseconds=1)))


def before(when: When) -> Span:
    """Return the span before a day or moment."""
    return Span(None, when)


def since(when: When) -> Span:
    """Return the span from a day or moment on."""
    return Span(when, None)


def behind(when: When) -> When:
    """Return what comes first behind a day or a moment."""
    return (
        When(when.day + _DAY) if when.at is None else When(when.day, when.at + timedelta(milliseconds=2))
    )  # see ``dates.stored``


def both(one: Span, other: Span, clock: Clock) -> Span:
    """Return what lies in two spans."""

    def at(when: When) -> tuple[date, datetime.datetime]:
        return when.day, _moment(when, clock)

    starts, ends = ([each for each in pair if each is not None] for pair in zip(one, other, strict=True))
    return Span(max(starts, key=at, default=None), min(ends, key=at, default=None))


def ranged(span: Span, clock: Clock) -> Range:
    """Return what to ask a store for, so that it finds just the due dates in a span."""
    start, end, holes = None, None, list[Hole]()
    if span.start is not None:
        day, moment = _first(span.start.day), _text(_moment(span.start, clock))
        start = min(day, moment)
        holes += _between(span.start.day, moment)
    if span.end is not None:
        end = _text(_moment(span.end, clock))
        holes += [(each, dates.stored(_just_behind(each))) for each in _days(span.end.day, end)]
    return Range(start, end, tuple(holes))


def spoken(span: Span, clock: Clock) -> str:
    """Return a span in words, so that a person sees what a text was taken for."""
    start, end = span
    if start is not None and end is not None and start.at is None and end.at is None:
        last = When(end.day - _DAY)
        if last.day <= start.day:
            return f"due {dates.spoken(start, clock)}"
        return f"due {dates.spoken(start, clock)} to {dates.spoken(last, clock)}"
    said = [f"from {dates.spoken(start, clock)} on"] if start is not None else []
    said += [f"before {dates.spoken(end, clock)}"] if end is not None else []
    return f"due {' and '.join(said) or 'at any time'}"


def _moment(when: When, clock: Clock) -> datetime.datetime:
    return clock.moment(when.day) if when.at is None else when.at


def _text(moment: datetime.datetime) -> str:
    """Return a moment as it is compared: the first millisecond of a day in UTC is before the moments of that day."""
    return moment.astimezone(datetime.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _first(day: date) -> str:
    return dates.stored(When(day))


def _days(day: date, end: str) -> list[str]:
    """Return the whole days from one on, as they are stored, that come before a moment: at most two."""
    return [first for first in (_first(day), _first(day + _DAY)) if first < end]


def _between(day: date, moment: str) -> list[Hole]:
    """Return the moments from a day as it is stored up to a moment; the whole days among them are none."""
    days = _days(day, moment)
    ends = [*days[1:], moment]
    holes = [(dates.stored(_just_behind(each)), end) for each, end in zip(days, ends, strict=False)]
    return [(start, end) for start, end in holes if start < end]


def _just_behind(first: str) -> When:
    """Return the first moment that may be stored behind a whole day."""
    moment = datetime.datetime.fromisoformat(first) + timedelta(milliseconds=1)
    return When(moment.date(), moment)


_PERIODS: Final[dict[str, Callable[[date], tuple[date, date]]]] = {
    "week": lambda today: _week(today, 0),
    "next week": lambda today: _week(today, 1),
    "last week": lambda today: _week(today, -1),
    "month": lambda today: _months(today, 0),
    "next month": lambda today: _months(today, 1),
    "last month": lambda today: _months(today, -1),
    "quarter": lambda today: _quarter(today, 0),
    "next quarter": lambda today: _quarter(today, 1),
    "last quarter": lambda today: _quarter(today, -1),
    "year": lambda today: (date(today.year, 1, 1), date(today.year + 1, 1, 1)),
    "next year": lambda today: (date(today.year + 1, 1, 1), date(today.year + 2, 1, 1)),
    "last year": lambda today: (date(today.year - 1, 1, 1), date(today.year, 1, 1)),
    "weekend": lambda today: _weekend(today, 0),
    "next weekend": lambda today: _weekend(today, 1),
}
"""The first day of a period, and the first day behind it. A week begins on Monday."""


def _week(today: date, number: int) -> tuple[date, date]:
    first = today + (7 * number - today.weekday()) * _DAY
    return first, first + 7 * _DAY


def _weekend(today: date, number: int) -> tuple[date, date]:
    _, behind = _week(today, number)
    return behind - 2 * _DAY, behind


def _months(today: date, number: int) -> tuple[date, date]:
    return _counted(today.year * 12 + today.month - 1 + number, 1)


def _quarter(today: date, number: int) -> tuple[date, date]:
    return _counted(today.year * 12 + (today.month - 1) // 3 * 3 + 3 * number, 3)


def _counted(first: int, number: int) -> tuple[date, date]:
    """Return some months, the first of which is counted from the year 0."""
    start, end = (date(at // 12, at % 12 + 1, 1) for at in (first, first + number))
    return start, end


def _named(text: str) -> tuple[date, date] | None:
    """Return the year, month or week that is written as a number: ``2026``, ``2026-12`` or ``2026-W49``."""
    match = re.fullmatch(r"(?i)([12]\d{3})(?:-(?:(0?[1-9]|1[0-2])|w(\d\d?)))?", text)
    if match is None:
        return None
    year, month, week = match.groups()
    if week:
        try:
            return _week(date.fromisocalendar(int(year), int(week), 1), 0)
        except ValueError:
            return None
    return _counted(int(year) * 12 + int(month) - 1, 1) if month else _counted(int(year) * 12, 12)
