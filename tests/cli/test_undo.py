"""``edda undo`` and ``edda revert``."""

from __future__ import annotations

import json
from typing import Any


def test_the_last_change_is_taken_back_and_the_answer_says_how_to_do_it_again(edda: Any) -> None:
    task = edda.id_of("task", "add", "Milk")
    edda("task", "edit", task, "--title", "Oat milk", "--priority", "0")
    told = edda("undo")
    assert "title set back" in told.stdout
    again = told.stderr.split("`edda ")[1].split("`")[0]
    assert edda.json("task", "show", task)["title"] == "Milk"
    edda(*again.split())
    assert edda.json("task", "show", task)["title"] == "Oat milk"


def test_what_cannot_be_taken_back_is_said(edda: Any) -> None:
    task = edda.id_of("task", "add", "Milk")
    edda("task", "edit", task, "--title", "Oat milk")
    change = edda.json("history", task)["changes"][0]["change"]
    edda("task", "edit", task, "--title", "Soy milk")
    told = edda("undo", change)
    assert "title was written again since" in told.stdout
    assert told.stderr == "Nothing of it is left to be taken back.\n"
    edda("undo", "ffff0000-1", code=3)
    edda("undo", "nonsense", code=2)


def test_what_an_agent_did_is_shown_first_and_then_taken_back(edda: Any) -> None:
    task = edda.id_of("task", "add", "Milk")
    edda("--agent", "bot", "task", "edit", task, "--title", "Nonsense")
    edda("--agent", "bot", "task", "add", "More nonsense")
    edda("task", "edit", task, "--priority", "0")
    shown = edda("revert", "--agent", "bot", "--since", "2020-01-01", "--dry-run")
    assert len(shown.stdout.splitlines()) == 2
    assert edda.json("task", "show", task)["title"] == "Nonsense"
    done = edda.json("revert", "--agent", "bot", "--since", "2020-01-01")
    assert len(done["of"]) == 2
    (left,) = edda.json("task", "list")
    assert (left["title"], left["priority"]) == ("Milk", 0)
    edda("revert", "--agent", "nobody", "--since", "2020-01-01", code=3)


def test_where_an_agent_did_nothing_a_program_reads_the_same_exit_code_as_a_person(edda: Any) -> None:
    assert "claude has done nothing since then." in edda("revert", "--agent", "claude", "--since", "3d", code=3).stderr
    found = edda("revert", "--agent", "claude", "--since", "3d", "--json", code=3)
    assert json.loads(found.stdout)["of"] == []
