"""When the next backup is due."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.backup.schedule import SPREAD, START_SPREAD, due, share_of
from edda_sync.words.config import BackupFrequency

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [UTC, BERLIN, ZoneInfo("Pacific/Apia"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Australia/Lord_Howe")]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DAILY, WEEKLY, MONTHLY = BackupFrequency.DAILY, BackupFrequency.WEEKLY, BackupFrequency.MONTHLY


def at(text: str, zone: tzinfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def next_one(
    frequency: BackupFrequency | timedelta,
    last: datetime | None,
    now: datetime,
    zone: tzinfo = BERLIN,
    share: float = 0.0,
) -> datetime:
    found = due(frequency, last, now, started=LONG_AGO, zone=zone, share=share)
    assert found is not None
    return found


moments = st.datetimes(datetime(2009, 1, 1), datetime(2035, 1, 1)).map(lambda found: found.replace(tzinfo=UTC))
intervals = st.timedeltas(timedelta(minutes=1), timedelta(days=400))
frequencies = st.sampled_from([DAILY, WEEKLY, MONTHLY]) | intervals
zones = st.sampled_from(ZONES)
shares = st.floats(0, 1, exclude_max=True)


def longest(frequency: BackupFrequency | timedelta) -> timedelta:
    lengths = {DAILY: timedelta(days=1), WEEKLY: timedelta(days=7), MONTHLY: timedelta(days=31)}
    return frequency if isinstance(frequency, timedelta) else lengths[frequency]


def test_never_is_never() -> None:
    assert due(BackupFrequency.NEVER, None, LONG_AGO, started=LONG_AGO, zone=UTC, share=0.5) is None


def test_the_first_backup_is_due_at_once() -> None:
    now = at("2026-11-30 12:00")
    assert next_one(DAILY, None, now) == now


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [(DAILY, "2026-12-01 03:00"), (WEEKLY, "2026-12-07 03:00"), (MONTHLY, "2026-12-01 03:00")],
)
def test_the_next_one_is_due_in_the_night_that_begins_the_next_period(
    frequency: BackupFrequency, expected: str
) -> None:
    now = at("2026-11-30 12:00")  # a Monday
    assert next_one(frequency, now, now) == at(expected)


def test_a_backup_on_demand_before_the_night_moves_nothing() -> None:
    assert next_one(DAILY, at("2026-12-01 02:59"), at("2026-12-01 02:59")) == at("2026-12-01 03:00")


def test_an_interval_counts_from_1970_so_that_a_backup_on_demand_moves_nothing() -> None:
    now = at("2026-11-30 12:10", UTC)
    assert next_one(timedelta(minutes=15), now, now) == at("2026-11-30 12:15", UTC)
    assert next_one(timedelta(minutes=15), now, now, share=0.8) == at("2026-11-30 12:12", UTC)


def test_months_of_each_length_and_years_have_one_backup_each() -> None:
    now, found = at("2027-01-31 12:00"), []
    for _ in range(14):
        now = next_one(MONTHLY, now, now)
        found.append(now.astimezone(BERLIN).strftime("%y-%m-%d"))
    assert found == [f"27-{month:02}-01" for month in range(2, 13)] + [f"28-{month:02}-01" for month in range(1, 4)]


def test_the_night_stays_at_its_local_hour_when_clocks_change() -> None:
    assert next_one(DAILY, at("2027-03-27 12:00"), at("2027-03-27 12:00")) == at("2027-03-28 03:00")
    assert at("2027-03-28 03:00").astimezone(UTC).hour == 1
    assert at("2027-03-27 03:00").astimezone(UTC).hour == 2


@pytest.mark.parametrize("day", ["2027-03-26", "2027-03-27", "2027-03-28", "2027-10-30", "2027-10-31"])
def test_without_a_zone_it_is_that_of_the_machine_with_its_summer_time(
    monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        now = at(f"{day} 12:00").astimezone(UTC)
        for frequency in (DAILY, WEEKLY, MONTHLY):
            found = due(frequency, now, now, started=LONG_AGO, zone=None, share=0.25)
            assert found == next_one(frequency, now, now, share=0.25)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_machine_that_slept_for_a_month_takes_one_backup() -> None:
    woke = at("2026-11-30 08:00")
    assert next_one(DAILY, at("2026-10-30 03:10"), woke) <= woke
    assert next_one(DAILY, woke, woke) > woke


def test_a_clock_that_was_years_ahead_does_not_end_backups() -> None:
    now = at("2026-11-30 12:00")
    assert next_one(DAILY, at("2044-01-01 00:00"), now) == now
    assert next_one(DAILY, now, now) > now


def test_a_clock_that_is_set_back_a_little_brings_no_second_backup() -> None:
    now = at("2026-11-30 12:00")
    assert next_one(DAILY, now + timedelta(seconds=5), now) > now


def test_a_device_that_starts_waits_for_its_share_of_the_first_minutes() -> None:
    now = at("2026-11-30 08:00")
    for share in (0.0, 0.5):
        found = due(DAILY, at("2026-10-01 03:00"), now, started=now, zone=BERLIN, share=share)
        assert found == now + START_SPREAD * share


def test_a_device_that_started_under_a_clock_that_was_ahead_does_not_wait_for_it() -> None:
    now = at("2026-11-30 08:00")
    found = due(DAILY, None, now, started=at("2044-01-01 00:00"), zone=BERLIN, share=0.5)
    assert found == now


def test_devices_start_at_different_moments_and_each_always_at_the_same() -> None:
    shares = [share_of(f"device {each}") for each in range(100)]
    assert all(0 <= share < 1 for share in shares)
    assert len({round(share, 2) for share in shares}) > 50
    assert [share_of(f"device {each}") for each in range(100)] == shares
    now = at("2026-11-30 12:00")
    spread = [next_one(DAILY, now, now, share=share) for share in shares]
    assert at("2026-12-01 03:00") <= min(spread) < max(spread) < at("2026-12-01 03:00") + SPREAD


@given(frequencies, moments, zones, shares)
def test_a_backup_is_due_within_one_period_of_the_last_one(
    frequency: BackupFrequency | timedelta, last: datetime, zone: tzinfo, share: float
) -> None:
    found = next_one(frequency, last, last, zone, share)
    assert timedelta(0) < found - last <= longest(frequency) + timedelta(days=1)


@given(frequencies, moments, moments, zones, shares)
def test_one_backup_is_enough_and_the_next_is_never_far(
    frequency: BackupFrequency | timedelta, last: datetime, now: datetime, zone: tzinfo, share: float
) -> None:
    assert next_one(frequency, last, now, zone, share) - now <= 2 * longest(frequency) + timedelta(days=1)
    assert next_one(frequency, now, now, zone, share) > now


@given(frequencies, moments, st.timedeltas(timedelta(0), timedelta(days=40)), zones, shares)
def test_what_is_due_does_not_depend_on_when_one_asks(
    frequency: BackupFrequency | timedelta, last: datetime, later: timedelta, zone: tzinfo, share: float
) -> None:
    assert next_one(frequency, last, last + later, zone, share) == next_one(frequency, last, last, zone, share)
