"""
When the next backup is due.

Time is divided into periods that begin at fixed moments: each day, each Monday, or each first of a month, at three
o'clock in the night by local time; or, for an interval of a person's own, at its multiples since 1970. A backup is due
at the first such moment after the last backup. So a device that slept through many of them takes one backup when it
wakes, and a backup on demand moves nothing.

Each device adds its own share of a spread to these moments, so that not all of them write to one place at once.

A clock may be wrong. If the last backup was taken more than one period *after* now, one of its two clocks was wrong,
and a backup is due at once; otherwise a clock that was once years ahead would end all backups until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from hashlib import blake2b
from typing import Final

from edda_sync.words.config import BackupFrequency

HOUR: Final = time(3)  # when few people work
SPREAD: Final = timedelta(hours=2)  # from then on
START_SPREAD: Final = timedelta(minutes=5)  # after a device began to run
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTHS: Final = {
    BackupFrequency.DAILY: timedelta(days=1),
    BackupFrequency.WEEKLY: timedelta(weeks=1),
    BackupFrequency.MONTHLY: timedelta(days=31),
}


def share_of(device: str) -> float:
    """Return a device's share of a spread, from 0 up to 1: always the same for a device, and different for most."""
    return int.from_bytes(blake2b(device.encode(), digest_size=4, person=b"edda-schedule").digest(), "big") / 2**32


def due(
    frequency: BackupFrequency | timedelta,
    last: datetime | None,
    now: datetime,
    *,
    started: datetime,
    zone: tzinfo | None,
    share: float,
) -> datetime | None:
    """
    Return when the next backup is due. If that is now or past, take one, and ask again with it as the last one.

    Args:
        frequency: How often a backup is taken.
        last: When the last one was taken; None if there is none.
        now: The present moment.
        started: When this device began to run. Nothing is due in the first minutes, of which each device takes its share.
        zone: The local time zone; None for that of this machine, with its summer time.
        share: What :func:`share_of` returns for this device.

    Returns:
        The moment in UTC; None for never.
    """
    if frequency == BackupFrequency.NEVER:
        return None
    now, started = now.astimezone(UTC), started.astimezone(UTC)
    length = frequency if isinstance(frequency, timedelta) else _LENGTHS[frequency]
    if last is None or last.astimezone(UTC) > now + length:
        moment = now
    elif isinstance(frequency, timedelta):
        moment = _multiple_after(last.astimezone(UTC), frequency, frequency * share)
    else:
        moment = _night_after(last, frequency, zone, SPREAD * share)
    ready = started + START_SPREAD * share
    return max(moment, ready) if ready <= now + START_SPREAD else moment  # unless the clock was set back since


def _multiple_after(last: datetime, interval: timedelta, offset: timedelta) -> datetime:
    return _EPOCH + offset + ((last - _EPOCH - offset) // interval + 1) * interval


def _night_after(last: datetime, frequency: BackupFrequency, zone: tzinfo | None, offset: timedelta) -> datetime:
    nights = (
        datetime.combine(day, HOUR, zone).astimezone(UTC) + offset
        for day in _days(last.astimezone(zone).date(), frequency)
    )
    return next(night for night in nights if night > last.astimezone(UTC))


def _days(day: date, frequency: BackupFrequency) -> Iterator[date]:
    """Yield the days on which periods begin, from the one that a day is in."""
    if frequency == BackupFrequency.MONTHLY:
        day = day.replace(day=1)
    elif frequency == BackupFrequency.WEEKLY:
        day -= timedelta(days=day.weekday())
    while True:
        yield day
        if frequency == BackupFrequency.MONTHLY:
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += _LENGTHS[frequency]
