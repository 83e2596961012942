from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import taskwarrior
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery

ONE = {
    "description": "Buy milk", "uuid": "f19f76cd-5872-4c7d-9141-c67a342706a5", "status": "pending", "priority": "H",
    "entry": "20261130T225744Z", "due": "20261201T100000Z", "tags": ["shop"], "modified": "20261130T225744Z",
}  # fmt: skip


def parse(*tasks: Any) -> imports.Source:
    return taskwarrior.parse(io.BytesIO(json.dumps(tasks).encode()))


def task_of(store: StorageEngine, title: str) -> Task:
    (found,) = (each for each in store.query_tasks(TaskQuery()) if each.title == title)
    return found


@pytest.mark.skipif(shutil.which("task") is None, reason="Taskwarrior is not installed (package taskwarrior)")
def test_what_the_real_program_exports_is_imported_and_a_second_import_changes_nothing(
    store: StorageEngine, tmp_path: Path
) -> None:
    (tmp_path / "rc").write_text(f"data.location={tmp_path}/data\nconfirmation=no\nuda.size.type=string\n")
    env = {**os.environ, "TASKRC": str(tmp_path / "rc"), "TASKDATA": str(tmp_path / "data"), "TZ": "Europe/Berlin"}
    (tmp_path / "data").mkdir()

    def task(*args: str) -> bytes:
        return subprocess.run(["task", *args], env=env, capture_output=True, check=True, timeout=60).stdout

    task("add", "Buy milk", "project:home", "+shop", "due:2026-12-01T10:00", "priority:H", "size:big")
    task("1", "annotate", "two litres")
    task("add", "Call Anna", "depends:1", "wait:2037-01-01")
    task("add", "Water plants", "recur:weekly", "due:2030-01-07")
    task("list")  # makes the first task of the series
    task("add", "Thrown away")
    task("description:Thrown", "delete")
    task("add", "Started")
    task("description:Started", "start")
    task("add", "Finished")
    task("description:Finished", "done")
    source = taskwarrior.parse(io.BytesIO(task("export")))
    assert not source.refused
    assert [each.why for each in source.left_out] == ["is a template of recurring tasks"]
    report = imports.merge_into(store, source)
    assert (report.created, report.thrown_away) == (5, 1)
    assert report.kept["project"] == report.kept["size"] == 1
    milk = task_of(store, "Buy milk")
    assert (milk.priority, milk.tags, milk.due_date) == (0, {"shop"}, "2026-12-01T09:00:00.000Z")
    assert (milk.description, milk.metadata["taskwarrior.project"]) == ("two litres", "home")
    uuid = milk.metadata["taskwarrior.uuid"]
    assert f"taskwarrior.dependency.depends.{uuid}" in task_of(store, "Call Anna").metadata
    assert task_of(store, "Started").status == "in_progress"
    assert (task_of(store, "Finished").status, task_of(store, "Finished").completed_at is None) == ("done", False)
    assert task_of(store, "Water plants").metadata["taskwarrior.recur"] == "weekly"
    digest = store.digest()
    again = imports.merge_into(store, taskwarrior.parse(io.BytesIO(task("export"))))
    assert (again.created, again.updated, store.digest()) == (0, 0, digest)


def test_a_task_that_the_source_has_thrown_away_is_cancelled_only_if_it_is_here(store: StorageEngine) -> None:
    gone = {**ONE, "status": "deleted", "end": "20261202T000000Z", "modified": "20261202T000000Z"}
    assert imports.merge_into(store, parse(gone)).thrown_away == 1
    imports.merge_into(store, parse(ONE))
    assert imports.merge_into(store, parse(gone)).updated == 1
    assert task_of(store, "Buy milk").status == "cancelled"
    assert imports.merge_into(store, parse(ONE)).older == 1
    assert task_of(store, "Buy milk").status == "cancelled"


def test_lines_and_old_forms_are_read_and_what_is_no_task_is_refused(store: StorageEngine) -> None:
    other = {"description": "b", "uuid": "2", "status": "waiting", "depends": f"{ONE['uuid']},3", "due": "soon"}
    lines = [json.dumps(ONE).encode() + b",", json.dumps(other).encode(), b"{", b"5"]
    source = taskwarrior.parse(io.BytesIO(b"[\n" + b"\n".join(lines) + b"\n]\n"))
    assert [each.name for each in source.refused] == ["line 4", "line 5"]
    report = imports.merge_into(store, source)
    assert (report.created, report.nearly["status"], report.nearly["due"]) == (2, 1, 1)
    assert task_of(store, "b").metadata["taskwarrior.due"] == "soon"
    assert sum("dependency" in name for name in task_of(store, "b").metadata) == 2
    with pytest.raises(UsageError, match="`task export`"):
        taskwarrior.parse(io.BytesIO(b"x\n"))
    assert [each.why for each in parse(ONE, ONE).refused] == [f"has the uuid of an earlier one, {ONE['uuid']!a}"]


def test_two_tasks_whose_uuids_differ_in_case_only_are_one_and_the_others_are_taken(store: StorageEngine) -> None:
    told = [{"uuid": each, "description": each, "status": "pending"} for each in ("AB-1", "ab-1", "ab-2")]
    source = taskwarrior.parse(io.BytesIO(json.dumps(told).encode()))
    assert [each.why for each in source.refused] == ["has the uuid of an earlier one, 'ab-1'"]
    assert imports.merge_into(store, source).created == 2
