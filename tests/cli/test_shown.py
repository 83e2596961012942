"""What was last shown is the base of a text that is written back, so that what came in between is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LIST = "milk\nbread\n"


@pytest.fixture
def note(edda: Any) -> str:
    return edda.id_of("doc", "add", "-", "--title", "List", stdin=LIST)  # type: ignore[no-any-return]


def comes_in_between(edda: Any, note: str) -> None:
    """Somebody else adds a line at the top."""
    edda("--agent", "phone", "doc", "show", note)
    edda("--agent", "phone", "doc", "edit", note, "--content", f"eggs\n{LIST}")


def test_a_text_that_was_shown_and_is_written_back_keeps_what_came_in_between(edda: Any, note: str) -> None:
    text = edda("doc", "show", note).stdout
    comes_in_between(edda, note)
    told = edda("doc", "edit", note, "--content", f"{text}tea\n").stderr
    assert edda("doc", "show", note).stdout == f"eggs\n{LIST}tea\n"
    assert "Merged with what was written meanwhile" in told


def test_the_version_that_json_gives_is_the_base_of_an_edit_by_anybody(edda: Any, note: str, tmp_path: Path) -> None:
    version = edda.json("doc", "show", note)["version"]
    comes_in_between(edda, note)
    (tmp_path / "f").write_text(f"{LIST}tea\n")
    edda("--agent", "bot", "doc", "edit", note, "--file", str(tmp_path / "f"), "--base", version)
    assert edda("doc", "show", note).stdout == f"eggs\n{LIST}tea\n"
    assert edda("doc", "edit", note, "--content", "x", "--base", "000000000000", code=3).stderr.startswith(
        "There is no version"
    )
    edda("doc", "edit", note, "--title", "T", "--base", version, code=2)


def test_what_was_merged_unseen_must_be_looked_at_before_the_next_whole_text(edda: Any, note: str) -> None:
    text = edda("doc", "show", note).stdout
    comes_in_between(edda, note)
    edda("doc", "edit", note, "--content", f"{text}tea\n")
    refused = edda("doc", "edit", note, "--content", f"{text}tea\nrice\n", code=2).stderr
    assert "you have not seen it; nothing was changed" in refused
    text = edda("doc", "show", note).stdout
    assert text.startswith("eggs")
    edda("doc", "edit", note, "--content", f"{text}rice\n")
    assert edda("doc", "show", note).stdout == f"{text}rice\n"


def test_one_edit_after_another_of_the_same_writer_needs_no_look(edda: Any, note: str) -> None:
    for number in range(3):
        edda("doc", "edit", note, "--content", f"{LIST}{number}\n")
    assert edda("doc", "show", note).stdout == f"{LIST}2\n"


def test_a_description_is_kept_like_a_content(edda: Any) -> None:
    task = edda.id_of("task", "add", "Shop", "--description", LIST)
    version = edda.json("task", "show", task)["version"]
    for agent in ("phone", "tablet"):
        edda("--agent", agent, "task", "edit", task, "--description", f"{agent}\n{LIST}", "--base", version)
    edda("task", "edit", task, "--description", f"{LIST}tea\n")
    kept = edda.json("task", "show", task)["description"]
    assert kept.endswith(f"{LIST}tea\n")
    assert {"phone", "tablet"} <= set(kept.split())


def test_a_reader_whose_notes_cannot_be_kept_is_compared_with_what_is_there(
    edda: Any, note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    edda("doc", "show", note)
    comes_in_between(edda, note)
    monkeypatch.setattr("edda_sync.cli.shown._path", lambda _item: tmp_path / "file" / "note")
    edda("doc", "show", note)
    edda("doc", "edit", note, "--content", "mine\n")
    assert edda("doc", "show", note).stdout == "mine\n"
