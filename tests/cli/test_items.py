from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import on_a_terminal


def test_a_short_id_that_fits_two_is_refused_with_both(edda: Any, tmp_path: Path) -> None:
    issues = [
        f'{{"id": "{number}", "title": "{number}"}}' for number in (7476, 12026)
    ]  # their ids end in the same digits
    from edda_sync.imports.beads import task_id

    ids = [task_id("7476"), task_id("12026")]
    (tmp_path / "issues").write_text("\n".join(issues))
    edda("import", "beads", str(tmp_path / "issues"))
    assert ids[0][-6:] == ids[1][-6:]
    before = edda.everything()
    refused = edda("task", "rm", ids[0][-6:], code=2)
    assert all(each.replace("-", "")[-7:] in refused.stderr for each in ids), "as lists show them"
    assert edda.everything() == before
    shown = [line.split()[0] for line in edda("task", "list").stdout.splitlines()]
    assert len(set(shown)) == 2
    assert {edda.json("task", "show", short)["id"] for short in shown} == set(ids)


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 1)])
def test_rm_asks_a_person_about_subtasks(edda: Any, answer: bytes, left: int) -> None:
    parent = edda.id_of("task", "add", "parent \u202e")
    edda("task", "add", "child", "--parent", parent)
    code, printed = on_a_terminal(edda.home, "task", "rm", parent, typed=answer)
    assert code == 0
    assert "1 subtask" in printed
    assert "\u202e" not in printed
    assert len(edda.json("task", "list", "--all")) == left


@pytest.mark.parametrize(
    ("due", "shown"), [("2026-03-01", "2026-03-01"), ("2026-03-01T09:30:00+02:00", "2026-03-01T07:30Z")]
)
def test_a_task_shows_its_due_date_as_lists_do(edda: Any, due: str, shown: str) -> None:
    task = edda.id_of("task", "add", "A", "--due", due)
    assert f"due_date: {shown}" in edda("task", "show", task).stdout.splitlines()
    assert edda("task", "list").stdout.split()[3] == shown
