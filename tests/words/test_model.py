from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.engine.items import blank_item, item_of_row, matches_item, set_cells
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.listed import Link, Tag
from edda_sync.words.model import (
    UNSET,
    Cells,
    Document,
    Item,
    Task,
    as_json,
    base_of,
    cells_of,
    changed_cells,
    parse_mapping,
    remember_base,
)
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

ID = "0192f0c1-79b0-7cc3-98c4-dc0c0c07398f"
TIME, LATER = "2026-03-01T09:30:00.000Z", "2026-03-02T09:30:00.000Z"


def changed(item: Item) -> Cells:
    return changed_cells(item, base_of(item))


def tag(name: str) -> str:
    return "tag." + values.tag_id(name)


def read_task(**different: Any) -> Task:
    """A task as a store returns it."""
    columns: dict[str, Any] = {
        "id": ID, "title": "t", "description": "words", "status": "open", "priority": 2, "created_at": TIME,
        "updated_at": TIME, "completed_at": None, "due_date": None, "parent_id": None, "metadata": '{"a":1,"b":[2]}',
        "agent_context": None,
    }  # fmt: skip
    row = tuple((columns | different).values())
    item = item_of_row("task", row, ["work", "home"])
    assert isinstance(item, Task)
    return item


def read_document() -> Document:
    row = (ID, "t", "text/plain", "words", "spec", TIME, TIME, "abc", None, '{"n":null}')
    item = item_of_row("document", row, [])
    assert isinstance(item, Document)
    return item


# --- what an object's fields stand for --------------------------------------------------------------------------------


def test_an_unset_field_is_not_written_and_is_not_none() -> None:
    assert cells_of(Task()) == cells_of(Document()) == {}
    assert Task().title is UNSET
    assert not UNSET
    assert repr(UNSET) == "UNSET"


def test_fields_become_cells_in_their_canonical_form() -> None:
    task = Task(
        title="t", description="d", status="blocked", priority=1, parent_id=ID.upper(), tags={"Été"},
        due_date=date(2026, 3, 1),
        metadata={"a": {"y": 1, "x": 2}}, agent_context={"b c": None},
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    midnight = "2026-03-01T00:00:00.000Z"
    assert cells_of(task) == {
        "title": "t", "description": "d", "status": "blocked", "priority": 1, "due_date": midnight,
        "parent_id": values.id_bytes("id", ID), "metadata.a": '{"x":2,"y":1}', "agent_context.b c": "null",
        tag("été"): "Été", "created_at": midnight,
    }  # fmt: skip
    document = Document(title="t", content="c", content_type="text/plain", doc_type="spec", tags=["a", "A"])  # type: ignore[arg-type]
    assert cells_of(document) == {
        "title": "t", "content": "c", "content_type": "text/plain", "doc_type": "spec", tag("a"): "A",
    }  # fmt: skip


def test_none_clears_a_field_that_can_be_empty() -> None:
    cleared = cells_of(Task(description=None, due_date=None, parent_id=None))
    assert cleared == {"description": None, "due_date": None, "parent_id": None}
    assert cells_of(Document(content=None)) == {"content": None}


def test_a_time_of_completion_belongs_to_the_status_that_it_comes_with() -> None:
    assert cells_of(Task(status="done", completed_at=TIME)) == {"status": ["done", TIME]}
    assert cells_of(Task(status="open", completed_at=TIME)) == {"status": "open"}
    assert cells_of(Task(status="done", completed_at=None)) == {"status": "done"}
    with pytest.raises(InvalidValueError, match="set the status too"):
        cells_of(Task(completed_at=TIME))


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (Task(title=""), "title"),
        (Task(title=None), "title"),  # type: ignore[arg-type]
        (Task(description=5), "description"),  # type: ignore[arg-type]
        (Task(status="later"), "status"),
        (Task(priority=None), "priority"),  # type: ignore[arg-type]
        (Task(due_date="soon"), "due_date"),
        (Task(parent_id="short"), "parent_id"),
        (Task(metadata=[1]), "metadata"),  # type: ignore[arg-type]
        (Task(metadata={"": 1}), "metadata"),
        (Task(agent_context={"a": {1, 2}}), "agent_context"),
        (Task(tags="work"), "tags"),  # type: ignore[arg-type]
        (Task(tags=None), "tags"),  # type: ignore[arg-type]
        (Task(tags={""}), "tags"),
        (Task(created_at="soon"), "created_at"),
        (Document(content=b""), "content"),  # type: ignore[arg-type]
        (Document(content_type="two\nlines"), "content_type"),
        (Document(doc_type=""), "doc_type"),
    ],
)
def test_an_unacceptable_value_is_named(item: Item, field: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        cells_of(item)
    assert caught.value.field == field


# --- what an update writes --------------------------------------------------------------------------------------------


def test_an_unchanged_object_that_was_read_writes_nothing() -> None:
    assert changed(read_task()) == {}
    assert changed(read_task(status="done", completed_at=TIME)) == {}
    assert changed(read_document()) == {}


def test_an_object_that_was_read_writes_only_its_changes() -> None:
    task = read_task()
    task.title, task.metadata["c"], task.metadata["a"] = "new", 3, 1.5
    del task.metadata["b"]
    task.tags = {"work", "urgent"}
    task.due_date = LATER
    assert changed(task) == {
        "title": "new", "metadata.c": "3", "metadata.a": "1.5", "metadata.b": None, tag("urgent"): "urgent",
        tag("home"): None, "due_date": LATER,
    }  # fmt: skip


def test_an_object_that_was_not_read_writes_all_set_fields_and_removes_nothing() -> None:
    assert changed(Task(id=ID, metadata={"c": 3}, tags={"x"})) == {"metadata.c": "3", tag("x"): "x"}


def test_a_mapping_that_is_unset_or_none_removes_no_keys_that_were_read() -> None:
    task = read_task()
    task.metadata, task.tags = UNSET, UNSET
    assert changed(task) == {}


def test_finishing_a_task_that_was_read_does_not_bring_back_its_former_time_of_completion() -> None:
    task = read_task(status="done", completed_at=TIME)
    task.status = "open"
    assert changed(task) == {"status": "open"}
    task.status = "done"
    assert changed(task) == {}
    task.completed_at = LATER
    assert changed(task) == {"status": ["done", LATER]}


def test_the_next_update_compares_with_the_version_that_was_written() -> None:
    task = read_task()
    task.title = "new"
    remember_base(task)
    assert changed(task) == {}
    task.title = "t"
    assert changed(task) == {"title": "t"}


tasks = st.builds(
    Task,
    title=st.sampled_from(["t", "u"]),
    description=st.none() | st.sampled_from(["words", "more"]),
    status=st.sampled_from(values.STATUSES),
    priority=st.integers(0, 4),
    due_date=st.none() | st.just(TIME),
    metadata=st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
    tags=st.sets(st.sampled_from(["work", "home"])),
)


@given(tasks, tasks)
def test_the_changes_lead_from_one_version_to_the_other(one: Task, other: Task) -> None:
    remember_base(one)
    before = cells_of(one)
    for name in ("title", "description", "status", "priority", "due_date", "metadata", "tags"):
        setattr(one, name, getattr(other, name))
    after = before | changed(one)

    def present(cells: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in cells.items() if value is not None}

    assert present(after) == present(cells_of(other))


# --- as JSON ----------------------------------------------------------------------------------------------------------


def test_an_object_as_json_has_the_names_of_the_columns_and_sorted_tags() -> None:
    found = as_json(read_task())
    assert list(found) == [
        "id", "title", "description", "status", "priority", "due_date", "parent_id", "metadata", "agent_context", "tags",
        "created_at", "updated_at", "completed_at",
    ]  # fmt: skip
    assert found["tags"] == ["home", "work"]
    assert found["metadata"] == {"a": 1, "b": [2]}
    assert as_json(Task(title="t")) == {"title": "t"}
    made = Tag(id=ID, name="work", color=None, description=None, created_at=TIME)
    assert as_json(made) == {"id": ID, "name": "work", "color": None, "description": None, "created_at": TIME}
    link = Link(task_id=ID, document_id=ID, relationship_type="reference", created_at=TIME)
    assert as_json(link)["relationship_type"] == "reference"


def test_a_copy_of_an_object_has_the_same_unset_fields_and_the_same_version() -> None:
    made = copy.deepcopy(Task(title="t"))
    assert made.status is UNSET
    assert pickle.loads(pickle.dumps(made)).status is UNSET
    task = copy.deepcopy(read_task())
    task.title = "new"
    assert changed(pickle.loads(pickle.dumps(task))) == {"title": "new"}


def test_unchanged_fields_that_were_read_are_not_checked() -> None:
    task = read_task(status="paused", title="", priority=7)  # written by a newer version or another program
    assert changed(task) == {}
    task.priority = 1
    assert changed(task) == {"priority": 1}
    task.status = "halted"
    with pytest.raises(InvalidValueError, match="status"):
        changed(task)


def test_changing_a_mapping_does_not_change_the_version_that_was_read() -> None:
    task = read_task()
    task.metadata["b"].append(3)
    assert changed(task) == {"metadata.b": "[2,3]"}


def test_a_column_without_a_mapping_is_an_empty_one() -> None:
    assert parse_mapping(None) == {}
    assert parse_mapping('{"a":[1]}') == {"a": [1]}
    assert parse_mapping("{") == parse_mapping("[1]") == {}


# --- what is not committed yet ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["task", "document"])
def test_a_new_item_has_every_field_set(kind: str) -> None:
    item = blank_item(kind, ID)
    unset = [name for name in item.__dataclass_fields__ if getattr(item, name) is UNSET]
    assert unset == []


def test_the_cells_of_a_draft_show_in_its_item() -> None:
    item = blank_item("task", ID)
    parent = values.id_bytes("id", ID)
    drawn = {
        "title": "new", "status": ["done", TIME], "priority": 0, "parent_id": parent, "metadata.a.b": "[1]",
        "agent_context.x": "null", tag("Work"): "Work", f"link.{ID}": "reference", "created_at": LATER,
    }  # fmt: skip
    set_cells(item, drawn)
    assert isinstance(item, Task)
    assert (item.title, item.status, item.completed_at, item.priority) == ("new", "done", TIME, 0)
    assert (item.parent_id, item.metadata, item.agent_context) == (ID, {"a.b": [1]}, {"x": None})
    assert (item.tags, item.created_at) == ({"Work"}, LATER)
    set_cells(item, {"status": "open", "parent_id": None, "metadata.a.b": None, tag("work"): "work", "created_at": 0})
    assert (item.status, item.completed_at, item.parent_id, item.metadata) == ("open", None, None, {})
    assert (item.tags, item.created_at) == ({"work"}, LATER)
    set_cells(item, {tag("WORK"): None})
    assert item.tags == set()


def test_an_item_matches_a_plan_as_its_row_does() -> None:
    task, document = read_task(), read_document()
    assert matches_item(plan(TaskQuery(status="open", tags=["WORK"], text="words")), task)
    assert not matches_item(plan(TaskQuery(tags=["other"])), task)
    assert matches_item(plan(DocumentQuery(doc_type="spec", task=ID)), document, True)
    assert not matches_item(plan(DocumentQuery(doc_type="spec", task=ID)), document, False)
