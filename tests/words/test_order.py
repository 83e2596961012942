from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.order import Order, cursor_of, in_order, is_after, place_in, place_of, title_key
from edda_sync.words.query import Plan, TaskQuery, plan

TIME, LATER = "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"
URGENT = plan(TaskQuery()).order
ROWS = st.builds(
    lambda title, priority, due, created, number: {
        "title": title, "priority": priority, "due_date": due, "created_at": created, "updated_at": created,
        "id": values.id_text(bytes([number] * 16)),
    },
    st.sampled_from(["apple", "Äpfel", "apfel", "APPLE", "Zebra", "ñandú", "日本", "Straße", "strasse", "", "1", "a\1b"]),
    st.integers(0, 4), st.sampled_from([None, TIME, LATER]), st.sampled_from([TIME, LATER]), st.integers(0, 255),
)  # fmt: skip
ORDERS = st.builds(
    lambda order, down: plan(TaskQuery(order=order, descending=down)).order,
    st.sampled_from(["urgent", "title", "due_date", "created_at", "priority"]), st.booleans(),
)  # fmt: skip


def row(**columns: Any) -> dict[str, Any]:
    return {"title": "t", "due_date": None, **columns}


@pytest.mark.parametrize(
    "titles",
    [
        ["Äpfel", "apple", "Zebra"],
        ["cafe", "café", "cafés"],
        ["Straße", "Strassen"],
        ["Øre", "ost", "Österreich", "otter"],
        ["Ellipse", "Épée", "etage"],
        ["ёлка", "ель"],
        ["ｆｕｌｌ", "fund"],
        ["ﬁne", "fini"],
        ["か", "が", "き"],
        ["2 eggs", "a"],
    ],
)
def test_titles_that_people_look_for_together_stand_together(titles: list[str]) -> None:
    keys = [title_key(each) for each in titles]
    assert keys == sorted(keys)


@given(st.text(max_size=6), st.text(max_size=6))
def test_different_titles_have_different_keys(one: str, other: str) -> None:
    assert (title_key(one) == title_key(other)) == (one == other)


def ordered(checked: Plan, rows: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in in_order(checked.order, rows, lambda each, name: each[name])]


def test_tasks_without_due_date_come_last_in_either_direction() -> None:
    rows = [row(id="a", due_date=None), row(id="b", due_date=LATER), row(id="c", due_date=TIME)]
    assert ordered(plan(TaskQuery(order="due_date")), rows) == ["c", "b", "a"]
    assert ordered(plan(TaskQuery(order="due_date", descending=True)), rows) == ["b", "c", "a"]


def test_titles_sort_by_their_base_letters_then_accents_then_case_then_id() -> None:
    titles = {"a": "beta", "b": "Alpha", "c": "alpha", "d": "Zeta", "e": "émigré", "f": "Éclair"}
    rows = [row(id=name, title=title) for name, title in titles.items()]
    assert ordered(plan(TaskQuery(order="title")), rows) == ["b", "c", "a", "f", "e", "d"]
    assert ordered(plan(TaskQuery(order="title", descending=True)), rows) == ["d", "e", "f", "a", "c", "b"]


def test_rows_ranked_by_relevance_keep_their_order() -> None:
    rows = [row(id="b"), row(id="c"), row(id="a")]
    assert ordered(plan(TaskQuery(text="t", order="relevance")), rows) == ["b", "c", "a"]


@given(st.lists(ROWS, max_size=8, unique_by=lambda each: each["id"]), ORDERS)
def test_the_rows_after_a_row_are_those_that_follow_it(rows: list[dict[str, Any]], order: Order) -> None:
    listed = in_order(order, list(rows), lambda each, name: each[name])
    for at, each in enumerate(listed):
        place = place_in(order, cursor_of(order, place_of(order, each)))
        assert [other["id"] for other in listed if is_after(order, place, other)] == [o["id"] for o in listed[at + 1 :]]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "", "%", "x", 5, encoded({}), encoded([]), encoded([1]), encoded(["priority,due_date,created_at,id", 1]),
        encoded(["priority,due_date,created_at,id", "1", None, TIME, "a"]),
        encoded(["priority,due_date,created_at,id", True, None, TIME, "a"]),
        encoded(["priority,due_date,created_at,id", 2**70, None, TIME, "a"]),
        encoded(["priority,due_date,created_at,id", 1, None, None, "a"]),
        encoded(["priority,due_date,created_at,id", 1, None, TIME, "\ud800"]),
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(cursor: object) -> None:
    with pytest.raises(InvalidValueError) as caught:
        place_in(URGENT, cursor)
    assert caught.value.field == "after"
