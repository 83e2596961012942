from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import pytest

from edda_sync.cli.days import WEEKDAYS, Day
from edda_sync.words.errors import InvalidValueError

SATURDAY = datetime.date(2026, 2, 28)


@pytest.mark.parametrize(
    ("word", "date"),
    [
        ("today", "2026-02-28"),
        ("Tomorrow", "2026-03-01"),
        (" yesterday ", "2026-02-27"),
        ("sunday", "2026-03-01"),
        ("FRIDAY", "2026-03-06"),
        ("saturday", "2026-03-07"),
    ],
)
def test_a_word_becomes_the_date_that_it_means(word: str, date: str) -> None:
    assert Day(lambda: SATURDAY).convert(word, None, None) == date


@pytest.mark.parametrize("text", ["2026-03-01", "none", "2026-03-01T09:30:00Z"])
def test_a_date_or_time_stays_as_it_was_typed(text: str) -> None:
    assert Day(lambda: SATURDAY, or_none=True).convert(text, None, None) == text


@pytest.mark.parametrize("text", ["some day", "", "none", "2026-02-30"])
def test_a_word_that_is_no_date_is_refused_with_examples_of_dates(text: str) -> None:
    with pytest.raises(InvalidValueError, match="such as 2026-03-01, today, tomorrow or friday"):
        Day(lambda: SATURDAY).convert(text, None, None)


def test_each_day_of_the_week_is_within_the_next_seven_days() -> None:
    for number in range(7):
        today = SATURDAY + datetime.timedelta(days=number)
        spoken = Day(partial(datetime.date, today.year, today.month, today.day))
        found = [datetime.date.fromisoformat(spoken.convert(day, None, None)) for day in WEEKDAYS]
        assert sorted((each - today).days for each in found) == [1, 2, 3, 4, 5, 6, 7]
        assert [each.weekday() for each in found] == list(range(7))


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
    assert edda("task", "add", "x", "--due", "some day", code=2).stderr.startswith("--due: is not a date such as")
    edda("task", "edit", task, "--due", "none")
    assert edda.json("task", "show", task)["due_date"] is None
