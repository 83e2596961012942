from __future__ import annotations

import datetime
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import dates, spans
from edda_sync.words.dates import Clock, When
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.spans import Span

ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "America/New_York",
        "Asia/Tokyo",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Asia/Kolkata",
        "Europe/Berlin",
    )
]
DAYS = st.dates(date(2026, 3, 20), date(2026, 4, 5))  # with a change to summer time
MOMENTS = st.datetimes(datetime.datetime(2026, 3, 20), datetime.datetime(2026, 4, 5), timezones=st.just(datetime.UTC))
MINUTES = MOMENTS.map(lambda moment: moment.replace(second=0, microsecond=0)) | DAYS.map(
    lambda day: datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC)
)
CLOCKS = st.builds(Clock, MINUTES, st.sampled_from(ZONES))


@st.composite
def whens(draw: st.DrawFn, clock: Clock) -> When:
    """Days, and moments in the time of a person."""
    if draw(st.booleans()):
        return When(draw(DAYS))
    moment = draw(MINUTES)
    return When(clock.local(moment).date(), moment)


def is_before(due: When, border: When, clock: Clock) -> bool:
    """Say what it means, without any text: days are compared as days, moments as moments."""
    if due.at is None:
        return due.day < border.day
    return due.at < (clock.moment(border.day) if border.at is None else border.at)


@given(data=st.data(), clock=CLOCKS)
def test_a_store_that_is_asked_for_the_range_of_a_span_finds_just_what_lies_in_it(
    data: st.DataObject, clock: Clock
) -> None:
    borders = st.none() | whens(clock)
    span, due = Span(data.draw(borders), data.draw(borders)), data.draw(whens(clock))
    text, (start, end, holes) = dates.stored(due), spans.ranged(span, clock)
    found = (start is None or text >= start) and (end is None or text < end)
    found = found and not any(first <= text < last for first, last in holes)
    wanted = span.start is None or not is_before(due, span.start, clock)
    wanted = wanted and (span.end is None or is_before(due, span.end, clock))
    assert found == wanted, (text, start, end, holes)


@given(data=st.data(), clock=CLOCKS)
def test_what_is_overdue_is_what_a_list_marks_so(data: st.DataObject, clock: Clock) -> None:
    text = dates.stored(data.draw(whens(clock)))
    _, end, holes = spans.ranged(spans.overdue(clock), clock)
    assert end is not None
    assert (text < end and not any(first <= text < last for first, last in holes)) == dates.is_past(text, clock)


@given(data=st.data(), clock=CLOCKS)
def test_both_of_two_spans_hold_what_lies_in_each(data: st.DataObject, clock: Clock) -> None:
    borders = st.none() | whens(clock)
    one, other = (Span(data.draw(borders), data.draw(borders)) for _ in range(2))
    due = data.draw(whens(clock))

    def holds(span: Span) -> bool:
        after = span.start is None or not is_before(due, span.start, clock)
        return after and (span.end is None or is_before(due, span.end, clock))

    if all(each is None or each.at is None for each in (*one, *other)) or all(
        each is None or each.at is not None for each in (*one, *other)
    ):
        assert holds(spans.both(one, other, clock)) == (holds(one) and holds(other))


NOON = Clock(datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC), ZoneInfo("Europe/Berlin"))  # a Wednesday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2026-11-25", "2026-11-25"),
        ("friday", "2026-11-27", "2026-11-27"),
        ("friday 10:00", "2026-11-27", "2026-11-27"),
        ("week", "2026-11-23", "2026-11-29"),
        ("this week", "2026-11-23", "2026-11-29"),
        ("next-week", "2026-11-30", "2026-12-06"),
        ("last week", "2026-11-16", "2026-11-22"),
        ("Month", "2026-11-01", "2026-11-30"),
        ("next month", "2026-12-01", "2026-12-31"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("year", "2026-01-01", "2026-12-31"),
        ("next year", "2027-01-01", "2027-12-31"),
        ("2026-12-24", "2026-12-24", "2026-12-24"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("quarter", "2026-10-01", "2026-12-31"),
        ("next quarter", "2027-01-01", "2027-03-31"),
        ("last-quarter", "2026-07-01", "2026-09-30"),
        ("weekend", "2026-11-28", "2026-11-29"),
        ("next weekend", "2026-12-05", "2026-12-06"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-W49", "2026-11-30", "2026-12-06"),
        ("3d", "2026-11-28", "2026-11-28"),
    ],
)
def test_a_word_means_a_span_of_days(text: str, first: str, last: str) -> None:
    end = date.fromisoformat(last) + timedelta(days=1)
    assert spans.read("due", text, NOON) == Span(When(date.fromisoformat(first)), When(end))


def test_overdue_ends_with_this_moment_and_before_today() -> None:
    assert spans.read("due", "overdue", NOON) == spans.overdue(NOON)
    assert not dates.is_past("2026-11-25T00:00:00.000Z", NOON)
    assert dates.is_past("2026-11-24T00:00:00.000Z", NOON)


def test_what_is_no_span_is_refused_with_examples() -> None:
    with pytest.raises(InvalidValueError, match="such as 2026-03-01, today"):
        spans.read("due", "some day", NOON)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (spans.read("due", "today", NOON), "due Wednesday 2026-11-25"),
        (spans.read("due", "week", NOON), "due Monday 2026-11-23 to Sunday 2026-11-29"),
        (spans.before(dates.read("due", "friday 10:00", NOON)), "due before Friday 2026-11-27 10:00"),
        (spans.since(dates.read("due", "friday", NOON)), "due from Friday 2026-11-27 on"),
        (spans.before(spans.behind(dates.read("due", "friday", NOON))), "due before Saturday 2026-11-28"),
        (Span(), "due at any time"),
    ],
)
def test_a_span_is_said_as_it_was_understood(span: Span, words: str) -> None:
    assert spans.spoken(span, NOON) == words
