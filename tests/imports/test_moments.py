from __future__ import annotations

import datetime
import time
from zoneinfo import ZoneInfo

import pytest

from edda_sync.imports.moments import moment


def test_a_zone_is_kept_a_day_stays_that_day_and_what_is_no_time_is_none() -> None:
    assert moment("2026-03-01T10:00:00+05:30") == "2026-03-01T04:30:00.000Z"
    assert moment("2026-03-01T10:00", ZoneInfo("Asia/Tokyo")) == "2026-03-01T01:00:00.000Z"
    assert moment(datetime.date(2026, 3, 1), ZoneInfo("Asia/Tokyo")) == "2026-03-01T00:00:00.000Z"
    assert moment(" 2026-03-01 ") == "2026-03-01T00:00:00.000Z"
    for no_time in ("soon", "", None, 5, datetime.datetime(1, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))):
        assert moment(no_time) is None


def test_a_time_without_a_zone_is_one_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert moment("2026-03-01T10:00") == "2026-03-01T15:00:00.000Z"
        assert moment(datetime.datetime(2026, 7, 1, 10)) == "2026-07-01T14:00:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()
