from __future__ import annotations

import itertools

import pytest

from edda_sync import imports
from edda_sync.changes.change import decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import beads, markdown
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.imports.sources import (
    FIRST,
    ISSUES,
    PAGES,
    comparable,
    counts,
    merge,
    needs_data,
    source,
    task_of,
    told_back,
)

SECOND = {
    **FIRST, "title": "new", "description": "one three", "status": "closed", "closed_at": "2026-01-01T00:00:00Z",
    "priority": 1, "labels": ["b", "c"], "design": "d", "due_at": "2026-03-01T00:00:00Z",
}  # fmt: skip
del SECOND["notes"]


def test_importing_again_undoes_no_later_edit(store: StorageEngine) -> None:
    merge(store, FIRST)
    task = task_of(store, "bd-1")
    task.title, task.description, task.status, task.priority = "mine", "mine too", "done", 0
    task.tags = {"mine"}
    task.metadata["beads.notes"] = "mine"
    task.metadata["own"] = 1
    store.update_task(task)
    digest = store.digest()
    assert counts(merge(store, FIRST)) == (0, 0, 1, 0)
    assert store.digest() == digest


def test_changes_of_the_source_are_taken_over(store: StorageEngine) -> None:
    merge(store, FIRST)
    report = merge(store, SECOND)
    assert (counts(report), report.edited) == ((0, 1, 0, 0), [])
    assert comparable(told_back(task_of(store, "bd-1"))) == comparable(SECOND)
    assert counts(merge(store, SECOND)) == (0, 0, 1, 0)
    assert counts(merge(store, FIRST)) == (0, 1, 0, 0), "and back"
    assert comparable(told_back(task_of(store, "bd-1"))) == comparable(FIRST)


def test_a_field_that_source_and_person_changed_stays_and_is_open_until_it_is_settled(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="mine", status="blocked"))
    report = merge(store, SECOND)
    assert {field for _, field in report.edited} == {"title", "status"}
    task = task_of(store, "bd-1")
    assert (task.title, task.status) == ("mine", "blocked")
    assert (task.priority, task.tags, task.description) == (1, {"b", "c"}, "one three")
    digest = store.digest()
    again = merge(store, SECOND)
    assert (counts(again), {field for _, field in again.edited}) == ((0, 0, 1, 0), {"title", "status"})
    assert store.digest() == digest, "what is open is told again, and nothing is written"
    store.update_task(Task(id=beads.task_id("bd-1"), title="new"))
    assert [field for _, field in merge(store, SECOND).edited] == ["status"], "equal on both sides is settled"
    assert merge(store, {**SECOND, "title": "newer"}).edited == [("bd-1", "status")]
    assert task_of(store, "bd-1").title == "newer"


@pytest.mark.parametrize(("prefer", "title"), [("here", "mine"), ("source", "new")])
def test_a_person_settles_what_is_open_by_saying_whose_value_is_right(
    store: StorageEngine, prefer: str, title: str
) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="mine"))
    assert merge(store, SECOND).edited == [("bd-1", "title")]
    assert imports.merge_into(store, source(SECOND), prefer=prefer).edited == []
    assert task_of(store, "bd-1").title == title
    assert (counts(merge(store, SECOND)), merge(store, SECOND).edited) == ((0, 0, 1, 0), [])


def test_an_open_value_that_a_person_puts_back_takes_the_sources(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="mine"))
    assert merge(store, SECOND).edited == [("bd-1", "title")]
    store.update_task(Task(id=beads.task_id("bd-1"), title="old"))
    assert merge(store, SECOND).edited == []
    assert task_of(store, "bd-1").title == "new", "the base stays what it was while the value is open"


def test_a_text_that_both_sides_edited_has_the_edits_of_both(store: StorageEngine) -> None:
    text = "# Plan\n\nWe meet on Monday. Bring the map.\n\nBudget: 1000 EUR\n"
    merge(store, {**FIRST, "description": text})
    mine = text.replace("map", "old map").replace("1000", "1500")
    store.update_task(Task(id=beads.task_id("bd-1"), description=mine))
    report = merge(store, {**FIRST, "description": text.replace("Monday", "Tuesday").replace("1000", "2000")})
    assert (report.edited, report.merged) == ([], [("bd-1", "description")])
    merged = task_of(store, "bd-1").description or ""
    assert "We meet on Tuesday. Bring the old map.\n" in merged
    assert "1500" in merged
    assert "2000" in merged, "one value that both replaced has both, as when two devices write it"
    digest = store.digest()
    merge(store, {**FIRST, "description": text.replace("Monday", "Tuesday").replace("1000", "2000")})
    assert store.digest() == digest


def test_a_text_of_which_too_little_is_remembered_is_open(store: StorageEngine) -> None:
    long = "x\n" * 20_001
    merge(store, {**FIRST, "description": long})
    store.update_task(Task(id=beads.task_id("bd-1"), description=f"{long}mine"))
    assert merge(store, {**FIRST, "description": f"theirs{long}"}).edited == [("bd-1", "description")]


def test_an_older_source_undoes_nothing(store: StorageEngine) -> None:
    last_week, today = "2026-11-20T10:00:00Z", "2026-11-27T10:00:00+01:00"
    merge(store, {**FIRST, "updated_at": last_week})
    merge(store, {**SECOND, "updated_at": today})
    digest = store.digest()
    report = merge(store, {**FIRST, "updated_at": last_week})
    assert (counts(report), report.older) == ((0, 0, 0, 0), 1)
    assert store.digest() == digest
    assert counts(merge(store, {**FIRST, "updated_at": "2026-11-27T09:00:00.001Z"})) == (0, 1, 0, 0)


def test_a_dry_run_tells_what_an_import_would_do_and_writes_nothing(store: StorageEngine) -> None:
    child = {"id": "bd-2", "title": "c", "dependencies": [{"type": "parent-child", "depends_on_id": "bd-1"}]}
    digest = store.digest()
    planned = imports.merge_into(store, source(FIRST, child), dry_run=True)
    assert (counts(planned), store.digest()) == ((2, 0, 0, 0), digest)
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="mine"))
    digest = store.digest()
    planned = imports.merge_into(store, source(SECOND, child), dry_run=True)
    assert store.digest() == digest
    done = merge(store, SECOND, child)
    assert (done.rows, done.edited) == (planned.rows, planned.edited)
    assert [(row.verdict, row.open) for row in done.rows] == [("update", ("title",)), ("create", ())]


def test_a_value_that_person_and_source_both_wrote_is_no_difference(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="new"))
    report = merge(store, {**FIRST, "title": "new"})
    assert report.edited == []
    merge(store, {**FIRST, "title": "newer"})
    assert task_of(store, "bd-1").title == "newer"


def test_an_item_in_the_trash_stays_there(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.delete_task(beads.task_id("bd-1"))
    digest = store.digest()
    assert counts(merge(store, SECOND)) == (0, 0, 0, 1)
    assert store.digest() == digest
    store.restore_task(beads.task_id("bd-1"))
    assert counts(merge(store, SECOND)) == (0, 1, 0, 0)


def test_a_document_in_the_trash_is_not_the_task_with_its_id(store: StorageEngine) -> None:
    store.create_document(Document(id=beads.task_id("bd-1"), title="another thing"))
    store.delete_document(beads.task_id("bd-1"))
    assert counts(merge(store, FIRST)) == (1, 0, 0, 0)


def test_a_child_whose_parent_is_in_the_trash_is_imported_and_comes_under_it_later(store: StorageEngine) -> None:
    child = {"id": "bd-2", "title": "c", "dependencies": [{"type": "parent-child", "depends_on_id": "bd-1"}]}
    merge(store, FIRST)
    store.delete_task(beads.task_id("bd-1"))
    assert counts(merge(store, FIRST, child)) == (1, 0, 0, 1)
    store.restore_task(beads.task_id("bd-1"))
    assert counts(merge(store, FIRST, child)) == (0, 1, 1, 0)
    assert task_of(store, "bd-2").parent_id == beads.task_id("bd-1")


def test_an_import_whose_memory_was_removed_touches_nothing(store: StorageEngine) -> None:
    merge(store, FIRST)
    task = task_of(store, "bd-1")
    task.title = "mine"
    del task.metadata["import.beads"]
    store.update_task(task)
    report = merge(store, FIRST)
    assert [field for _, field in report.edited] == ["title"]
    assert task_of(store, "bd-1").title == "mine"


def test_an_import_goes_on_if_its_progress_function_raises(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 1)
    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        raise BrokenPipeError

    report = imports.merge_into(store, source(*({"id": str(n), "title": "t"} for n in range(3))), progress=progress)
    assert (report.created, told) == (3, [1])
    assert caplog.text.count("The progress of an import is not told any more") == 1


def test_many_items_are_imported_in_batches(store: StorageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 10)
    monkeypatch.setattr(limits, "BULK_CODE_POINTS_MAX", 100)
    issues = [
        {"id": str(number), "title": "t", "description": "x" * (60 if number >= 20 else 1)} for number in range(25)
    ]
    before = store.counts()["changes"]
    seen: list[int] = []
    imports.merge_into(store, source(*issues), agent="importer", reason="moving in", progress=seen.append)
    assert seen == [10, 20, 21, 22, 23, 24, 25]
    assert store.counts()["changes"] == before + len(seen)
    with store.store.read() as reader:
        header = decode_header(reader.log.read(reader.log.position()).raw)
    assert (header.agent, header.reason) == ("importer", "moving in")


def test_two_devices_that_import_the_same_files_show_them_once_and_without_conflict() -> None:
    with devices(2) as (laptop, phone):
        for version in (FIRST, SECOND):
            merge(laptop, version)
            merge(phone, version)
            sync(laptop, phone)
            assert laptop.digest() == phone.digest()
            assert laptop.conflicts() == []
            (task,) = phone.query_tasks(TaskQuery())
            assert comparable(told_back(task)) == comparable(version)
        assert counts(merge(phone, SECOND)) == (0, 0, 1, 0)


def test_two_devices_that_import_different_versions_agree_on_one() -> None:
    ticks = map(float, itertools.count(1_800_000_000))  # of one millisecond, either version may be the later one
    with devices(2, now=ticks.__next__) as (laptop, phone):
        merge(laptop, FIRST)
        merge(phone, SECOND)
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        merge(laptop, SECOND)
        sync(laptop, phone)
        task = task_of(phone, "bd-1")
        assert (task.title, task.description, task.status) == ("new", "one three", "done")
        assert task.tags == {"a", "b", "c"}, "what either brought is kept"


def test_an_edit_on_one_device_survives_an_import_on_the_other() -> None:
    with devices(2) as (laptop, phone):
        merge(laptop, FIRST)
        sync(laptop, phone)
        phone.update_task(Task(id=beads.task_id("bd-1"), title="mine"))
        merge(laptop, FIRST)
        sync(laptop, phone)
        assert task_of(laptop, "bd-1").title == "mine"
        assert laptop.conflicts() == []


@needs_data
@pytest.mark.shared
def test_two_devices_that_import_the_real_files_show_each_once() -> None:
    with devices(2) as (laptop, phone):
        for each in (laptop, phone):
            imports.merge_into(each, beads.read(ISSUES))
            imports.merge_into(each, markdown.read(PAGES / "tldr-hi").source(each))
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert laptop.conflicts() == []
        assert len(laptop.query_tasks(TaskQuery())) == 704
        assert len(phone.query_documents(DocumentQuery())) == len(list((PAGES / "tldr-hi").rglob("*.md")))


def test_a_task_that_is_done_on_both_sides_at_different_times_is_not_open(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=task_of(store, "bd-1").id, status="done"))
    at = task_of(store, "bd-1").completed_at
    for day in ("01", "02"):
        report = merge(store, {**FIRST, "status": "closed", "closed_at": f"2026-01-{day}T00:00:00Z"})
        assert (report.edited, task_of(store, "bd-1").completed_at) == ([], at)
    report = merge(store, {**FIRST, "status": "blocked"})
    assert report.edited == [("bd-1", "status")], "to that nobody has agreed"
