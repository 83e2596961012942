from __future__ import annotations

import datetime
from typing import Any

import pytest

from edda_sync.cli.days import Day, Days, Moment
from edda_sync.words import dates, spans
from edda_sync.words.dates import Clock
from edda_sync.words.errors import InvalidValueError

NOON = Clock(datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC), datetime.UTC)  # a Saturday


def test_an_option_takes_what_a_person_calls_a_day() -> None:
    assert Day(lambda: NOON).convert("tomorrow", None, None) == dates.read("due", "2026-03-01", NOON)
    assert Days(lambda: NOON).convert("week", None, None) == spans.read("due", "week", NOON)


def test_a_moment_that_was_is_stored_as_utc() -> None:
    assert Moment(lambda: NOON).convert("friday", None, None) == "2026-02-27T00:00:00.001Z", (
        "the first moment, and no day"
    )
    assert Moment(lambda: NOON).convert("10:00", None, None) == "2026-02-28T10:00:00.000Z"


def test_none_stays_where_it_may_be_said() -> None:
    assert Day(lambda: NOON, or_none=True).convert("none", None, None) == "none"
    assert [Days().convert(word, None, None) for word in ("none", "any")] == ["none", "any"]
    with pytest.raises(InvalidValueError):
        Day(lambda: NOON).convert("none", None, None)


def test_a_task_is_due_tomorrow_and_found_so(edda: Any) -> None:
    before = datetime.date.today()
    task = edda.id_of("task", "add", "Soon", "--due", "tomorrow")
    after = datetime.date.today()
    tomorrows = {f"{day + datetime.timedelta(days=1)}T00:00:00.000Z" for day in (before, after)}
    assert edda.json("task", "show", task)["due_date"] in tomorrows
    assert edda.json("task", "list", "--due-after", "yesterday") != []
    assert edda.json("task", "list", "--due-before", "yesterday") == []
    edda("task", "edit", task, "--due", "today")
    assert edda.json("task", "show", task)["due_date"] not in tomorrows or before != after
    edda("task", "edit", task, "--due", "none")
    assert edda.json("task", "show", task)["due_date"] is None


@pytest.mark.parametrize("option", ["--due", "--due-before", "--due-after"])
def test_a_value_that_is_no_date_is_named_with_its_option(edda: Any, option: str) -> None:
    said = edda("task", "list", option, "some day", code=2).stderr
    assert said.startswith(f"{option}: 'some day' is not a date such as")
