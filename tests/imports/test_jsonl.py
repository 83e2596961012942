from __future__ import annotations

import io
import json
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.cli.exports import write_jsonl
from edda_sync.imports import jsonl
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import UsageError

FOLLOWS = ("updated_at", "version")  # from when and how it was written here


@pytest.fixture
def stores() -> Any:
    made = [edda.open("ignored", StorageConfig(backend="memory")) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def exported(store: Any) -> list[bytes]:
    file = io.BytesIO()
    write_jsonl(store, file, lambda _: None)
    return file.getvalue().splitlines(keepends=True)


def plain(lines: list[bytes]) -> list[dict[str, Any]]:
    """The fields that an import can carry; tags and links are made anew."""
    found = [json.loads(line) for line in lines]
    for each in found:
        for name in (*FOLLOWS, *(["created_at"] if each["kind"] in ("tag", "link") else [])):
            each.pop(name, None)
    return found


def fill(store: Any) -> tuple[str, str]:
    with store.begin_transaction() as tx:
        tx.create_tag("home", "#ff8800", "what is at home")
        parent = tx.create_task(edda.Task(title="Plan party", tags={"home"}, metadata={"a": [1, {"b": None}]}))
        task = tx.create_task(edda.Task(title="Bake cake", parent_id=parent, due_date="2026-03-01", priority=0))
        note = tx.create_document(edda.Document(title="Notes", content="# Notes\r\n\u00e4", doc_type="spec"))
        tx.link(task, note, "recipe")
    store.update_task(edda.Task(id=parent, status="done", agent_context={"k": "v"}))
    return task, note


def test_an_export_is_imported_whole_into_another_store_and_a_second_import_changes_nothing(stores: Any) -> None:
    one, other = stores
    fill(one)
    lines = exported(one)
    report = jsonl.bring_into(other, jsonl.parse(lines))
    assert (report.created, report.unchanged, report.edited) == (3, 0, [])
    assert plain(exported(other)) == plain(lines)
    before = other.frontier()
    report = jsonl.bring_into(other, jsonl.parse(exported(other)))
    assert (report.created, report.unchanged, report.edited) == (0, 3, [])
    report = jsonl.bring_into(other, jsonl.parse(reversed(lines)))
    assert (report.created, report.unchanged, report.edited) == (0, 3, [])
    assert other.frontier() == before
    report = jsonl.bring_into(one, jsonl.parse(lines))
    assert (report.created, report.unchanged, report.edited) == (0, 3, [])


def test_present_items_stay_as_they_are_and_items_in_the_trash_stay_there(stores: Any) -> None:
    one, other = stores
    task, note = fill(one)
    lines = exported(one)
    jsonl.bring_into(other, jsonl.parse(lines))
    other.update_task(edda.Task(id=task, title="Bake bread", priority=4))
    other.delete_document(note)
    report = jsonl.bring_into(other, jsonl.parse(lines))
    assert report.edited == [("Bake cake", "priority"), ("Bake cake", "title")]
    assert (report.created, report.unchanged, report.in_trash) == (0, 2, 1)
    assert other.get_task(task).title == "Bake bread"
    assert other.get_document(note) is None


def test_a_tag_that_was_deleted_here_stays_deleted(stores: Any) -> None:
    one, other = stores
    fill(one)
    jsonl.bring_into(other, jsonl.parse(exported(one)))
    with other.begin_transaction() as tx:
        tx.delete_tag("home")
    jsonl.bring_into(other, jsonl.parse(exported(one)))
    assert other.tags() == []


def test_a_task_without_its_parent_is_imported_at_the_top_level(stores: Any) -> None:
    one, other = stores
    task, _ = fill(one)
    jsonl.bring_into(other, jsonl.parse(line for line in exported(one) if task.encode() in line))
    assert other.get_task(task).parent_id is None
    assert other.links() == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"priority": 9}, "priority"),
        ({"id": "x"}, "id: "),
        ({"tags": "home"}, "has tags that are no list"),
        ({"mood": 1}, "holds 'mood', which this version does not know"),
        ({"title": None}, "title: "),
    ],
)
def test_an_invalid_line_is_refused_and_the_others_are_imported(
    stores: Any, changed: dict[str, Any], reason: str
) -> None:
    one, other = stores
    task, _ = fill(one)
    lines = exported(one)
    (line,) = (each for each in map(json.loads, lines) if each.get("id") == task)
    odd = json.dumps({**line, **changed}).encode()
    short = json.dumps({name: line[name] for name in line if name != "status"}).encode()
    source = jsonl.parse([odd, short, b"{}", *lines])
    said = [each.why for each in source.refused]
    assert said[0].startswith(reason)
    assert said[1:] == ["lacks status", "is not a line of `edda export`"]
    assert jsonl.bring_into(other, source).created == 3
    assert plain(exported(other)) == plain(lines)


def test_a_second_line_of_one_id_with_other_values_is_refused(stores: Any) -> None:
    one, _ = stores
    fill(one)
    lines = exported(one)
    other = [json.dumps({**json.loads(line), "description": "other"}).encode() for line in lines if b"cake" in line]
    (refused,) = jsonl.parse([*lines, *lines, *other]).refused
    assert refused.why.endswith("holds too, with other values")


def test_a_file_without_a_line_of_an_export_is_no_export() -> None:
    with pytest.raises(UsageError, match="`edda import beads`"):
        jsonl.parse([b'{"id": "1", "title": "of Beads"}\n'])
    assert jsonl.parse([b"\n"]) == jsonl.Exported([], [], [], [], [])


def test_tasks_in_a_ring_come_and_the_parent_that_is_left_out_is_named(stores: Any) -> None:
    one, other = stores
    task, _ = fill(one)
    lines = [json.loads(line) for line in exported(one)]
    (parent,) = (each["parent_id"] for each in lines if each.get("id") == task)
    ring = [{**each, "parent_id": task} if each.get("id") == parent else each for each in lines]
    source = jsonl.parse(json.dumps(each).encode() for each in ring)
    assert [each.why for each in source.refused] == ["comes without its parent, which is below it"]
    assert jsonl.bring_into(other, source).created == 3
