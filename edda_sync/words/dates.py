"""
Dates and times as people type and read them: ``tomorrow``, ``friday 10:00``, ``eow``, ``+3d``, ``1 March``.

What is typed and shown is local, and what is stored is UTC. A day without a time is that day anywhere, whatever the zone: it
is stored as its first moment in UTC, to the millisecond. A moment that falls on just that is stored a millisecond later, so
that the two can be told apart.

Everything is a function of the text, the present moment and the zone. A zone of None is that of this machine.

Source: Taskwarrior's dates for the short words; python-dateutil reads dates that are written out, and counts months.
"""

from __future__ import annotations

import datetime
import re
from datetime import date, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HELP: Final = (
    "is not a date such as 2026-03-01, today, tomorrow, friday, eow, +3d or 1 March, or a time such as 10:00, friday 10:00 "
    "or 2026-03-01T09:30:00Z"
)
_QUOTED_MAX: Final = 40  # characters of what was typed that an error repeats
_DAY: Final = timedelta(days=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FROM_TODAY: Final = {
    "day before yesterday": -2, "yesterday": -1, "today": 0, "eod": 0, "tomorrow": 1, "day after tomorrow": 2,
}  # fmt: skip
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip
# patterns; to compile one takes a while
_NUMBER: Final = rf"\d{{1,5}}|{'|'.join(_NUMBERS)}"
_STEP: Final = r"([+-]?)\s*(\d{1,5})\s*([a-z]+)"
_IN: Final = rf"(?:in\s+)?({_NUMBER})\s+([a-z]+)(?:\s+from now)?"
_AGO: Final = rf"({_NUMBER})\s+([a-z]+)\s+ago"
_AT_HOUR: Final = r"\bat (\d{1,2})$"
_OF_MONTH: Final = r"(?:the )?(\d{1,2})(?:st|nd|rd|th)"
_END_OF: Final = r"\bend of (?:the )?(?=(?:day|week|month|quarter|year)\b)([dwmqy])[a-z]+"
_NO_DAY: Final = r"(\d{4})-(\d\d)-(\d\d)"
_CLOCK: Final = (
    r"(?:(.*?)(?:\s+at\s+|\s+|,\s*))??(?:at\s+)?"
    r"(?:([01]?\d|2[0-3]):([0-5]\d)|(1[0-2]|0?[1-9])(?::([0-5]\d))?\s*([ap])m)"
)
_DOTTED: Final = r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)?"
_SLASHED: Final = r"(\d{1,2})/(\d{1,2})/(\d{4})"
_YEAR_FIRST: Final = r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})"
_WITH_MONTH: Final = r"(?=.*\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))[a-z0-9 ,.-]{3,40}"
_STORED_DAY: Final = r"\d{4}-\d{2}-\d{2}T00:00:00\.000Z"
_UNITS: Final = {
    "h": "hours", "hour": "hours", "min": "minutes", "minute": "minutes", "d": "days", "day": "days", "w": "weeks",
    "week": "weeks", "m": "months", "mo": "months", "month": "months", "y": "years", "year": "years",
}  # fmt: skip


class When(NamedTuple):
    """
    What a text was taken for.

    Attributes:
        day: The day, in the calendar of the person.
        at: The moment, in UTC; None for the day as a whole.
    """

    day: date
    at: datetime.datetime | None = None


class Clock(NamedTuple):
    """
    The present moment for a person.

    Attributes:
        now: The moment, in UTC.
        zone: Where the person is; None for the zone of this machine.
    """

    now: datetime.datetime
    zone: tzinfo | None = None

    @property
    def today(self) -> date:
        """The present day."""
        return self.local(self.now).date()

    def local(self, moment: datetime.datetime) -> datetime.datetime:
        """Return a moment in the time of the person."""
        return moment.astimezone(self.zone)

    def moment(self, day: date, hour: int = 0, minute: int = 0) -> datetime.datetime:
        """Return the moment of a time of the person; a time that summer time skips is the one that the clock shows then."""
        return self.placed(datetime.datetime(day.year, day.month, day.day, hour, minute))

    def placed(self, naive: datetime.datetime) -> datetime.datetime:
        """Return the moment of a time of the person that has no zone; see :meth:`moment`."""
        if self.zone is None:  # ``astimezone`` would go back by an hour where summer time skips one
            return datetime.datetime.fromtimestamp(naive.timestamp(), datetime.UTC)
        return naive.replace(tzinfo=self.zone).astimezone(datetime.UTC)


def read(field: str, text: str, clock: Clock) -> When:
    """
    Return what a person means by a text.

    Args:
        field: What to call the text in an error.
        text: What was typed.
        clock: The present moment of the person.

    Raises:
        InvalidValueError: It is no date or time, or means two.
    """
    said = " ".join(text.split()).lower()
    said = re.sub(_AT_HOUR, r"at \1:00", re.sub(_END_OF, r"eo\1", re.sub(r"\bnoon\b", "12:00", said)))
    try:
        found = _day(said, clock) or _stepped(said, clock) or _timed(said, clock) or _iso(text.strip(), clock)
        found = found or _written_out(field, said, text, clock)
        if found is not None:
            stored(found)  # the year 10000 is none
            return found
    except (ValueError, ArithmeticError):
        pass
    why = f"is no day of the calendar: it {HELP}" if re.fullmatch(_NO_DAY, said) else HELP
    raise InvalidValueError(field, f"{text[:_QUOTED_MAX]!r} {why}", text)


def read_past(field: str, text: str, clock: Clock) -> When:
    """Return what is meant by a text about what was: as :func:`read`, but ``friday`` and ``10:00`` are the last ones."""
    found = read(field, text, clock)
    if (
        text.strip()[:1].isdigit() and (ago := _stepped(f"-{text.strip().lower()}", clock)) is not None
    ):  # "3d", "2 weeks"
        return ago
    said = text.lower().split()
    if found.day < clock.today or (found.at is not None and found.at <= clock.now):
        return found
    bare = re.fullmatch(_CLOCK, " ".join(said))
    back = 7 if said and _weekday(said[0]) is not None else 1 if bare is not None and not bare[1] else 0
    if not back:
        return found
    day = found.day - back * _DAY
    if found.at is None:
        return When(day)
    there = clock.local(found.at)
    return When(day, clock.moment(day, there.hour, there.minute))


def stored(when: When) -> str:
    """Return what is stored: RFC 3339 in UTC with milliseconds."""
    if when.at is None:
        return f"{when.day.isoformat()}T00:00:00.000Z"
    moment = when.at.astimezone(datetime.UTC).replace(tzinfo=None)
    if moment.time() == datetime.time():
        moment += _MILLISECOND
    return moment.isoformat(timespec="milliseconds") + "Z"


def understood(text: str, clock: Clock) -> When:
    """Return what a stored time means."""
    day = date.fromisoformat(text[:10])
    if is_day(text):
        return When(day)
    moment = datetime.datetime.fromisoformat(text)
    return When(clock.local(moment).date(), moment)


def is_day(text: str) -> bool:
    """Tell whether a stored time is a day as a whole."""
    return text.endswith("T00:00:00.000Z")


def shown(text: str, clock: Clock) -> str:
    """Return a stored time in the time of the person, to the minute; a day as that day."""
    if is_day(text):
        return text[:10]
    try:
        return clock.local(datetime.datetime.fromisoformat(text)).replace(tzinfo=None).isoformat(" ", "minutes")
    except OverflowError:  # at the ends of the calendar
        return f"{text[:10]} {text[11:16]}Z"


def spoken(when: When, clock: Clock) -> str:
    """Return what a text was taken for, so that a person sees whether it was meant: ``Friday 2026-12-04 10:00``."""
    name = WEEKDAYS[when.day.weekday()].capitalize()
    return f"{name} {when.day}" if when.at is None else f"{name} {shown(stored(when), clock)}"


def is_past(text: str, clock: Clock) -> bool:
    """Tell whether a stored time is over: a moment once it is reached, a day once it has ended."""
    when = understood(text, clock)
    return when.day < clock.today if when.at is None else when.at <= clock.now


# --- the forms --------------------------------------------------------------------------------------------------------


def _day(said: str, clock: Clock) -> When | None:
    """Read a word for a day."""
    today = clock.today
    if said == "now":
        return When(today, clock.now.replace(microsecond=0))
    if (days := _FROM_TODAY.get(said.removeprefix("the "))) is not None:
        return When(today + days * _DAY)
    if (weekday := _weekday(said)) is not None:  # the next one, not today
        return When(today + ((weekday - today.weekday() - 1) % 7 + 1) * _DAY)
    if said.startswith("next ") and (weekday := _weekday(said[5:])) is not None:  # of the week after this one
        return When(today + (7 - today.weekday() + weekday) * _DAY)
    if said.startswith("this ") and (weekday := _weekday(said[5:])) is not None:  # today, or the next one
        return When(today + (weekday - today.weekday()) % 7 * _DAY)
    if said.startswith("last ") and (weekday := _weekday(said[5:])) is not None:  # the one before today
        return When(today - ((today.weekday() - weekday - 1) % 7 + 1) * _DAY)
    make = _ENDS.get(said.replace("-", " "))
    return None if make is None else When(make(today))


def _weekday(said: str) -> int | None:
    return next((at for at, name in enumerate(WEEKDAYS) if said in (name, name[:3])), None)


def _month(year: int, month: int) -> date:
    """Return the first day of a month, which may be counted beyond the year."""
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


_ENDS: Final[dict[str, Callable[[date], date]]] = {
    "eow": lambda today: today + (6 - today.weekday()) * _DAY,
    "eom": lambda today: _month(today.year, today.month + 1) - _DAY,
    "eoq": lambda today: _month(today.year, (today.month - 1) // 3 * 3 + 4) - _DAY,
    "eoy": lambda today: date(today.year, 12, 31),
    "next week": lambda today: today + (7 - today.weekday()) * _DAY,
    "next month": lambda today: _month(today.year, today.month + 1),
    "next year": lambda today: date(today.year + 1, 1, 1),
}
"""Ends of periods, which are their last days, and beginnings of the next ones."""


def _stepped(said: str, clock: Clock) -> When | None:
    """Read a distance from now: ``+3d``, ``3d``, ``in 2 weeks``, ``an hour ago``."""
    match, ago = re.fullmatch(_STEP, said), _groups(_AGO, said)
    sign, number, word = match.groups() if match else ("-" if ago else "+", *(ago or _groups(_IN, said) or ("", "")))
    unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
    if not unit:
        return None
    amount = int(_NUMBERS.get(number, number)) * (-1 if sign == "-" else 1)
    if unit in ("hours", "minutes"):
        moment = clock.now.replace(second=0, microsecond=0) + timedelta(**{unit: amount})
        return When(clock.local(moment).date(), moment)
    if unit in ("days", "weeks"):
        return When(clock.today + timedelta(**{unit: amount}))
    from dateutil.relativedelta import relativedelta  # rarely needed

    there: date = clock.today + relativedelta(**{unit: amount})
    return When(there)


def _timed(said: str, clock: Clock) -> When | None:
    """Read a time of day, behind a day or by itself; by itself, it is the next such time."""
    match = re.fullmatch(_CLOCK, said)
    if match is None:
        return None
    before, hour, minute, twelfth, past, half = match.groups()
    at = (int(hour), int(minute)) if hour else (int(twelfth) % 12 + 12 * (half == "p"), int(past or 0))
    if not before:
        moment = clock.moment(clock.today, *at)
        if moment <= clock.now:
            moment = clock.moment(clock.today + _DAY, *at)
        return When(clock.local(moment).date(), moment)
    day = read("day", before, clock)
    if day.at is not None:
        return None
    return When(day.day, clock.moment(day.day, *at))


def _iso(text: str, clock: Clock) -> When | None:
    """Read ISO 8601; a time without a zone is local. A day as it is stored stays that day."""
    if re.fullmatch(_STORED_DAY, text):
        return When(date.fromisoformat(text[:10]))
    if (found := _groups(_YEAR_FIRST, text)) is not None:
        return When(date(int(found[0]), int(found[2]), int(found[3])))
    try:
        return When(date.fromisoformat(text))
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = clock.placed(moment) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return When(clock.local(moment).date(), moment)


def _written_out(field: str, said: str, text: str, clock: Clock) -> When | None:
    """Read a date with dots, or with the name of a month; without a year it is the next such date."""
    if (found := _groups(_SLASHED, said)) is not None:
        one, other, year = map(int, found)
        meant = {f"{year}-{month:02}-{day:02}": date(year, month, day)
                 for month, day in ((one, other), (other, one)) if month <= 12}  # fmt: skip
        if len(meant) < 2:
            return When(next(iter(meant.values()))) if meant else None
        raise InvalidValueError(field, f"may mean two days; write {' or '.join(meant)}", text)
    if (found := _groups(_DOTTED, said)) is not None:
        day, month, said_year = found
        if not said_year:
            return When(_next(int(month), int(day), clock.today))
        return When(date(int(said_year if len(said_year) == 4 else f"20{said_year}"), int(month), int(day)))
    if (found := _groups(_OF_MONTH, said)) is not None:
        return When(_next_of_months(int(found[0]), clock.today))
    if re.fullmatch(_WITH_MONTH, said) is None:
        return None
    from dateutil import parser  # rarely needed

    # read over two defaults: what differs between them was not said
    first, second = (_parsed(parser, said, datetime.datetime(year, 1, 1)) for year in (2000, 2004))
    if first is None or second is None or first.time() != datetime.time() or first.tzinfo is not None:
        return None
    return When(first.date() if first == second else _next(first.month, first.day, clock.today))


def _parsed(parser: Any, said: str, default: datetime.datetime) -> datetime.datetime | None:
    found = parser.parse(said, default=default)
    return found if isinstance(found, datetime.datetime) else None


def _next(month: int, day: int, today: date) -> date:
    """Return the next day with a month and day; 29 February may be years away."""
    for year in range(today.year, today.year + 9):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError


def _next_of_months(day: int, today: date) -> date:
    """Return the next day with a number: this month's, or that of the next month that has it."""
    for month in range(today.month, today.month + 4):
        first = _month(today.year, month)
        try:
            found = first.replace(day=day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError


def _groups(pattern: str, said: str) -> tuple[Any, ...] | None:
    match = re.fullmatch(pattern, said)
    return None if match is None else match.groups()
