from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.fitting import matches, occurrences
from edda_sync.words.folding import GAP, tokens
from edda_sync.words.model import Task
from edda_sync.words.query import (
    DOCUMENT_ORDERS,
    MOST_URGENT,
    TASK_ORDERS,
    DocumentQuery,
    Plan,
    Query,
    TaskQuery,
    cursor,
    pages,
    plan,
)

TIME, LATER = "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"
TASK = values.id_text(bytes(16))


def row(**columns: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "id": TASK, "title": "t", "description": None, "content": None, "status": "open", "priority": 2,
        "created_at": TIME, "updated_at": TIME, "due_date": None, "parent_id": None, "doc_type": "note",
        "content_type": "text/plain",
    }  # fmt: skip
    return usual | columns


def fits(query: Query, *, tags: tuple[str, ...] = (), among: bool = True, **columns: Any) -> bool:
    return matches(plan(query), row(**columns), {values.tag_id(tag) for tag in tags}, among)


# --- plans ------------------------------------------------------------------------------------------------------------


def test_a_query_without_conditions_finds_everything_in_the_usual_order() -> None:
    tasks, documents = plan(TaskQuery()), plan(DocumentQuery())
    assert (tasks.kind, documents.kind) == ("task", "document")
    assert not any([tasks.equal, tasks.ranges, tasks.tag_ids, tasks.words, tasks.linked_from])
    assert not any([documents.equal, documents.ranges, documents.tag_ids, documents.words, documents.linked_from])
    assert tasks.order == (("priority", False), ("due_date", False), ("created_at", False), ("id", False))
    assert documents.order == (("updated_at", True), ("id", True))
    assert (tasks.limit, tasks.offset) == (limits.QUERY_LIMIT_MAX, 0)


def test_the_most_urgent_tasks_are_open_or_in_progress_and_at_most_fifty() -> None:
    urgent = plan(MOST_URGENT)
    assert urgent.equal == (("status", ("open", "in_progress")),)
    assert (urgent.limit, [name for name, _ in urgent.order]) == (50, ["priority", "due_date", "created_at", "id"])


def test_conditions_are_canonical_in_the_plan() -> None:
    checked = plan(
        TaskQuery(
            status="done", priority=(0, 1), tags=["Été"], parent=TASK.upper(), due_from="2026-03-01", limit=3, offset=4
        )
    )
    assert checked.equal == (("status", ("done",)), ("priority", (0, 1)), ("parent_id", (TASK,)))
    assert checked.ranges == (("due_date", TIME, None),)
    assert checked.tag_ids == (values.tag_id("été"),)
    assert (checked.limit, checked.offset) == (3, 4)
    assert plan(TaskQuery(parent="")).equal == (("parent_id", (None,)),)
    assert plan(DocumentQuery(task=TASK.upper())).linked_from == TASK


def test_the_order_of_a_plan_ends_with_the_id_so_that_pages_never_overlap() -> None:
    plans = [
        plan(TaskQuery(order=order, text="a", near=(1, 2), descending=down))
        for order in TASK_ORDERS
        for down in (False, True)
    ]
    plans += [plan(DocumentQuery(order=order, text="a")) for order in DOCUMENT_ORDERS]
    assert {each.order[-1][0] for each in plans} == {"id"}


def test_the_latest_documents_come_first_unless_the_order_is_reversed() -> None:
    assert plan(DocumentQuery(order="created_at")).order == (("created_at", True), ("id", True))
    assert plan(DocumentQuery(order="created_at", descending=True)).order == (("created_at", False), ("id", False))
    assert plan(DocumentQuery(order="title")).order == (("title", False), ("id", False))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (TaskQuery(status="later"), "status"),
        (TaskQuery(status=("open", "later")), "status"),
        (TaskQuery(priority=9), "priority"),
        (TaskQuery(tags=[""]), "tags"),
        (TaskQuery(parent="short"), "parent"),
        (TaskQuery(due_from="soon"), "due_from"),
        (TaskQuery(due_before="soon"), "due_before"),
        (TaskQuery(created_before="soon"), "created_before"),
        (DocumentQuery(updated_from="soon"), "updated_from"),
        (TaskQuery(text="  \0 "), "text"),
        (TaskQuery(text="* **"), "text"),
        (TaskQuery(text="a" * 10_001), "text"),
        (TaskQuery(order="random"), "order"),
        (TaskQuery(order="relevance"), "order"),
        (TaskQuery(limit=-1), "limit"),
        (TaskQuery(limit=limits.QUERY_LIMIT_MAX + 1), "limit"),
        (TaskQuery(offset=-1), "offset"),
        (DocumentQuery(order="urgent"), "order"),
        (DocumentQuery(doc_type=""), "doc_type"),
        (DocumentQuery(task="short"), "task"),
        (DocumentQuery(any_tags=[""]), "any_tags"),
        (TaskQuery(no_tags=[""]), "no_tags"),
        (TaskQuery(under="short"), "under"),
        (TaskQuery(document="short"), "document"),
        (TaskQuery(priority_from=5), "priority"),
        (TaskQuery(completed_from="soon"), "completed_from"),
        (TaskQuery(where="metadata.a=1"), "where"),
        (TaskQuery(where=[("status", "=", "a")]), "where"),
        (TaskQuery(where={"metadata.a": [1]}), "where"),
        (TaskQuery(after="nowhere"), "after"),
    ],
)
def test_an_unacceptable_condition_is_named(query: Query, field: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        plan(query)
    assert caught.value.field == field


@given(st.text(max_size=30))
def test_any_text_gives_words_or_a_refusal(text: str) -> None:
    try:
        words = plan(TaskQuery(text=text)).words
    except InvalidValueError:
        assert not tokens(text)
        return
    assert [word for each in words for word in each.words if word != GAP] == [w for w in tokens(text) if w != GAP]


# --- conditions over rows ---------------------------------------------------------------------------------------------


def test_every_set_condition_must_hold() -> None:
    assert fits(TaskQuery(status="open", priority=2), status="open", priority=2)
    assert not fits(TaskQuery(status="open", priority=2), status="open", priority=1)
    assert not fits(TaskQuery(status="open", priority=2), status="done", priority=2)


def test_a_condition_with_no_values_holds_for_nothing() -> None:
    assert not fits(TaskQuery(status=()))
    assert not fits(TaskQuery(priority=()))
    assert not fits(DocumentQuery(doc_type=()))


def test_a_range_includes_its_start_and_not_its_end_and_no_missing_date() -> None:
    assert fits(TaskQuery(due_from=TIME), due_date=TIME)
    assert not fits(TaskQuery(due_before=TIME), due_date=TIME)
    assert fits(TaskQuery(due_from=TIME, due_before=LATER), due_date=TIME)
    assert not fits(TaskQuery(due_from=TIME, due_before=LATER), due_date=LATER)
    assert not fits(TaskQuery(due_except=[(TIME, LATER)]), due_date=TIME)
    assert fits(TaskQuery(due_except=[(TIME, LATER)]), due_date=LATER)
    assert fits(TaskQuery(due_except=[(TIME, LATER)])), "what has no date is in no range"
    assert fits(TaskQuery(has_due=True), due_date=TIME)
    assert not fits(TaskQuery(has_due=False), due_date=TIME)
    assert fits(TaskQuery(has_due=False))
    assert not fits(TaskQuery(has_due=True))
    assert not fits(TaskQuery(due_from=TIME))
    assert not fits(TaskQuery(due_before=LATER))


def test_a_single_tag_or_status_needs_no_list() -> None:
    assert fits(TaskQuery(tags="work"), tags=("work",))
    assert not fits(DocumentQuery(tags="work"), tags=("w", "o", "r", "k"))


def test_an_item_must_have_all_tags_in_any_case() -> None:
    assert fits(TaskQuery(tags=["work", "HOME"]), tags=("Work", "home", "more"))
    assert not fits(TaskQuery(tags=["work", "home"]), tags=("work",))


def test_a_query_may_ask_for_parents_and_links() -> None:
    assert fits(TaskQuery(parent=TASK), parent_id=TASK)
    assert not fits(TaskQuery(parent=TASK))
    assert fits(TaskQuery(parent=""))
    assert not fits(TaskQuery(parent=""), parent_id=TASK)
    assert fits(DocumentQuery(task=TASK), among=True)
    assert not fits(DocumentQuery(task=TASK), among=False)


def test_an_item_must_have_one_of_some_tags_and_none_of_others() -> None:
    assert fits(TaskQuery(any_tags=["work", "home"]), tags=("HOME",))
    assert not fits(TaskQuery(any_tags=["work", "home"]), tags=("garden",))
    assert not fits(TaskQuery(tags="work", no_tags="late"), tags=("work", "Late"))
    assert fits(DocumentQuery(no_tags=["late", "old"]), tags=("work",))


def test_a_range_of_priorities_has_both_ends() -> None:
    assert [p for p in range(5) if fits(TaskQuery(priority_from=1, priority_to=3), priority=p)] == [1, 2, 3]
    assert [p for p in range(5) if fits(TaskQuery(priority_to=0), priority=p)] == [0]
    assert [p for p in range(5) if fits(TaskQuery(priority_from=4, priority=(3, 4)), priority=p)] == [4]
    assert not fits(TaskQuery(priority_from=3, priority_to=1), priority=2)


def test_conditions_on_metadata_compare_values_with_their_types() -> None:
    held: dict[str, Any] = {"metadata": '{"estimate":3,"owner":{"name":"ana"}}', "agent_context": '{"done":true}'}
    assert fits(TaskQuery(where={"metadata.estimate": 3, "metadata.owner.name": "ana"}), **held)
    assert fits(TaskQuery(where=[("metadata.estimate", ">=", 3), ("agent_context.done", "=", True)]), **held)
    assert not fits(TaskQuery(where={"metadata.estimate": "3"}), **held)
    assert fits(DocumentQuery(where=[("metadata.none", "missing"), ("metadata.owner", "exists")]), **held)


def test_a_cursor_continues_behind_the_place_of_an_item_even_if_the_item_changes() -> None:
    query = TaskQuery(order="title")
    after = cursor(query, Task(id=TASK, title="m"))
    assert not fits(TaskQuery(order="title", after=after), title="m")
    assert not fits(TaskQuery(order="title", after=after), title="Äpfel")
    assert fits(TaskQuery(order="title", after=after), title="Müsli")
    with pytest.raises(InvalidValueError, match="another order"):
        plan(TaskQuery(order="title", descending=True, after=after))
    with pytest.raises(InvalidValueError, match="fixed places"):
        cursor(TaskQuery(text="a", order="relevance"), Task(id=TASK, title="m"))
    with pytest.raises(InvalidValueError, match="fixed places"):
        plan(TaskQuery(text="a", order="relevance", after=after))


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("apple", 3), ("APPLE", 3), ("app", 0), ("app*", 3), ("apple pie", 4), ("pie apple", 4), ("apple cake", 0),
        ("red-apple", 1), ("apple-red", 0), ("re-ap*", 0), ("red-ap*", 1), ("-- apple", 3), ("pie-apple", 0),
        ('"apple pie"', 1), ('"pie apple"', 0), ('"red apple" and', 2),
    ],
)  # fmt: skip
def test_words_are_counted_in_title_and_text_and_never_across_both(text: str, count: int) -> None:
    columns = row(title="red apple pie", content="Apple and apple")
    assert occurrences(plan(DocumentQuery(text=text)), columns) == count
    assert matches(plan(DocumentQuery(text=text)), columns, ()) == (count > 0)


# --- pages ------------------------------------------------------------------------------------------------------------


@given(st.sets(st.sampled_from(["a", "a!", "a-", "ab", "b", "c1", "c2", "d"])), st.integers(1, 4))
def test_pages_list_all_rows_by_id_once(ids: set[str], size: int) -> None:
    asked: list[Plan] = []

    def read(plan: Plan) -> list[tuple[str]]:
        asked.append(plan)
        ((column, first, end),) = plan.ranges
        assert (column, end, plan.order) == ("id", None, (("id", False),))
        return [(each,) for each in sorted(ids) if each >= (first or "")][: plan.limit]

    found = list(pages(read, "task", size))
    assert [row[0] for page in found for row in page] == sorted(ids)
    assert all(len(page) == size for page in found[:-1])
    assert len(asked) == len(ids) // size + 1
    assert {plan.kind for plan in asked} == {"task"}
