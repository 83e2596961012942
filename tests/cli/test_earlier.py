"""What was there at a time: ``task show`` and ``doc show`` with ``--at``."""

from __future__ import annotations

from typing import Any


def test_what_was_there_at_a_time_is_shown_and_what_was_not_is_said(edda: Any) -> None:
    note = edda.id_of("doc", "add", "-", "--title", "N", stdin="first words")
    moment = edda.json("history", note)["changes"][0]["at"]
    task = edda.id_of("task", "add", "Milk", "--description", "two")
    later = edda.json("history", task)["changes"][0]["at"]
    change = edda("history", note).stdout.split()[0]
    edda("doc", "edit", note, "--content", "other words")
    edda("task", "edit", task, "--title", "Oat milk")
    edda("doc", "rm", note)
    assert edda("doc", "show", note, "--at", moment).stdout == "first words"
    assert edda("doc", "show", note, "--at", change).stdout == "first words"
    assert "no change" in edda("doc", "show", note, "--at", "00000000-12", code=3).stderr.lower()
    assert edda.json("doc", "show", note, "--at", moment)["content"] == "first words"
    assert edda.json("task", "show", task, "--at", later)["title"] == "Milk"
    assert "title: Milk" in edda("task", "show", task, "--at", later).stdout
    assert "edda history" in edda("doc", "show", note, "--at", "2000-01-01", code=3).stderr


def test_what_was_not_there_then_ends_with_3_and_names_a_command_that_can_be_copied(edda: Any) -> None:
    edda("task", "add", "Buy milk")
    edda("doc", "add", "-", "--title", "Shopping list", stdin=b"x")
    for kind, title in (("task", "Buy milk"), ("doc", "Shopping list")):
        said = edda(kind, "show", title, "--at", "2020-01-01", code=3).stderr
        assert f"`edda history '{title}'` shows when." in said
        assert edda("history", title).stdout
