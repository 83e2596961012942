from __future__ import annotations

from typing import Any


def test_a_task_is_started_and_done(edda: Any) -> None:
    one = edda.id_of("task", "add", "One")
    assert edda("task", "start", "One").stderr == f"Started: One ({one[-6:]})\n"
    assert edda.json("task", "show", one)["status"] == "in_progress"
    assert edda("task", "start", "One").stderr == f"Started already: One ({one[-6:]})\n"
    assert edda("task", "done", "One").stderr == f"Done: One ({one[-6:]})\n"
    assert edda("task", "done", "One").stderr == f"Done already: One ({one[-6:]})\n"


def test_done_speaks_of_subtasks_that_are_not_and_marks_them_if_asked(edda: Any) -> None:
    top = edda.id_of("task", "add", "top")
    middle = edda.id_of("task", "add", "middle", "--parent", top)
    low = edda.id_of("task", "add", "low", "--parent", middle)
    edda("task", "add", "given up", "--parent", middle, "--status", "cancelled")
    said = edda("task", "done", top).stderr
    open_ = f"({middle[-6:]} middle, {low[-6:]} low)"
    assert said == f"Done: top ({top[-6:]})\n2 subtasks are not done yet {open_}; --recursive marks subtasks too.\n"
    assert edda.json("task", "show", low)["status"] == "open"
    said = edda("task", "done", top, "--recursive").stderr
    assert "not done" not in said
    assert {each["title"]: each["status"] for each in edda.json("task", "list", "--all")} == {
        "top": "done", "middle": "done", "low": "done", "given up": "cancelled",
    }  # fmt: skip
