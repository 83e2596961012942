"""``edda history``: what the changes of an item are called, and what they did."""

from __future__ import annotations

from typing import Any


def test_the_history_of_a_task_names_its_changes_which_undo_takes(edda: Any) -> None:
    task = edda.id_of("task", "add", "Milk", "--tag", "home")
    edda("--agent", "bot", "--reason", "tidy", "task", "edit", task, "--title", "Oat milk")
    found = edda.json("history", task)
    assert found["whole"] is True
    latest, made = found["changes"]
    assert (latest["agent"], latest["reason"], latest["name"]) == ("bot", "tidy", "laptop")
    assert latest["what"] == ["title Oat milk"]
    assert made["what"][0] == "made"
    line = edda("history", task).stdout.splitlines()[0]
    assert line.split()[0] == f"{latest['change'][:8]}-{latest['change'].partition('-')[2]}"
    assert "bot on laptop" in line
    edda("undo", line.split()[0])
    assert edda.json("task", "show", task)["title"] == "Milk"
    assert len(edda("history", task, "--limit", "1").stdout.splitlines()) == 1
    assert len(edda.json("history")["changes"]) == 3


def test_a_tag_has_a_history_and_what_is_not_there_has_none(edda: Any) -> None:
    edda("task", "add", "Milk", "--tag", "home")
    assert edda.json("history", "--tag", "home")["changes"][0]["what"][0] == "made"
    edda("history", "--tag", "nope", code=3)
    edda("history", "nope", code=3)
    edda("history", "Milk", "--tag", "home", code=2)


def test_a_day_is_shown_as_that_day_and_a_long_title_is_cut(edda: Any) -> None:
    task = edda.id_of("task", "add", "long " * 90, "--due", "2026-12-24")
    assert "due_date 2026-12-24," in edda("history", task).stdout
    whole = edda("history").stdout
    assert "made task long long" in whole
    assert max(map(len, whole.splitlines())) < 200
    assert len(edda.json("history")["changes"][0]["what"][0]) > 400
