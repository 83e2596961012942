from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import dates, values
from edda_sync.words.dates import Clock, When
from edda_sync.words.errors import InvalidValueError

NEW_YORK = Clock(
    datetime.datetime(2026, 11, 30, 22, 56, tzinfo=datetime.UTC), ZoneInfo("America/New_York")
)  # a Monday, 17:56
TOKYO = NEW_YORK._replace(zone=ZoneInfo("Asia/Tokyo"))  # Tuesday, 07:56
ZONES = [ZoneInfo(name) for name in ("UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12")]


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("today", "2026-11-30"), ("Tomorrow", "2026-12-01"), (" yesterday ", "2026-11-29"), ("eod", "2026-11-30"),
        ("friday", "2026-12-04"), ("FRI", "2026-12-04"), ("monday", "2026-12-07"), ("next friday", "2026-12-11"),
        ("eow", "2026-12-06"), ("eom", "2026-11-30"), ("eoq", "2026-12-31"), ("eoy", "2026-12-31"),
        ("next week", "2026-12-07"), ("next-month", "2026-12-01"), ("next year", "2027-01-01"),
        ("+3d", "2026-12-03"), ("+2w", "2026-12-14"), ("-1 day", "2026-11-29"), ("+3m", "2027-02-28"), ("-1y", "2025-11-30"),
        ("in 3 days", "2026-12-03"), ("in 1 week", "2026-12-07"), ("in a week", "2026-12-07"), ("3 days ago", "2026-11-27"),
        ("a month ago", "2026-10-30"), ("last friday", "2026-11-27"), ("last monday", "2026-11-23"),
        ("end of week", "2026-12-06"), ("End of the month", "2026-11-30"), ("end of year", "2026-12-31"),
        ("2026-12-01", "2026-12-01"), ("20261201", "2026-12-01"), ("2026-W49", "2026-11-30"), ("01.12.2026", "2026-12-01"),
        ("1.3.", "2027-03-01"), ("30.11.", "2026-11-30"), ("1 March", "2027-03-01"), ("march 3, 2027", "2027-03-03"),
        ("3d", "2026-12-03"), ("3 days", "2026-12-03"), ("2w", "2026-12-14"), ("in two weeks", "2026-12-14"),
        ("3 days from now", "2026-12-03"), ("two weeks ago", "2026-11-16"), ("this friday", "2026-12-04"),
        ("this monday", "2026-11-30"), ("the day after tomorrow", "2026-12-02"), ("day before yesterday", "2026-11-28"),
        ("2026/12/01", "2026-12-01"), ("2026-12-1", "2026-12-01"), ("1.12.26", "2026-12-01"), ("24/12/2026", "2026-12-24"),
        ("12/24/2026", "2026-12-24"), ("12/12/2026", "2026-12-12"), ("the 15th", "2026-12-15"), ("30th", "2026-11-30"),
        ("31st", "2026-12-31"), ("3 mar", "2027-03-03"),
        ("29 feb", "2028-02-29"), ("2026-12-01T00:00:00.000Z", "2026-12-01"),
    ],
)  # fmt: skip
def test_a_text_means_a_day(typed: str, day: str) -> None:
    found = dates.read("due", typed, NEW_YORK)
    assert (str(found.day), found.at) == (day, None)
    assert dates.stored(found) == f"{day}T00:00:00.000Z"


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("10:00", "2026-12-01T15:00"), ("23:30", "2026-12-01T04:30"), ("10am", "2026-12-01T15:00"),
        ("at 5:58 pm", "2026-11-30T22:58"),
        ("12am", "2026-12-01T05:00"), ("12pm", "2026-12-01T17:00"), ("friday 10:00", "2026-12-04T15:00"),
        ("tomorrow at 10:00", "2026-12-01T15:00"), ("+3d 10:00", "2026-12-03T15:00"), ("1 march 10:00", "2027-03-01T15:00"),
        ("2026-12-01 10:00", "2026-12-01T15:00"), ("2026-07-01T10:00", "2026-07-01T14:00"),
        ("2026-12-01T10:00Z", "2026-12-01T10:00"),
        ("2026-12-01T10:00+09:00", "2026-12-01T01:00"), ("+4h", "2026-12-01T02:56"), ("in 30 minutes", "2026-11-30T23:26"),
        ("2 hours ago", "2026-11-30T20:56"), ("an hour ago", "2026-11-30T21:56"), ("tomorrow noon", "2026-12-01T17:00"),
        ("tomorrow at 10", "2026-12-01T15:00"), ("2h", "2026-12-01T00:56"),
        ("noon", "2026-12-01T17:00"), ("end of the year 10:00", "2026-12-31T15:00"),
        ("now", "2026-11-30T22:56"), ("2026-03-08 02:30", "2026-03-08T07:30"),
    ],
)  # fmt: skip
def test_a_text_means_a_moment_in_the_time_of_the_person(typed: str, moment: str) -> None:
    found = dates.read("due", typed, NEW_YORK)
    assert dates.stored(found) == f"{moment}:00.000Z"
    assert found.at is not None
    assert found.day == NEW_YORK.local(found.at).date()


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("friday", "2026-11-27"), ("monday", "2026-11-30"), ("friday 10:00", "2026-11-27 10:00"),
        ("10:00", "2026-11-30 10:00"),
        ("23:30", "2026-11-29 23:30"), ("yesterday", "2026-11-29"), ("2026-11-01 10:00", "2026-11-01 10:00"),
        ("tomorrow", "2026-12-01"), ("3d", "2026-11-27"), ("2 weeks", "2026-11-16"), ("2h", "2026-11-30 15:56"),
    ],
)  # fmt: skip
def test_a_time_that_was_is_the_last_one_of_its_name(typed: str, moment: str) -> None:
    assert dates.shown(dates.stored(dates.read_past("since", typed, NEW_YORK)), NEW_YORK) == moment


def test_today_is_the_day_of_the_person() -> None:
    assert [str(dates.read("due", "today", clock).day) for clock in (NEW_YORK, TOKYO)] == ["2026-11-30", "2026-12-01"]


def test_a_moment_at_the_first_of_a_day_in_utc_is_no_day() -> None:
    found = dates.stored(dates.read("due", "2026-12-01 09:00", TOKYO))
    assert found == "2026-12-01T00:00:00.001Z"
    assert not dates.is_day(found)
    assert dates.shown(found, TOKYO) == "2026-12-01 09:00"


@pytest.mark.parametrize(
    "text",
    ["some day", "", "none", "2026-02-30", "milk", "10", "+3", "1.13.", "31.4.2026", "+99999y", "10:00 friday", "25:00",
     "9999-12-31 23:00", "friday 10:00 11:00", "0000-01-01", "in 3 parsecs", "32nd", "the friday", "24/24/2026", "3 apples",
     "3 parsecs ago", "a ago", "last", "last week", "end of", "end of time", "afternoon", "a" * 5_000],
)  # fmt: skip
def test_what_is_no_date_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidValueError, match="such as 2026-03-01, today"):
        dates.read("due", text, NEW_YORK)


def test_a_date_that_may_mean_two_days_is_refused_with_both() -> None:
    with pytest.raises(InvalidValueError, match="write 2026-12-01 or 2026-01-12"):
        dates.read("due", "12/01/2026", NEW_YORK)


MOMENTS = st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC))


@given(moment=MOMENTS, day=st.dates(), zone=st.sampled_from(ZONES), now=MOMENTS)
def test_what_is_shown_can_be_typed_and_means_the_same(
    moment: datetime.datetime, day: datetime.date, zone: ZoneInfo, now: datetime.datetime
) -> None:
    clock = Clock(now, zone)
    minute = moment.replace(second=0, microsecond=0, fold=0)
    for when in (When(day), When(clock.local(minute).date(), minute)):
        text = dates.stored(when)
        assert values.time("due", text) == text, "it is canonical"
        again = dates.read("due", dates.shown(text, clock), clock)
        if (
            when.at is None
            or clock.moment(clock.local(minute).date(), clock.local(minute).hour, minute.minute) == minute
        ):
            assert dates.stored(again) == text  # an hour that comes twice is the first one
        assert dates.understood(text, clock).day == when.day
        assert str(when.day) in dates.spoken(when, clock)


@given(text=st.text(max_size=12), zone=st.sampled_from(ZONES))
def test_any_text_is_a_date_or_refused(text: str, zone: ZoneInfo) -> None:
    clock = NEW_YORK._replace(zone=zone)
    try:
        found = dates.stored(dates.read("due", text, clock))
    except InvalidValueError:
        return
    assert values.time("due", found) == found


@pytest.mark.parametrize(
    ("text", "past"),
    [
        ("2026-11-29T00:00:00.000Z", True), ("2026-11-30T00:00:00.000Z", False), ("2026-12-01T00:00:00.000Z", False),
        ("2026-11-30T22:56:00.000Z", True), ("2026-11-30T22:57:00.000Z", False),
    ],
)  # fmt: skip
def test_a_day_is_past_once_it_has_ended_for_the_person_and_a_moment_once_it_is_reached(text: str, past: bool) -> None:
    assert dates.is_past(text, NEW_YORK) == past


def test_a_time_that_summer_time_skips_is_what_the_clock_of_this_machine_shows_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        here = NEW_YORK._replace(zone=None)
        for typed in ("2027-03-28 02:30", "28 march 2027 2:30"):
            assert dates.shown(dates.stored(dates.read("due", typed, here)), here) == "2027-03-28 03:30"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_without_a_zone_the_time_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = dates.read("due", "2026-12-01 10:00", NEW_YORK._replace(zone=None))
        assert dates.stored(found) == "2026-12-01T01:00:00.000Z"
        assert dates.shown("2026-12-01T01:00:00.000Z", NEW_YORK._replace(zone=None)) == "2026-12-01 10:00"
    finally:
        monkeypatch.undo()
        time.tzset()
