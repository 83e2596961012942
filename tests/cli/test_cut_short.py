"""Folders of edits that were cut short; ``test_editors.py`` cuts real ones short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edda_sync.cli import cut_short
from edda_sync.cli.cut_short import MARK


def cut(place: Path, name: str, before: bytes, **files: bytes) -> Path:
    """A folder as a killed command leaves it."""
    folder = place / name
    folder.mkdir()
    with cut_short.marked(folder, before):
        mark = (folder / MARK).read_bytes()
    (folder / MARK).write_bytes(mark)
    for each, content in files.items():
        (folder / each).write_bytes(content)
    return folder


def test_what_holds_something_new_is_named_once(tmp_path: Path) -> None:
    folder = cut(tmp_path, "edda-1", b"had", text=b"hours of work", copy=b"had", blank=b" \n")
    assert cut_short.left(tmp_path) == [folder / "text"]
    assert cut_short.left(tmp_path) == []
    assert (folder / "text").read_bytes() == b"hours of work"


@pytest.mark.parametrize("files", [{}, {"text": b"had"}, {"text": b""}])
def test_what_holds_nothing_new_is_removed(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = cut(tmp_path, "edda-1", b"had", **files)
    assert cut_short.left(tmp_path) == []
    assert not folder.exists()


def test_an_edit_that_goes_on_and_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "edda-1").mkdir()
    (tmp_path / "edda-1" / "text").write_bytes(b"no edit")
    running = tmp_path / "edda-2"
    running.mkdir()
    with cut_short.marked(running, b"had") as held:
        (running / "text").write_bytes(b"half")
        assert cut_short.left(tmp_path) == []
        assert len(held) == 1
    assert [each.name for each in running.iterdir()] == ["text"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_folder_of_another_user_is_neither_named_nor_removed(tmp_path: Path) -> None:
    folder = cut(tmp_path, "edda-1", b"had", text=b"theirs")
    os.chown(folder, 12345, -1)
    assert cut_short.left(tmp_path) == []
    assert (folder / MARK).exists()


def test_an_edit_on_a_full_disk_goes_on_without_a_mark(tmp_path: Path) -> None:
    with cut_short.marked(tmp_path / "missing", b"had") as held:
        assert held == []
