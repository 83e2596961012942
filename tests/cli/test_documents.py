from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.model import Document
from tests.cli.processes import on_a_terminal


def test_a_document_is_added_from_a_file_byte_for_byte(edda: Any, tmp_path: Path) -> None:
    raw = "\ufeff# Ein  Titel #\r\n\r\nZeile\0 mit NUL\r\n".encode()
    (tmp_path / "note.md").write_bytes(raw)
    document_id = edda.id_of("doc", "add", str(tmp_path / "note.md"), "--type", "spec", "--tag", "x")
    shown = edda.json("doc", "show", document_id)
    assert (shown["title"], shown["doc_type"], shown["tags"]) == ("Ein Titel", "spec", ["x"])
    assert edda("doc", "show", document_id[-6:]).stdout_bytes == raw


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("plain.md", "no heading\n", "plain"),
        ("a.txt", "```\n# no heading\n```\n# one\n", "one"),
        ("b.md", "## second\n# first\n", "first"),
        ("c.md", "#hashtag\n", "c"),
        ("d.md", "# \n#  \n", "d"),
        ("e.md", "# " + "x" * 600, "x" * 500),
        ("f.md", "", "f"),
    ],
)
def test_a_documents_title_is_its_first_heading_or_else_its_files_name(
    edda: Any, tmp_path: Path, name: str, content: str, title: str
) -> None:
    (tmp_path / name).write_text(content)
    document_id = edda.id_of("doc", "add", str(tmp_path / name))
    assert edda.json("doc", "show", document_id)["title"] == title


def test_a_document_from_stdin_needs_a_heading_or_a_title(edda: Any) -> None:
    assert "--title" in edda("doc", "add", "-", stdin=b"words", code=2).stderr
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=b"words")
    assert edda("doc", "show", document_id).stdout == "words"
    assert edda.json("doc", "show", edda.id_of("doc", "add", "-", stdin=b"# H\n"))["title"] == "H"


def test_content_is_replaced_by_a_text_or_a_file(edda: Any, tmp_path: Path) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=b"one two three")
    edda("doc", "edit", document_id, "--content", "one 2 three")
    assert edda("doc", "show", document_id).stdout == "one 2 three"
    (tmp_path / "new").write_bytes(b"\r\none\r\n")
    edda("doc", "edit", document_id, "--file", str(tmp_path / "new"))
    assert edda("doc", "show", document_id).stdout_bytes == b"\r\none\r\n"
    edda("doc", "edit", document_id, "--content", "a", "--file", "b", code=2)


def test_fields_tags_and_metadata_are_edited_and_the_content_stays(edda: Any) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "T", "--tag", "a", stdin=b"text")
    edda(
        "doc",
        "edit",
        document_id,
        "--title",
        "U",
        "--type",
        "journal",
        "--untag",
        "a",
        "--tag",
        "b",
        "--metadata",
        '{"k": 1}',
    )
    edda("doc", "edit", document_id, "--unset-metadata", "k", "--content-type", "text/plain")
    shown = edda.json("doc", "show", document_id)
    assert (shown["title"], shown["doc_type"], shown["tags"], shown["metadata"]) == ("U", "journal", ["b"], {})
    assert (shown["content_type"], shown["content"]) == ("text/plain", "text")


def test_the_editor_edits_byte_for_byte(edda: Any, editor: Any) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin="\ufeffone\r\ntwo".encode())
    editor("path.write_bytes(path.read_bytes().replace(b'one', b'three'))")
    edda("doc", "edit", document_id)
    assert edda("doc", "show", document_id).stdout_bytes == "\ufeffthree\r\ntwo".encode()
    editor("import time; time.sleep(2); assert path.read_bytes()")
    before = edda.json("doc", "show", document_id)["version"]
    assert "Nothing was changed" in edda("doc", "edit", document_id).stderr
    assert edda.json("doc", "show", document_id)["version"] == before


def test_writes_made_while_the_editor_is_open_are_merged(
    edda: Any, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=b"alpha beta gamma")
    other = [sys.executable, "-c", "from edda_sync.cli.main import main; main()", "--home", str(edda.home)]
    other += ["doc", "edit", document_id, "--content", "ALPHA beta gamma"]
    editor(
        f"import subprocess; subprocess.run({other!r}, check=True)\n"
        "path.write_text(path.read_text().replace('gamma', 'GAMMA'))"
    )
    edda("doc", "edit", document_id)
    assert edda("doc", "show", document_id).stdout == "ALPHA beta GAMMA"


def test_documents_are_listed_and_searched(edda: Any) -> None:
    first = edda.id_of("doc", "add", "-", "--title", "Milk", "--type", "spec", stdin=b"about cows")
    second = edda.id_of("doc", "add", "-", "--title", "Cows", "--tag", "farm", stdin=b"cows and milk")
    assert {each["id"] for each in edda.json("doc", "list")} == {first, second}
    assert [each["id"] for each in edda.json("doc", "list", "--type", "spec")] == [first]
    assert [each["id"] for each in edda.json("doc", "list", "--tag", "farm")] == [second]
    assert [each["title"] for each in edda.json("doc", "list", "--order", "title")] == ["Cows", "Milk"]
    assert [each["title"] for each in edda.json("doc", "list", "--order", "title", "--reverse", "--limit", "1")] == [
        "Milk"
    ]
    assert {each["id"] for each in edda.json("doc", "search", "cow*", "milk")} == {first, second}
    assert [each["id"] for each in edda.json("doc", "search", "and")] == [second]
    assert edda("doc", "search", "nothing").stdout == ""
    assert [line.split()[0] for line in edda("doc", "list", "--type", "spec").stdout.splitlines()] == [
        first.replace("-", "")[-6:]
    ]


def test_documents_go_to_the_trash_and_come_back(edda: Any) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=b"text")
    edda("doc", "rm", document_id[-6:])
    edda("doc", "show", document_id, code=3)
    assert [each["id"] for each in edda.json("doc", "list", "--trash")] == [document_id]
    edda("doc", "restore", document_id[-6:])
    assert edda("doc", "show", document_id).stdout == "text"


def test_a_command_for_documents_refuses_a_task(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a")
    for command in (["show"], ["rm"], ["restore"], ["edit", "--title", "x"]):
        edda("doc", command[0], task_id, *command[1:], code=3)
    assert edda.json("task", "show", task_id)["title"] == "a"


def test_an_edit_says_what_changed(edda: Any, editor: Any) -> None:
    document_id = edda.id_of("doc", "add", "-", "--title", "Notes", stdin=b"text")
    editor('path.write_text("new text")')
    assert edda("doc", "edit", document_id).stderr.startswith("Changed content: Notes\n")
    assert edda("doc", "edit", document_id, "--content", "new text").stderr == "Same as before: Notes\n"
    assert edda("doc", "edit", document_id, "--type", "spec", "--tag", "a").stderr == "Changed type, tags: Notes\n"
    assert edda("doc", "edit", document_id, "--type", "note", "--json").stderr == ""


def test_a_file_that_is_missing_is_told_with_the_way_to_add_a_text(edda: Any) -> None:
    said = edda("doc", "add", "Notes", code=3).stderr
    assert said.startswith("Notes: No such file or directory; `echo TEXT | edda doc add - --title TITLE` adds")


def test_a_document_of_a_wrong_clock_leads_no_list_and_is_marked(edda: Any) -> None:
    with StorageEngine(edda.home, now=lambda: 4_102_444_800.0) as store:  # the year 2100
        store.open_store()
        store.create_document(Document(title="future"))
    for title in ("one", "two"):
        edda("doc", "add", "-", "--title", title, stdin="x")
    assert [each["title"] for each in edda.json("doc", "list")] == ["two", "one", "future"]
    assert [each["title"] for each in edda.json("doc", "list", "--limit", "1")] == ["two"]
    _, printed = on_a_terminal(edda.home, "doc", "list")
    assert printed.count("(a wrong clock)") == 1


def test_a_document_in_the_trash_is_named_with_the_way_back(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Note\n")
    document = edda.id_of("doc", "add", str(tmp_path / "note.md"))
    said = edda("doc", "rm", document).stderr
    back = said.partition("`edda ")[2].partition("`")[0]
    assert back.startswith("doc restore ")
    assert said.endswith("brings it back.\n")
    edda(*back.split())
    assert [each["id"] for each in edda.json("doc", "list")] == [document]
