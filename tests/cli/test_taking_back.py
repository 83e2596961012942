"""What overwrites something names the command that brings it back, and that command does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edda_sync.cli.taking_back import command


def undo_of(stderr: str) -> list[str]:
    (line,) = [each for each in stderr.splitlines() if each.endswith("takes it back.")]
    return line.split("`")[1].split()[1:]


def test_an_overwritten_and_an_emptied_document_come_back(edda: Any, editor: Callable[[str], None]) -> None:
    note = edda.id_of("doc", "add", "-", "--title", "N", stdin="one two three")
    for words in (["--content", "other"], ["--content", "", "--allow-empty"]):
        edda(*undo_of(edda("doc", "edit", note, *words).stderr))
        assert edda("doc", "show", note).stdout == "one two three"
    editor("path.write_text('new')")
    edda(*undo_of(edda("doc", "edit", note).stderr))
    assert edda("doc", "show", note).stdout == "one two three"
    assert "takes it back" not in edda("doc", "edit", note, "--title", "M").stderr


def test_an_overwritten_description_comes_back(edda: Any) -> None:
    task = edda.id_of("task", "add", "Milk", "--description", "two litres")
    edda(*undo_of(edda("task", "edit", task, "--description", "three").stderr))
    assert edda.json("task", "show", task)["description"] == "two litres"


def test_two_tags_that_became_one_are_two_again(edda: Any) -> None:
    one, two = (edda.id_of("task", "add", each, "--tag", each) for each in ("work", "job"))
    edda(*undo_of(edda("tag", "rename", "--merge", "work", "job").stderr))
    assert [edda.json("task", "show", each)["tags"] for each in (one, two)] == [["work"], ["job"]]


def test_a_tag_that_was_renamed_has_its_old_name_again(edda: Any) -> None:
    task = edda.id_of("task", "add", "One", "--tag", "work")
    for name in ("Work", "job"):
        edda(*undo_of(edda("tag", "rename", "work", name).stderr))
        assert edda.json("task", "show", task)["tags"] == ["work"]
        assert [each["name"] for each in edda.json("tag", "list")] == ["work"]


def test_a_link_that_was_replaced_or_taken_away_is_there_again(edda: Any) -> None:
    task, note = edda.id_of("task", "add", "One"), edda.id_of("doc", "add", "-", "--title", "N", stdin="words")
    assert "takes it back" not in edda("link", task, note, "--as", "spec").stderr
    for how in (["--as", "output"], ["--remove"]):
        edda(*undo_of(edda("link", task, note, *how).stderr))
        assert [each["relationship_type"] for each in edda.json("task", "show", task)["links"]] == ["spec"]


def test_a_file_that_was_taken_off_is_attached_again(edda: Any) -> None:
    note = edda.id_of("doc", "add", "-", "--title", "N", stdin="words")
    edda("attach", note, "-", "--name", "a.txt", stdin=b"first")
    edda(*undo_of(edda("doc", "detach", note, "a.txt").stderr))
    assert [(each["name"], each["here"]) for each in edda.json("doc", "files", note)] == [("a.txt", True)]


def test_an_import_that_went_wrong_is_taken_back_as_a_whole(edda: Any, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.md").write_text(f"# Number {number}\n")
    edda(*undo_of(edda("import", "markdown", str(tmp_path)).stderr))
    assert edda.json("doc", "list") == []


def test_changes_one_after_another_are_named_as_one_range() -> None:
    one, other = bytes([1]) * 16, bytes([2]) * 16
    dots = [(one, 1), (one, 2), (one, 3), (other, 1), (one, 5)]
    assert command(dots) == "edda undo 01010101-1..3 02020202-1 01010101-5"
