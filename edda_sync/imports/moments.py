"""Moments of a source: a zone is kept, and a time without one is local to who imports, as a person means it."""

from __future__ import annotations

import datetime

from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError


def moment(value: object, zone: datetime.tzinfo | None = None) -> str | None:
    """
    Return a time as RFC 3339 in UTC; None if it is none.

    Args:
        value: A ``datetime``, a ``date``, which stays that day (its first moment in UTC, as everywhere in a store), or ISO
            8601 text of one of them.
        zone: The zone of a time that names none; that of this machine by default.
    """
    if isinstance(value, str):
        value = _read(value.strip())
    try:
        if isinstance(value, datetime.datetime) and value.tzinfo is None:
            value = value.astimezone() if zone is None else value.replace(tzinfo=zone)
        return values.time("time", value)
    except (InvalidValueError, ValueError, OverflowError, OSError):
        return None


def _read(text: str) -> datetime.date | None:
    for kind in (datetime.date, datetime.datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    return None
