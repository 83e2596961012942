"""Conditions on rows in memory. What a query means is in ``test_query.py``, for rows in memory, too."""

from __future__ import annotations

import pytest

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.fitting import matches, reached, sorting
from edda_sync.words.model import Task
from edda_sync.words.query import DocumentQuery, TaskQuery, cursor, plan

BERLIN, PARIS = {"lat": 52.52, "lon": 13.405}, {"lat": 48.86, "lon": 2.35}
ROWS = [{"id": name, "metadata": {"location": place}} for name, place in (("a", PARIS), ("b", BERLIN), ("c", None))]


def test_rows_near_a_place_fit_and_are_sorted_by_their_distance() -> None:
    near = plan(TaskQuery(near=(52.5, 13.4), within=1_000_000))
    fitting = [row for row in ROWS if matches(near, row, ())]
    assert [row["id"] for row in sorted(fitting, key=lambda row: sorting(near, dict.__getitem__)(row, "distance"))] == [
        "b",
        "a",
    ]
    assert [row["id"] for row in ROWS if matches(plan(TaskQuery(near=(52.5, 13.4), within=100)), row, ())] == []
    assert sorting(near, dict.__getitem__)(ROWS[0], "id") == "a"


def test_texts_are_compared_as_a_whole_or_by_their_words() -> None:
    row = {"title": "Oat milk", "description": None}
    for condition, fits in (
        (("title", "=", "Oat milk"), True),
        (("title", "=", "oat milk"), False),
        (("title", "contains", "MIL*"), True),
        (("title", "contains", "soy"), False),
        (("title", ">=", "P"), False),
        (("description", "missing"), True),
        (("description", "!=", "x"), True),
        (("description", "contains", "x"), False),
    ):
        assert matches(plan(TaskQuery(where=[condition])), row, ()) is fits


def test_what_is_asked_of_the_wrong_kind_is_refused() -> None:
    for query in (
        TaskQuery(where={"content": "x"}), DocumentQuery(where={"description": "x"}), TaskQuery(within=5),
        TaskQuery(order="distance"), TaskQuery(near=(1, 2), place="title"), TaskQuery(near=(1, 2), place="x"),
        TaskQuery(near=(1, 2), after="x"), DocumentQuery(order="distance"),
    ):  # fmt: skip
        with pytest.raises(InvalidValueError):
            plan(query)


def test_a_distance_is_no_place_in_an_order() -> None:
    with pytest.raises(InvalidValueError) as caught:
        cursor(TaskQuery(near=(1, 2)), Task(title="T"))
    assert "offset" in str(caught.value)


def test_everything_below_a_task_is_reached_once() -> None:
    children = {"a": ["b", "c"], "b": ["d"], "d": ["b"]}
    assert reached("a", lambda task: children.get(task, [])) == {"b", "c", "d"}
