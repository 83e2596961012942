from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from edda_sync import imports
from edda_sync.changes.change import decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.imports import beads, markdown
from edda_sync.testing import devices, sync
from edda_sync.words import values
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
ISSUES = SHARED / "tasks" / "beads-issues.jsonl"
PAGES = SHARED / "documents"

needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the project")
Issue = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "home") as made:
        yield made


def source(*issues: Issue) -> imports.Source:
    return beads.parse(json.dumps(issue).encode() for issue in issues)


def merge(store: StorageEngine, *issues: Issue) -> imports.Report:
    read = source(*issues)
    assert not read.refused, read.refused
    return imports.merge_into(store, read)


def task_of(store: StorageEngine, issue_id: str) -> Task:
    found = store.get_task(beads.task_id(issue_id))
    assert found is not None
    return found


def counts(report: imports.Report) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.in_trash


def told_back(task: Task) -> Issue:
    """Return the issue that a task was made of: what shows that nothing was lost."""
    issue: Issue = {"title": task.title, "priority": task.priority}
    issue["status"] = {"done": "closed"}.get(task.status, task.status)
    if task.description is not None:
        issue["description"] = task.description
    if task.tags:
        issue["labels"] = sorted(values.tag_name_normal(tag) for tag in task.tags)
    for key, moment in (("created_at", task.created_at), ("closed_at", task.completed_at), ("due_at", task.due_date)):
        if moment is not None:
            issue[key] = moment.replace(".000Z", "Z")
    dependencies = []
    for name, value in task.metadata.items():
        key = name.removeprefix("beads.")
        if key.startswith("key:"):
            value = json.loads(value) if name.endswith(":json") else value
            issue.update(value)
        elif key.startswith("dependency."):
            dependencies.append(json.loads(value) if isinstance(value, str) else value)
        elif key != name:
            key, escaped = key.removesuffix(":json"), key.endswith(":json")
            issue[key] = json.loads(value) if escaped else value
    return {**issue, "dependencies": dependencies} if dependencies else issue


def comparable(issue: Issue) -> Any:
    """Return an issue with its dependencies as a set, which they are."""
    dependencies = issue.get("dependencies", [])
    listed = (
        sorted(json.dumps(each, sort_keys=True) for each in dependencies)
        if isinstance(dependencies, list)
        else dependencies
    )
    return {**issue, "dependencies": listed} if dependencies else issue


# --- beads: mapping ---------------------------------------------------------------------------------------------------


def test_an_issues_fields_become_a_tasks(store: StorageEngine) -> None:
    merge(
        store,
        {"id": "bd-1", "title": "Parent", "status": "open", "priority": 0},
        {
            "id": "bd-2", "title": "Child", "description": "# Why\r\n", "status": "closed", "priority": 3,
            "labels": ["a", "b"], "created_at": "2025-12-16T11:00:54Z", "closed_at": "2026-02-27T02:56:52Z",
            "updated_at": "2026-02-27T02:56:52Z", "due_at": "2026-03-01T00:00:00Z", "notes": "n", "issue_type": "bug",
            "dependencies": [
                {"issue_id": "bd-2", "depends_on_id": "bd-1", "type": "parent-child", "created_at": "2025-12-16T11:00:54Z"},
                {"issue_id": "bd-2", "depends_on_id": "bd-9", "type": "blocks", "created_at": "2025-12-17T11:00:54Z"},
            ],
        },
    )  # fmt: skip
    child = task_of(store, "bd-2")
    assert (child.title, child.description, child.status, child.priority) == ("Child", "# Why\r\n", "done", 3)
    assert (child.created_at, child.completed_at) == ("2025-12-16T11:00:54.000Z", "2026-02-27T02:56:52.000Z")
    assert (child.due_date, child.tags) == ("2026-03-01T00:00:00.000Z", {"a", "b"})
    assert child.parent_id == beads.task_id("bd-1")
    assert child.metadata["beads.notes"] == "n"
    assert child.metadata["beads.dependency.blocks.bd-9"]["depends_on_id"] == "bd-9"
    assert child.metadata.keys() == {
        "beads.id", "beads.notes", "beads.issue_type", "beads.updated_at", "beads.dependency.blocks.bd-9",
        "beads.dependency.parent-child.bd-1", "import.beads",
    }  # fmt: skip


@pytest.mark.parametrize(
    "issue",
    [
        {"title": "x" * 501},
        {"title": "two\nlines\tand\0more"},
        {"title": ""},
        {"title": " padded "},
        {"title": "half \ud800"},
        {"title": None},
        {"description": ""},
        {"description": None},
        {"description": ["not", "text"]},
        {"description": "half \udfff and more"},
        {"status": "hooked"},
        {"status": "pinned"},
        {"status": "tombstone", "closed_at": "2026-01-01T00:00:00Z"},
        {"status": "in_progress"},
        {"status": "done"},
        {"status": 7},
        {"status": "closed", "closed_at": "2026-01-01T00:00:00.123456789Z"},
        {"status": "closed", "closed_at": "soon"},
        {"status": "closed", "closed_at": None},
        {"status": "open", "closed_at": "2026-01-01T00:00:00Z"},
        {"priority": 9},
        {"priority": -1},
        {"priority": 1.5},
        {"priority": "high"},
        {"priority": True},
        {"created_at": "2025-11-01T02:38:09.123456789-08:00"},
        {"created_at": "2025-11-01T02:38:09.000Z"},
        {"created_at": "2025-11-01T02:38:09.120Z"},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": 0},
        {"due_at": "2026-03-01"},
        {"labels": []},
        {"labels": ["b", "a"]},
        {"labels": ["Work", "WORK"]},
        {"labels": ["a", "a"]},
        {"labels": ["x" * 300, "two\nlines", 5, "fine"]},
        {"labels": "work"},
        {"dependencies": []},
        {"dependencies": "bd-1"},
        {"dependencies": [{"type": "blocks"}]},
        {"dependencies": [{"type": "a.b", "depends_on_id": "c.d"}, {"type": "a", "depends_on_id": "b.c.d"}]},
        {
            "dependencies": [
                {"type": "blocks", "depends_on_id": "1", "n": 1},
                {"type": "blocks", "depends_on_id": "1", "n": 2},
            ]
        },
        {"dependencies": [{"type": "blocks", "depends_on_id": "x" * 300}]},
        {"dependencies": [{"type": "blocks", "depends_on_id": "1", "half": "\ud800", "n": n} for n in range(3)]},
        {"notes": "n", "design": "# d", "acceptance_criteria": "", "comments": [{"text": "t", "author": "a"}]},
        {"estimated_minutes": 90, "ratio": 0.25, "none": None, "flag": False, "unicode": "\u202e \u2028 ü"},
        {"half": "\ud800"},
        {"half\ud800": 1},
        {"k" * 400: {"deep": [1]}},
        {"": "empty key"},
        {"deep": json.loads("[" * 80 + "]" * 80)},
        {"dependency.blocks.1": 1, "key:1": 2, "x:json": 3},
        {
            "dependencies": [
                {"type": "blocks", "depends_on_id": "1:json"},
                {"type": "half \udfff", "depends_on_id": "1"},
            ]
        },
    ],
    ids=lambda issue: json.dumps(issue)[:40],
)
def test_whatever_an_issue_holds_is_not_lost(store: StorageEngine, issue: Issue) -> None:
    whole = {"id": "bd-1", "title": "T", "status": "open", "priority": 2, "created_at": "2025-12-16T11:00:54Z", **issue}
    merge(store, whole)
    back = told_back(task_of(store, "bd-1"))
    if whole["status"] != "closed" or "closed_at" not in whole:
        back.setdefault("closed_at", None)
        back = {key: value for key, value in back.items() if key != "closed_at" or "closed_at" in whole}
    assert comparable(back) == comparable(whole)
    assert counts(merge(store, whole)) == (0, 0, 1, 0)


@needs_data
@pytest.mark.shared
def test_nothing_of_the_real_issues_is_lost(store: StorageEngine) -> None:
    issues = [json.loads(line) for line in ISSUES.read_text().splitlines()]
    report = imports.merge_into(store, beads.read(ISSUES))
    assert counts(report) == (len(issues), 0, 0, 0)
    for issue in issues:
        assert comparable(told_back(task_of(store, issue["id"]))) == comparable(issue)
    assert len(store.query_tasks(TaskQuery())) == len(issues)
    digest = store.digest()
    assert counts(imports.merge_into(store, beads.read(ISSUES))) == (0, 0, len(issues), 0)
    assert store.digest() == digest
    known = {issue["id"] for issue in issues}
    for issue in issues:
        parents = {
            beads.task_id(each["depends_on_id"])
            for each in issue.get("dependencies", [])
            if each["type"] == "parent-child" and each["depends_on_id"] in known
        }
        assert (task_of(store, issue["id"]).parent_id in parents) == bool(parents)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "is not JSON"),
        (b"[1]", "not an issue"),
        (b'"text"', "not an issue"),
        (b'{"title": "no id"}', "not an issue"),
        (b'{"id": ""}', "not an issue"),
        (b'{"id": 5}', "not an issue"),
        (b'{"id": "a", "title": "1", "title": "2"}', "a key twice"),
        (b'{"id": "ok", "title": "other"}', "already"),
        (b'{"id": "b", "title": "\xff"}', "not UTF-8"),
        (b'{"id": "c", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"id": "d", "n": ' + b"9" * 5_000 + b"}", "4300"),
        (b'{"id": "e", "description": "' + b"x" * (16 * 2**20 + 1) + b'"}', "16,777,216"),
        (b'{"id": "f", "notes": "' + b"x" * (2**20) + b'"}', "1,048,576"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_line_that_cannot_be_kept_is_refused_and_the_others_stand(line: bytes, why: str) -> None:
    good = b'{"id": "ok", "title": "good"}'
    read = beads.parse([b"\xef\xbb\xbf" + good, b"", line, good, b'{"id": "ok2"}'])
    assert [each.name for each in read.items] == ["ok", "ok2"]
    (refused,) = read.refused
    assert refused.name == "line 3"
    assert why in refused.why


def test_parents_come_first_and_a_ring_of_them_is_opened(store: StorageEngine) -> None:
    def issue(name: str, parent: str) -> Issue:
        return {"id": name, "title": name, "dependencies": [{"type": "parent-child", "depends_on_id": parent}]}

    issues = [
        issue("c", "b"),
        issue("b", "a"),
        issue("a", "c"),
        issue("self", "self"),
        issue("lone", "absent"),
        issue("d", "c"),
    ]
    merge(store, *issues)
    parents = {name: task_of(store, name).parent_id for name in ("a", "b", "c", "d", "self", "lone")}
    assert sum(parents[name] is None for name in "abc") == 1
    assert parents["d"] == beads.task_id("c")
    assert (parents["self"], parents["lone"]) == (None, None)
    assert counts(merge(store, *issues)) == (0, 0, 6, 0)
    merge(store, {"id": "absent", "title": "found"})
    assert counts(merge(store, *issues)) == (0, 1, 5, 0), "its parent has come"
    assert task_of(store, "lone").parent_id == beads.task_id("absent")


# --- importing again --------------------------------------------------------------------------------------------------

FIRST = {
    "id": "bd-1", "title": "old", "description": "one two", "status": "open", "priority": 2, "labels": ["a", "b"],
    "notes": "n", "created_at": "2025-12-16T11:00:54Z",
}  # fmt: skip
SECOND = {
    **FIRST, "title": "new", "description": "one three", "status": "closed", "closed_at": "2026-01-01T00:00:00Z",
    "priority": 1, "labels": ["b", "c"], "design": "d", "due_at": "2026-03-01T00:00:00Z",
}  # fmt: skip
del SECOND["notes"]


def test_a_title_of_which_nothing_shows_is_none(store: StorageEngine) -> None:
    merge(store, {**FIRST, "title": " \u200b\u2800"})
    assert task_of(store, "bd-1").title == "(untitled)"


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


def test_what_the_source_changed_is_taken_over(store: StorageEngine) -> None:
    merge(store, FIRST)
    report = merge(store, SECOND)
    assert (counts(report), report.edited) == ((0, 1, 0, 0), [])
    assert comparable(told_back(task_of(store, "bd-1"))) == comparable(SECOND)
    assert counts(merge(store, SECOND)) == (0, 0, 1, 0)
    assert counts(merge(store, FIRST)) == (0, 1, 0, 0), "and back"
    assert comparable(told_back(task_of(store, "bd-1"))) == comparable(FIRST)


def test_what_the_source_and_a_person_changed_stays_the_persons_and_is_told_once(store: StorageEngine) -> None:
    merge(store, FIRST)
    store.update_task(Task(id=beads.task_id("bd-1"), title="mine", description="mine too", status="blocked"))
    report = merge(store, SECOND)
    assert {field for _, field in report.edited} == {"title", "description", "status"}
    task = task_of(store, "bd-1")
    assert (task.title, task.description, task.status) == ("mine", "mine too", "blocked")
    assert (task.priority, task.tags) == (1, {"b", "c"})
    assert counts(merge(store, SECOND)) == (0, 0, 1, 0)
    third = merge(store, {**SECOND, "title": "newer"})
    assert [field for _, field in third.edited] == ["title"]
    assert task_of(store, "bd-1").title == "mine"


def test_what_a_person_wrote_just_as_the_source_does_is_no_difference(store: StorageEngine) -> None:
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


def test_a_document_in_the_trash_is_not_the_task_of_its_id(store: StorageEngine) -> None:
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


def test_many_items_are_imported_in_batches(store: StorageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.imports.merge.BATCH_ITEMS_MAX", 10)
    monkeypatch.setattr("edda_sync.imports.merge.BATCH_CODE_POINTS_MAX", 100)
    issues = [
        {"id": str(number), "title": "t", "description": "x" * (60 if number >= 20 else 1)} for number in range(25)
    ]
    before = store.counts()["changes"]
    seen: list[int] = []
    imports.merge_into(store, source(*issues), agent="importer", reason="moving in", progress=seen.append)
    assert seen == [10, 20, 21, 22, 23, 24, 25]
    assert store.counts()["changes"] == before + len(seen)
    with store.store.read() as reader:
        header = decode_header(reader.logged(reader.log_position()).raw)
    assert (header.agent, header.reason) == ("importer", "moving in")


# --- two devices ------------------------------------------------------------------------------------------------------


def test_two_devices_that_import_the_same_show_it_once_and_without_conflict() -> None:
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


def test_two_devices_that_import_different_versions_settle_on_one() -> None:
    with devices(2) as (laptop, phone):
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
            imports.merge_into(each, markdown.read(PAGES / "tldr-hi"))
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert laptop.conflicts() == []
        assert len(laptop.query_tasks(TaskQuery())) == 704
        assert len(phone.query_documents(DocumentQuery())) == len(list((PAGES / "tldr-hi").rglob("*.md")))


# --- markdown ---------------------------------------------------------------------------------------------------------


def test_a_folder_becomes_documents_known_by_their_paths(store: StorageEngine, tmp_path: Path) -> None:
    raws = {
        "a.md": b"# A\n",
        "sub/b.md": b"\xef\xbb\xbfno heading\r\n\0",
        "sub/deep/c.MD": "# Ü\n".encode(),
        "not.txt": b"x",
    }
    for name, raw in raws.items():
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    (tmp_path / "notes" / "loop").symlink_to(tmp_path / "notes")
    read = markdown.read(tmp_path / "notes")
    assert not read.refused
    imports.merge_into(store, read)
    found = {document.metadata["markdown.path"]: document for document in store.query_documents(DocumentQuery())}
    assert found.keys() == {"a.md", "sub/b.md", "sub/deep/c.MD"}
    for name, document in found.items():
        assert document.id == values.uuid8("markdown", name)
        assert (document.content or "").encode() == raws[name]
    assert [found[name].title for name in sorted(found)] == ["A", "b", "Ü"]


def test_a_changed_file_replaces_only_what_nobody_edited(store: StorageEngine, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("# Old\n")
    imports.merge_into(store, markdown.read(tmp_path))
    store.edit_text(markdown.document_id("b.md"), "content", [(0, 0, "mine ")])
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("# New\n")
    report = imports.merge_into(store, markdown.read(tmp_path))
    assert report.edited == [("b.md", "content")]
    contents = [getattr(store.get_document(markdown.document_id(name)), "content", None) for name in ("a.md", "b.md")]
    assert contents == ["# New\n", "mine # Old\n"]


def test_a_changed_file_imported_on_two_devices_is_not_doubled(tmp_path: Path) -> None:
    with devices(2) as (laptop, phone):
        for text in ("one two three", "one 2 three four"):
            (tmp_path / "a.md").write_text(text)
            for each in (laptop, phone):
                imports.merge_into(each, markdown.read(tmp_path))
            sync(laptop, phone)
            assert laptop.conflicts() == []
            (document,) = phone.query_documents(DocumentQuery())
            assert document.content == text


def test_accents_composed_otherwise_are_the_same_file(tmp_path: Path) -> None:
    for folder, form in (("mac", "NFD"), ("linux", "NFC")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / unicodedata.normalize(form, "é.md")).write_text("x")  # type: ignore[arg-type]
    (mac,), (linux,) = markdown.read(tmp_path / "mac").items, markdown.read(tmp_path / "linux").items
    assert mac.item == linux.item
    (tmp_path / "linux" / "e\u0301.md").write_text("y")
    read = markdown.read(tmp_path / "linux")
    assert (len(read.items), len(read.refused)) == (1, 1)


def test_files_that_no_document_can_hold_are_refused_and_the_others_stand(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("x")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "long.md").write_bytes(b"x" * (16 * 2**20 + 1))
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    with open(bytes(tmp_path) + b"/caf\xe9.md", "wb") as file:
        file.write(b"x")
    read = markdown.read(tmp_path)
    assert [each.name for each in read.items] == ["good.md"]
    assert len(read.refused) == 4
    said = " ".join(f"{each.name} {each.why}" for each in read.refused)
    assert "not UTF-8" in said
    assert "16,777,216" in said
    assert said.isascii()


def test_one_file_is_known_by_its_name_and_a_prefix_keeps_folders_apart(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    (only,) = markdown.read(tmp_path / "a.md").items
    (same,) = markdown.read(tmp_path).items
    (other,) = markdown.read(tmp_path, under="/second/").items
    assert only.item.id == same.item.id == markdown.document_id("a.md")
    assert other.item.id == markdown.document_id("second/a.md")
    with pytest.raises(FileNotFoundError):
        markdown.read(tmp_path / "nowhere")


@needs_data
@pytest.mark.shared
def test_the_real_pages_come_back_byte_for_byte(store: StorageEngine) -> None:
    read = markdown.read(PAGES)
    assert not read.refused
    imports.merge_into(store, read)
    for document in store.query_documents(DocumentQuery()):
        assert (document.content or "").encode() == (PAGES / document.metadata["markdown.path"]).read_bytes()
    assert len(read.items) == len(list(PAGES.rglob("*.md")))
    digest = store.digest()
    assert imports.merge_into(store, read).unchanged == len(read.items)
    assert store.digest() == digest
