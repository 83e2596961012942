"""Drafts: a pure list of what a transaction wants to do."""

from __future__ import annotations

import pytest

from edda_sync.changes.drafts import Delete, EditText, Expect, Put, Rewrite, Touch
from edda_sync.crdt.keys import key_of
from edda_sync.engine.drafting import Drafts
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Document, Task

ID, OTHER = "0192f0c1-79b0-7cc3-98c4-dc0c0c07398f", "0192f0c1-79b0-7cc3-98c4-dc0c0c073990"
RAW, OTHER_RAW = values.id_bytes("id", ID), values.id_bytes("id", OTHER)
TAG = values.tag_id("home")
TAG_RAW = values.id_bytes("id", TAG)


def test_a_new_item_also_has_the_cells_of_its_kind_that_nobody_set() -> None:
    drafts = Drafts()
    drafts.create(Task(title="t"), ID)
    drafts.create(Document(title="d", content=None), OTHER)
    task, document = drafts.listed
    assert isinstance(task, Put)
    assert isinstance(document, Put)
    assert task.new
    assert set(task.cells) == {"title", "status", "priority", "created_at"}
    assert set(document.cells) == {"title", "content_type", "doc_type", "created_at"}


def test_a_new_item_with_a_given_id_must_not_exist_yet() -> None:
    drafts = Drafts()
    drafts.create(Task(id=ID, title="t"), ID)
    assert drafts.listed[0] == Expect("task", RAW, present=False)


def test_a_parent_must_exist_unless_it_is_made_in_the_same_transaction() -> None:
    drafts = Drafts()
    drafts.create(Task(title="t", parent_id=OTHER), ID)
    assert drafts.listed[0] == Expect("task", OTHER_RAW)
    drafts = Drafts()
    drafts.create(Task(title="above"), OTHER)
    drafts.create(Task(title="below", parent_id=OTHER), ID)
    assert not any(isinstance(each, Expect) for each in drafts.listed)


def test_an_item_without_a_title_is_not_made() -> None:
    with pytest.raises(InvalidValueError, match="title"):
        Drafts().create(Task(), ID)


def test_an_update_writes_a_whole_text_beside_the_other_cells() -> None:
    drafts = Drafts()
    drafts.update("task", RAW, {"title": "new", "description": "words", "parent_id": OTHER_RAW}, "wor")
    assert drafts.listed[:3] == [Expect("task", RAW), Expect("task", OTHER_RAW), Rewrite("task", RAW, "wor", "words")]
    put = drafts.listed[3]
    assert isinstance(put, Put)
    assert put.cells == {"title": "new", "parent_id": OTHER_RAW}
    assert list(drafts.of(key_of("task", RAW))) == [drafts.listed[2], put]
    assert drafts.ids("task") == [RAW]
    assert drafts.ids("document") == []


def test_an_edit_counts_positions_in_what_was_seen_or_in_what_the_commit_finds() -> None:
    drafts = Drafts()
    drafts.edit_text("document", RAW, [(0, 1, "x")], "seen")
    drafts.edit_text("document", RAW, [(0, 1, "x")], None)
    seen, found = drafts.listed
    assert isinstance(seen, EditText)
    assert isinstance(found, EditText)
    assert seen.base is not None
    assert seen.base() == "seen"
    assert found.base is None


def test_an_item_that_is_used_again_after_its_deletion_in_a_transaction_is_touched_instead() -> None:
    """A deletion would cover its whole change, even what follows it."""
    drafts = Drafts()
    drafts.add(Delete("tag", TAG_RAW))
    assert drafts.is_deleted(key_of("tag", TAG_RAW))
    drafts.add_tag("task", RAW, "home")
    assert drafts.listed[0] == Touch("tag", TAG_RAW)
    assert not drafts.is_deleted(key_of("tag", TAG_RAW))
    drafts.add(Delete("task", RAW))
    drafts.add(Touch("task", RAW))
    assert Delete("task", RAW) not in drafts.listed


def test_only_the_changes_of_an_existing_tag_are_written() -> None:
    row = (TAG, "home", None, None, "2026-03-01T09:30:00.000Z")
    drafts = Drafts()
    assert drafts.create_tag("home", None, None, row) == TAG
    assert drafts.listed == []
    drafts.create_tag("Home", "red", None, row)
    (put,) = drafts.listed
    assert isinstance(put, Put)
    assert put.cells == {"name": "Home", "color": "red"}
    drafts = Drafts()
    drafts.add(Delete("tag", TAG_RAW))
    drafts.create_tag("home", None, None, row)
    assert drafts.listed == [Touch("tag", TAG_RAW), Touch("tag", TAG_RAW)]


def test_renaming_a_tag_moves_all_items_that_carry_it_and_deletes_the_old_tag() -> None:
    drafts, new = Drafts(), values.tag_id("work")
    drafts.rename_tag(TAG, new, "work", [("task", ID), ("document", OTHER)])
    *puts, last = drafts.listed
    assert last == Delete("tag", TAG_RAW)
    assert [each.kind for each in puts] == ["task", "document"]
    assert all(isinstance(each, Put) and each.cells == {f"tag.{new}": "work", f"tag.{TAG}": None} for each in puts)
