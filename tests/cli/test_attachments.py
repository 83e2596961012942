"""`edda attach`, and `edda doc` files, save, detach."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edda_sync.cli.attachments import size_in_words


@pytest.fixture
def made(edda: Any) -> str:
    return str(edda.id_of("doc", "add", "-", "--title", "Trip", stdin=b"text"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_file_is_attached_listed_saved_and_detached(edda: Any, made: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "map.png").write_bytes(os.urandom(5_000))
    assert edda("attach", made[-6:], str(tmp_path / "map.png")).stderr == "Attached to Trip: map.png (5 KB)\n"
    (listed,) = edda.json("doc", "files", made)
    assert (listed["name"], listed["content_type"], listed["size"], listed["here"]) == (
        "map.png",
        "image/png",
        5_000,
        True,
    )
    assert "map.png" in edda("doc", "files", made).stdout
    assert edda("doc", "save", made).stderr == "Saved map.png as map.png (5 KB).\n"
    assert (folder / "map.png").read_bytes() == (tmp_path / "map.png").read_bytes()
    assert edda("doc", "detach", made, listed["id"][-6:]).stderr == "Detached: map.png\n"
    assert "edda attach" in edda("doc", "files", made).stderr
    assert edda.json("doc", "files", made) == []


def test_nothing_is_replaced_without_force(edda: Any, made: str, folder: Path) -> None:
    edda("attach", made, "-", "--name", "a.txt", stdin=b"first")
    (folder / "a.txt").write_text("mine")
    assert "--force" in edda("doc", "save", made, code=2).stderr
    assert (folder / "a.txt").read_text() == "mine"
    edda("doc", "save", made, "--force")
    assert (folder / "a.txt").read_text() == "first"
    (folder / "sub").mkdir()
    edda("doc", "save", made, "--to", "sub")
    edda("doc", "save", made, "--to", "sub/other")
    assert [(folder / "sub" / name).read_text() for name in ("a.txt", "other")] == ["first", "first"]
    assert edda("doc", "save", made, "--to", "-").stdout == "first"


def test_a_name_never_decides_where_a_byte_is_written(edda: Any, made: str, folder: Path, tmp_path: Path) -> None:
    for name in ("../escaped", "/etc/escaped", "..", ".bashrc"):
        edda("attach", made, "-", "--name", name, stdin=b"x")
        edda("doc", "save", made, name)
    assert sorted(os.listdir(folder)) == ["_._escaped", "_bashrc", "_etc_escaped", "file"]
    assert not (tmp_path / "escaped").exists()


def test_several_files_of_one_name_are_told_apart_by_id(edda: Any, made: str) -> None:
    edda("attach", made, "-", "--name", "a", stdin=b"1")
    assert "both are kept" in edda("attach", made, "-", "--name", "a", stdin=b"2").stderr
    assert "with its id" in edda("doc", "save", made, "a", code=2).stderr
    assert "2 files are attached" in edda("doc", "save", made, code=2).stderr
    second = edda.json("doc", "files", made)[1]["id"]
    assert edda("doc", "save", made, second, "--to", "-").stdout == "2"


def test_what_cannot_be_attached_says_why(edda: Any, made: str, folder: Path) -> None:
    assert "is a folder" in edda("attach", made, str(folder), code=2).stderr
    assert "--name" in edda("attach", made, "-", code=2, stdin=b"x").stderr
    (folder / "a").write_text("a")
    assert "one by one" in edda("attach", made, "a", "a", "--name", "b", code=2).stderr
    assert "No such file" in edda("attach", made, "missing", code=1).stderr
    assert "attach it as it is" in edda("doc", "add", "-", "--title", "T", stdin=b"\xff", code=2).stderr
    assert "edda doc files" in edda("doc", "detach", made, "missing", code=3).stderr
    edda("attach", made[:-6] + "ffffff", "a", code=3)


def test_a_document_may_be_nothing_but_a_file(edda: Any, folder: Path) -> None:
    (folder / "scan.pdf").write_bytes(b"%PDF\xff")
    made = edda.id_of("doc", "add", "scan.pdf", "--attach", "--tag", "tax")
    found = edda.json("doc", "show", made)
    assert (found["title"], found["content"], found["content_type"]) == ("scan.pdf", None, "application/pdf")
    assert [each["name"] for each in edda.json("doc", "files", made)] == ["scan.pdf"]
    assert "--title" in edda("doc", "add", "-", "--attach", stdin=b"x", code=2).stderr
    made = edda.id_of("doc", "add", "-", "--attach", "--title", "photo.jpg", stdin=b"x")
    assert edda.json("doc", "files", made)[0]["content_type"] == "image/jpeg"


def test_a_vanished_file_says_so_and_writes_nothing(edda: Any, made: str, folder: Path) -> None:
    edda("attach", made, "-", "--name", "a", stdin=b"x")
    shutil.rmtree(edda.home / "files")
    assert "is not on this device" in edda("doc", "save", made, code=1).stderr
    assert os.listdir(folder) == []
    assert "not here" in edda("doc", "files", made).stdout


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 KB"),
        (1_234_567, "1.23 MB"),
        (999_600, "1 MB"),
        (64 << 30, "68.7 GB"),
    ],
)
def test_a_size_is_short(size: int, words: str) -> None:
    assert size_in_words(size) == words
