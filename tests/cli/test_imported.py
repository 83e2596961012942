from __future__ import annotations

from pathlib import Path
from typing import Any


def test_what_was_left_older_or_thrown_away_is_told(edda: Any, tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    one = '{"uuid": "1", "description": "%s", "status": "%s", "modified": "2026010%dT000000Z"}'
    file.write_text(one % ("a", "deleted", 1))
    assert "Thrown away in the source, and never here: 1 task." in edda("import", "taskwarrior", str(file)).stderr
    file.write_text(one % ("b", "pending", 3))
    edda("import", "taskwarrior", str(file))
    file.write_text(one % ("a", "pending", 2))
    told = edda("import", "taskwarrior", str(file))
    assert told.stderr == "Left, since the source is older than what was imported last: 1 task.\n"
    assert told.stdout == "0 tasks created, 0 updated, 0 unchanged.\n"
    edda("task", "rm", "b")
    assert edda.json("import", "taskwarrior", str(file))["in_trash"] == 1


def test_what_is_refused_fails_under_json_too(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": "1", "title": "a"}\n{\n')
    told = edda("import", "beads", "--json", str(tmp_path / "x.jsonl"), code=1)
    assert '"name": "line 2"' in told.stdout
    assert told.stderr == ""


def test_a_preferred_export_replaces_what_is_here(edda: Any, tmp_path: Path) -> None:
    task_id = edda.id_of("task", "add", "a")
    edda("export", str(tmp_path / "all.jsonl"))
    edda("task", "edit", task_id, "--title", "b")
    dry = edda("import", "jsonl", "--dry-run", "--prefer", "source", str(tmp_path / "all.jsonl"))
    assert "update" in dry.stdout
    assert edda.json("task", "show", task_id)["title"] == "b"
    told = edda("import", "jsonl", "--prefer", "source", str(tmp_path / "all.jsonl"))
    assert told.stderr.startswith("Taken from the file: 1 item.\n`edda undo ")
    assert edda.json("task", "show", task_id)["title"] == "a"
