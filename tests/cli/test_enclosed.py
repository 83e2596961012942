"""What is attached to documents is beside what `edda export` writes, and comes back with `edda import`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edda_sync.words import limits

CONTENT = os.urandom(5_000)


@pytest.fixture
def filled(edda: Any) -> str:
    """A document with five attachments, of which some have dangerous names, or names that are one on some disks."""
    made: str = edda.id_of("doc", "add", "-", "--title", "Trip", stdin=b"text")
    for name in ("map.png", "MAP.PNG", "../../escaped", "con.txt", "x" * 255):
        edda("attach", made, "-", "--name", name, stdin=name.encode() + CONTENT)
    return made


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def attached(edda: Any, document: str) -> dict[str, bytes]:
    """Return what is attached to a document, read by a store of this process."""
    import edda_sync

    with edda_sync.open(edda.home) as store:
        return {each.name: store.open_attachment(document, each.id).read() for each in store.attachments(document)}


def test_json_lines_take_attached_files_along_and_bring_them_back(
    edda: Any, another_edda: Callable[[str], Any], filled: str, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "all.jsonl"
    out.parent.mkdir()
    said = edda("export", str(out)).stderr
    assert f"and 5 attached files to {out}.files." in said
    written = files_in(out.parent)
    assert sorted(os.listdir(out.parent)) == ["all.jsonl", "all.jsonl.files"]
    assert len({each.casefold() for each in written}) == 6, "each is a file of its own on every disk"
    lines = [json.loads(line) for line in written.pop("all.jsonl").splitlines()]
    told = {each["name"]: each for each in lines if each["kind"] == "attachment"}
    for name, each in told.items():
        assert each["file"].split("/")[0] == filled
        assert written[f"all.jsonl.files/{each['file']}"] == name.encode() + CONTENT
    other = another_edda("other")
    assert "Attached: 5 files." in other("import", "jsonl", str(out)).stderr
    assert attached(other, filled) == attached(edda, filled) == {name: name.encode() + CONTENT for name in told}
    assert "ttached" not in other("import", "jsonl", str(out)).stderr, "once more changes nothing"
    assert len(attached(other, filled)) == 5


def test_markdown_takes_attached_files_along_and_brings_them_back(
    edda: Any, another_edda: Callable[[str], Any], filled: str, tmp_path: Path
) -> None:
    edda("attach", filled, "-", "--name", "notes.md", stdin=b"# No document")
    out = tmp_path / "out"
    assert f"Wrote 1 document and 6 attached files to {out}." in edda("export", "--format", "markdown", str(out)).stderr
    assert sorted(os.listdir(out)) == [".edda.jsonl", "Trip.files", "Trip.md"]
    assert (out / "Trip.files" / "map.png").read_bytes() == b"map.png" + CONTENT
    edda("export", "--format", "markdown", str(out))  # nothing would change
    (out / "Trip.files" / "map.png").write_bytes(b"mine")
    assert "1 attached file in" in edda("export", "--format", "markdown", str(out), code=2).stderr
    assert (out / "Trip.files" / "map.png").read_bytes() == b"mine"
    edda("export", "--format", "markdown", str(out), "--force")
    (out / "Trip.files" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    other = another_edda("other")
    assert "Attached: 6 files." in other("import", "markdown", str(out)).stderr
    (document,) = other.json("doc", "list")
    found = attached(other, document["id"])
    assert sorted(found.values()) == sorted(attached(edda, filled).values())
    assert found["notes.md"] == b"# No document"


def test_a_file_that_came_beside_a_document_since_is_told_and_attached_if_the_source_is_preferred(
    edda: Any, filled: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    edda("export", "--format", "markdown", str(out))
    assert "ttached" not in edda("import", "markdown", str(out)).stderr, "also what has another name on a disk"
    (out / "Trip.files" / "new.png").write_bytes(b"new")
    for _ in range(2):
        said = edda("import", "markdown", str(out)).stderr
        assert said.startswith("Not attached here, since their documents were here already: 1 file; `--prefer source`")
        assert said.endswith("  Trip.md: new.png\n")
    assert "Attached: 1 file." in edda("import", "markdown", str(out), "--prefer", "source").stderr
    assert attached(edda, filled)["new.png"] == b"new"
    assert "ttached" not in edda("import", "markdown", str(out)).stderr


def test_what_goes_to_stdout_names_attached_files_and_says_that_their_content_is_missing(
    edda: Any, another_edda: Callable[[str], Any], filled: str
) -> None:
    done = edda("export")
    assert "5 attached files are named without the content" in done.stderr
    assert [json.loads(line).get("file", "") for line in done.stdout.splitlines()][-5:] == [None] * 5
    other = another_edda("other")
    said = other("import", "jsonl", "-", stdin=done.stdout.encode(), code=1).stderr
    assert "Could not be attached: 5." in said
    assert "map.png: its content is not in this export" in said
    assert other.json("doc", "files", filled) == []


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/../../secret", "link", "a/\0", ""])
def test_an_export_that_names_files_elsewhere_attaches_none_of_them(edda: Any, tmp_path: Path, file: str) -> None:
    document = edda.id_of("doc", "add", "-", "--title", "Trip", stdin=b"text")
    edda("attach", document, "-", "--name", "a", stdin=b"a")
    out, absolute = tmp_path / "all.jsonl", tmp_path / "secret"
    edda("export", str(out))
    edda("doc", "rm", document)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "all.jsonl.files" / "link").symlink_to(absolute)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    lines[-1]["file"] = file
    new = document[:-4] + ("0000" if document[-4:] != "0000" else "1111")  # another one, which is not in the trash
    out.write_text("".join(json.dumps(each).replace(document, new) + "\n" for each in lines))
    said = edda("import", "jsonl", str(out), code=1).stderr
    assert "Could not be attached: 1." in said
    assert edda.json("doc", "files", new) == []


def test_what_is_not_whole_here_is_left_out_and_named(edda: Any, filled: str, tmp_path: Path) -> None:
    chunk = max((edda.home / "files").glob("??/*"), key=lambda path: path.stat().st_size)
    raw = bytearray(chunk.read_bytes())
    raw[100] ^= 1
    chunk.write_bytes(raw)
    said = edda("export", "--format", "markdown", str(tmp_path / "out")).stderr
    assert "Not whole on this device, and left out: " in said
    assert "4 attached files" in said
    assert "left out" in edda("export", "--format", "markdown", str(tmp_path / "out")).stderr


def test_nothing_attached_is_written_through_a_link(edda: Any, filled: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "Trip.files").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in edda("export", "--format", "markdown", str(tmp_path / "out"), "--force", code=2).stderr
    assert os.listdir(tmp_path / "elsewhere") == []
    assert os.listdir(tmp_path / "out") == ["Trip.files"]


def test_no_name_in_an_export_is_too_long_for_a_disk(edda: Any, filled: str, tmp_path: Path) -> None:
    for _ in range(2):
        edda("attach", filled, "-", "--name", "é" * 200 + ".pdf", stdin=b"x")
    edda("export", "--format", "markdown", str(tmp_path / "out"))
    names = os.listdir(tmp_path / "out" / "Trip.files")
    assert len(names) == 7
    assert max(len(name.encode()) for name in names) <= limits.FILE_NAME_BYTES_MAX
    assert sum(name.endswith(".pdf") for name in names) == 2
