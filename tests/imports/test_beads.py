from __future__ import annotations

import json

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import beads
from edda_sync.words.errors import UsageError
from edda_sync.words.query import TaskQuery
from tests.imports.sources import FIRST, ISSUES, Issue, comparable, counts, merge, needs_data, task_of, told_back


def test_the_fields_of_an_issue_become_those_of_a_task(store: StorageEngine) -> None:
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
def test_nothing_in_an_issue_is_lost(store: StorageEngine, issue: Issue) -> None:
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
def test_an_invalid_line_is_refused_and_the_others_are_imported(line: bytes, why: str) -> None:
    good = b'{"id": "ok", "title": "good"}'
    read = beads.parse([b"\xef\xbb\xbf" + good, b"", line, good, b'{"id": "ok2"}'])
    assert [each.name for each in read.items] == ["ok", "ok2"]
    (refused,) = read.refused
    assert refused.name == "line 3"
    assert why in refused.why


def test_parents_come_first_and_a_ring_of_parents_is_cut(store: StorageEngine) -> None:
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


def test_an_invisible_title_counts_as_none(store: StorageEngine) -> None:
    merge(store, {**FIRST, "title": " \u200b\u2800"})
    assert task_of(store, "bd-1").title == "(untitled)"


@pytest.mark.parametrize(
    ("first", "takes"),
    [(b"[\n", "taskwarrior"), (b"BEGIN:VCALENDAR\r\n", "ics"), (b"TYPE,CONTENT,PRIORITY\n", "todoist")],
)
def test_a_file_of_another_program_is_refused_with_what_takes_it(first: bytes, takes: str) -> None:
    with pytest.raises(UsageError, match=f"`edda import {takes}` takes"):
        beads.parse([first, b"{}\n"])
