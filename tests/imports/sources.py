"""Helpers for tests of imports: issues, and the real files beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import beads
from edda_sync.words import values
from edda_sync.words.model import Task

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ISSUES = SHARED / "tasks" / "beads-issues.jsonl"
PAGES = SHARED / "documents"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the project")
Issue = dict[str, Any]


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
    """Return the issue from which a task was made, to show that nothing was lost."""
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


FIRST = {
    "id": "bd-1", "title": "old", "description": "one two", "status": "open", "priority": 2, "labels": ["a", "b"],
    "notes": "n", "created_at": "2025-12-16T11:00:54Z",
}  # fmt: skip
