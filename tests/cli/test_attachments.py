"""`edda attach`, and `edda doc` files, save, detach."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edda_sync.words.units import size_in_words


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
    assert edda("doc", "detach", made, listed["id"][-6:]).stderr.startswith("Detached: map.png\n")
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


def test_a_file_is_saved_under_another_name_or_into_a_folder(edda: Any, made: str, folder: Path) -> None:
    edda("attach", made, "-", "--name", "a.txt", stdin=b"first")
    (folder / "sub").mkdir()
    assert edda("doc", "save", made, "a.txt", "b.txt").stderr == "Saved a.txt as b.txt (5 bytes).\n"
    edda("doc", "save", made, "a.txt", "sub")
    edda("doc", "save", made, "a.txt", "sub/", "--force")
    edda("doc", "save", made, "a.txt", "../folder/sub/../c.txt")
    assert edda("doc", "save", made, "a.txt", "-").stdout == "first"
    assert sorted(os.listdir(folder)) == ["b.txt", "c.txt", "sub"]
    assert os.listdir(folder / "sub") == ["a.txt"]


def test_a_target_that_cannot_be_meant_is_refused_and_nothing_is_written(edda: Any, made: str, folder: Path) -> None:
    edda("attach", made, "-", "--name", "a.txt", stdin=b"first")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("nowhere")
    for target, said in {
        "": "is empty",
        "missing/": "no folder missing/",
        "missing/b": "no folder missing",
        "pipe": "no ordinary file",
        "link": "is there already",
        "x" * 300: "too long a name",
    }.items():
        assert said in edda("doc", "save", made, "a.txt", target, code=2).stderr
    assert "no ordinary file" in edda("doc", "save", made, "a.txt", "/dev/null", "--force", code=2).stderr
    assert "leave one of them out" in edda("doc", "save", made, "a.txt", "b", "--to", "c", code=2).stderr
    assert "only 'a.txt'" in edda("doc", "save", made, "b.txt", code=3).stderr
    assert sorted(os.listdir(folder)) == ["link", "pipe"]
    edda("doc", "save", made, "a.txt", "link", "--force")
    assert (folder / "link").read_text() == "first"
    assert not (folder / "link").is_symlink()
    assert not (folder / "nowhere").exists()


def test_names_that_differ_only_by_case_or_composition_replace_nothing(edda: Any, made: str, folder: Path) -> None:
    for name in ("a.txt", "A.txt", "\u00e9.txt", "e\u0301.txt"):
        edda("attach", made, "-", "--name", name, stdin=name.encode())
        edda("doc", "save", made, name)  # on a disk that takes two of them for one, this would say so
    assert {each.read_text() for each in folder.iterdir()} == {"a.txt", "A.txt", "\u00e9.txt", "e\u0301.txt"}


def test_a_name_never_decides_where_a_byte_is_written(edda: Any, made: str, folder: Path, tmp_path: Path) -> None:
    for name in ("../escaped", "/etc/escaped", "..", ".bashrc"):
        edda("attach", made, "-", "--name", name, stdin=b"x")
        edda("doc", "save", made, name)
    assert sorted(os.listdir(folder)) == ["_._escaped", "_bashrc", "_etc_escaped", "file"]
    assert not (tmp_path / "escaped").exists()


def test_several_files_of_one_name_are_told_apart_by_id(edda: Any, made: str, folder: Path) -> None:
    edda("attach", made, "-", "--name", "a", stdin=b"1")
    assert "both are kept" in edda("attach", made, "-", "--name", "a", stdin=b"2").stderr
    assert "with its id" in edda("doc", "save", made, "a", code=2).stderr
    for number in "12":
        (folder / number).mkdir()
        (folder / number / "b").write_text(number)
    assert edda("attach", made, "1/b", "2/b").stderr.count("b was attached before") == 1
    edda("doc", "detach", made, edda.json("doc", "files", made)[-1]["id"])
    edda("doc", "detach", made, "b")
    assert "2 files are attached" in edda("doc", "save", made, code=2).stderr
    ids = [each["id"] for each in edda.json("doc", "files", made)]  # of one millisecond, in any order
    assert sorted(edda("doc", "save", made, each, "--to", "-").stdout for each in ids) == ["1", "2"]


def test_what_cannot_be_attached_says_why(edda: Any, made: str, folder: Path) -> None:
    assert "is a folder" in edda("attach", made, str(folder), code=2).stderr
    assert "FILE is empty" in edda("attach", made, "", code=2).stderr
    assert "--name" in edda("attach", made, "-", code=2, stdin=b"x").stderr
    (folder / "a").write_text("a")
    assert "one by one" in edda("attach", made, "a", "a", "--name", "b", code=2).stderr
    assert "No such file" in edda("attach", made, "missing", code=3).stderr
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
    assert "No device that could be reached has all of 'a'" in edda("doc", "save", made, code=1).stderr
    assert os.listdir(folder) == []
    assert "not here" in edda("doc", "files", made).stdout


def test_a_vanished_file_is_no_damage_of_the_store_and_its_name_is_shown_safely(edda: Any, made: str) -> None:
    edda("attach", made, "-", "--name", "\u202ea", stdin=b"x")
    shutil.rmtree(edda.home / "files")
    done = edda("doctor", code=1)
    assert (
        "DAMAGED  attachments: vanished from this disk, fetch or attach the file again: \\u202ea of the document"
        in done.stdout
    )
    assert "--rebuild" not in done.stderr, "it would not bring the file back"
    assert "damaged" not in edda("task", "add", "Buy milk").stderr
    assert edda("doctor", "--rebuild", code=1).stderr == ""


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
