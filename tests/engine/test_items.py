"""Items from rows and cells: the content of a store or change, as the objects that programs use."""

from __future__ import annotations

from edda_sync.engine.items import blank_item, item_of_row, item_with, matches_item, set_cells
from edda_sync.words import values
from edda_sync.words.model import Cells, Document, Task, base_of, changed_cells
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

ID = "0192f0c1-0000-7000-8000-000000000001"
PARENT = "0192f0c1-0000-7000-8000-000000000002"
NOW = "2027-01-01T00:00:00.000Z"
TASK = (ID, "Buy milk", None, "open", 2, NOW, NOW, None, None, None, '{"shop":"corner"}', "{}")


def changed(item: Task | Document) -> Cells:
    return changed_cells(item, base_of(item))


def task() -> Task:
    item = item_of_row("task", TASK, ["home"])
    assert isinstance(item, Task)
    return item


def test_a_row_is_read_as_it_is_stored_with_its_tags() -> None:
    item = task()
    assert (item.id, item.title, item.description, item.priority) == (ID, "Buy milk", None, 2)
    assert (item.metadata, item.agent_context, item.tags) == ({"shop": "corner"}, {}, {"home"})
    row = (ID, "Note", "text/markdown", "words", "note", NOW, NOW, "abc", "{}", "{}")
    document = item_of_row("document", row, [])
    assert isinstance(document, Document)
    assert (document.content, document.doc_type, document.version) == ("words", "note", "abc")


def test_an_item_remembers_its_row_and_says_what_was_changed_since() -> None:
    item = task()
    assert changed(item) == {}
    item.title = "Buy bread"
    item.metadata["shop"] = "market"
    item.tags.add("food")
    assert {name.partition(".")[0] for name in changed(item)} == {"title", "metadata", "tag"}


def test_a_value_that_another_program_wrote_is_shown_and_raises_nothing() -> None:
    row = (ID, b"Buy \xff", b"words", "sideways", 99, *TASK[5:10], "no JSON", b"[]")
    item = item_of_row("task", row, [])
    assert isinstance(item, Task)
    assert (item.title, item.description, item.status) == ("Buy \ufffd", "words", "sideways")
    assert (item.metadata, item.agent_context) == ({}, {})


def test_a_new_item_has_the_defaults_of_a_stored_one() -> None:
    item = blank_item("task", ID)
    assert isinstance(item, Task)
    assert (item.status, item.priority, item.tags) == (values.STATUS_DEFAULT, values.PRIORITY_DEFAULT, set())
    document = blank_item("document", ID)
    assert isinstance(document, Document)
    assert document.content is None


def test_cells_of_a_draft_are_set_key_by_key_and_none_removes_a_key() -> None:
    item = task()
    set_cells(item, {"title": "Buy bread", "metadata.shop": None, "metadata.price": values.json_value("metadata", 3)})
    assert (item.title, item.metadata) == ("Buy bread", {"price": 3})
    set_cells(item, {"status": ["done", NOW], "parent_id": values.id_bytes("id", PARENT)})
    assert (item.status, item.completed_at, item.parent_id) == ("done", NOW, PARENT)
    set_cells(item, {"status": "open", "parent_id": None})
    assert (item.status, item.completed_at, item.parent_id) == ("open", None, None)


def test_a_tag_in_another_spelling_is_the_same_tag() -> None:
    item = task()
    set_cells(item, {f"tag.{values.tag_id('home')}": "Home", f"tag.{values.tag_id('food')}": "food"})
    assert item.tags == {"Home", "food"}
    set_cells(item, {f"tag.{values.tag_id('HOME')}": None})
    assert item.tags == {"food"}


def test_a_link_is_not_a_field_of_an_item() -> None:
    item = task()
    set_cells(item, {f"link.{PARENT}": "spec"})
    assert changed(item) == {}


def test_an_item_matches_a_query_as_its_row_does() -> None:
    item = task()
    assert matches_item(plan(TaskQuery(tags=("HOME",))), item)
    assert not matches_item(plan(TaskQuery(tags=("work",))), item)
    assert not matches_item(plan(TaskQuery(status=("done",))), item)
    note = blank_item("document", ID)
    assert matches_item(plan(DocumentQuery(task=PARENT)), note, among=True)
    assert not matches_item(plan(DocumentQuery(task=PARENT)), note, among=False)


def test_the_cells_of_a_creation_give_the_fields_that_were_set_and_no_others() -> None:
    cells = {"title": "t", "status": "open", "tag." + values.tag_id("work"): "work", "metadata.a": "1"}
    assert item_with("task", ID, cells) == Task(id=ID, title="t", status="open", tags={"work"}, metadata={"a": 1})
    assert item_with("document", ID, {"title": "t"}) == Document(id=ID, title="t")
