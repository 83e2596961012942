from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_an_import_says_what_it_did_and_what_went_into_metadata(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "issues.jsonl").write_text(
        '{"id": "1", "title": "a", "notes": "n"}\n{"id": "2", "title": "b", "status": "hooked"}\n'
    )
    first = edda("import", "beads", str(tmp_path / "issues.jsonl"))
    assert first.stdout == "2 tasks created, 0 updated, 0 unchanged.\n"
    assert first.stderr.splitlines()[:-1] == [
        "Kept in metadata, since no field holds it: notes 1.",
        "Taken as near as a field holds it, and kept in metadata as it was: status 'hooked' 1.",
    ]
    once_more = edda("import", "beads", str(tmp_path / "issues.jsonl"))
    assert (once_more.stdout, once_more.stderr) == ("0 tasks created, 0 updated, 2 unchanged.\n", "")
    task_id = next(each["id"] for each in edda.json("task", "list", "--all") if each["title"] == "a")
    edda("task", "edit", task_id, "--title", "mine")
    edda("task", "rm", next(each["id"] for each in edda.json("task", "list", "--all") if each["title"] == "b"))
    (tmp_path / "issues.jsonl").write_text('{"id": "1", "title": "c", "notes": "n"}\n{"id": "2", "title": "b"}\n')
    again = edda("import", "beads", str(tmp_path / "issues.jsonl"))
    assert re.search(r"Left in the trash: 1 task; `edda task restore [0-9a-f-]+` brings it back.\n", again.stderr)
    assert "1: title" in again.stderr
    assert edda.json("task", "show", task_id)["title"] == "mine"


def test_an_import_with_refused_parts_imports_the_rest_and_fails(edda: Any, tmp_path: Path) -> None:
    lines = ['{"id": "1", "title": "a"}', *["{"] * 12]
    (tmp_path / "issues.jsonl").write_text("\n".join(lines))
    failed = edda("import", "beads", str(tmp_path / "issues.jsonl"), code=1)
    assert failed.stdout.startswith("1 task created")
    assert "Could not be imported: 12." in failed.stderr
    assert "line 2: is not JSON" in failed.stderr
    assert "and 2 more" in failed.stderr


def test_an_export_of_our_own_is_no_export_of_beads(edda: Any, tmp_path: Path) -> None:
    task_id = edda.id_of("task", "add", "a", "--tag", "t")
    edda("link", task_id, edda.id_of("doc", "add", "-", "--title", "D", stdin="x"))
    lines = edda("export").stdout.splitlines()
    assert len(lines) == 4
    before = edda.everything()
    for number, line in enumerate(lines):
        (tmp_path / f"{number}.jsonl").write_text(f'{{"id": "1", "title": "of Beads"}}\n{line}\n')
        refused = edda("import", "beads", str(tmp_path / f"{number}.jsonl"), code=2).stderr
        assert "This is an export of edda itself, and not of Beads; nothing was imported" in refused
    assert edda.everything() == before
    (tmp_path / "odd.jsonl").write_text(
        '{"id": "1", "title": "b", "kind": "task"}\n{"id": "2", "title": "c", "kind": []}\n'
    )
    assert edda("import", "beads", str(tmp_path / "odd.jsonl")).stdout.startswith("2 tasks created")


def test_a_folder_of_markdown_is_imported(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.md").write_bytes(b"# A\r\n")
    (tmp_path / "in" / "b.md").write_bytes(b"\xff")
    failed = edda("import", "markdown", str(tmp_path / "in"), "--under", "mine", code=1)
    assert "'b.md': its content: is not UTF-8 text" in failed.stderr
    (document,) = edda.json("doc", "list")
    assert (document["title"], document["metadata"]["markdown.path"]) == ("A", "mine/a.md")
    assert edda("doc", "show", document["id"]).stdout_bytes == b"# A\r\n"


def test_each_value_in_metadata_is_described_correctly(edda: Any, tmp_path: Path) -> None:
    issues = [
        {"id": "1", "title": "a", "labels": [], "description": None, "design": "", "assignee": None, "estimate": 0},
        {"id": "2", "title": "b ", "priority": 9, "labels": ["y", "x"], "created_at": "2025-01-01T00:00:00.123456Z"},
        {"id": "3", "title": "c", "dependencies": [
            {"issue_id": "3", "depends_on_id": "1", "type": "parent-child"},
            {"issue_id": "3", "depends_on_id": "2", "type": "blocks"},
        ]},
    ]  # fmt: skip
    (tmp_path / "issues.jsonl").write_text("\n".join(json.dumps(each) for each in issues))
    told = edda("import", "beads", str(tmp_path / "issues.jsonl")).stderr.splitlines()
    nearly = "created_at 1, labels 1, parent 1, priority 1, title 1"
    assert told[:-1] == [
        "Kept in metadata, since no field holds it: dependency blocks 1, estimate 1.",
        f"Taken as near as a field holds it, and kept in metadata as it was: {nearly}.",
    ]


def test_an_import_that_finds_nothing_says_what_it_looks_for_and_makes_no_store(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    edda = another_edda("fresh")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("text")
    (tmp_path / "empty.jsonl").write_text("\n")
    sought = f"There are no files in {tmp_path / 'in'} whose names end in .md; nothing was imported.\n"
    assert (
        edda("import", "markdown", str(tmp_path / "in"), code=3).stderr
        == f"Left out: 1.\n  'a.txt' is no Markdown\n{sought}"
    )
    none = f"{tmp_path / 'empty.jsonl'} holds no issues, of which each would be a line of JSON; nothing was imported.\n"
    assert edda("import", "beads", str(tmp_path / "empty.jsonl"), code=3).stderr == none
    assert "is a folder; name the file" in edda("import", "beads", str(tmp_path / "in"), code=2).stderr
    assert not edda.home.exists()


def test_an_export_is_imported_into_another_store_and_a_second_import_changes_nothing(
    edda: Any, another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    edda.id_of("task", "add", "a", "--tag", "t")
    edda.id_of("doc", "add", "-", "--title", "D", stdin="x")
    edda("export", str(tmp_path / "all.jsonl"))
    other = another_edda("other")
    imported = other("import", "jsonl", str(tmp_path / "all.jsonl"))
    assert imported.stdout == "1 task and 1 document: 2 created, 0 here already.\n"
    before = other.everything()
    assert (
        other("import", "jsonl", str(tmp_path / "all.jsonl")).stdout
        == "1 task and 1 document: 0 created, 2 here already.\n"
    )
    assert other.everything() == before
    task_id = other.json("task", "list")[0]["id"]
    other("task", "edit", task_id, "--title", "b")
    told = other("import", "jsonl", str(tmp_path / "all.jsonl")).stderr
    assert told.startswith(
        "Other in the file than here, and left as it is here: 1 value; `--prefer source` takes it.\n"
    )
    assert told.endswith("\n  a: title\n")
    other("task", "rm", task_id)
    assert other("import", "jsonl", str(tmp_path / "all.jsonl")).stderr.startswith("Left in the trash: 1 item; ")


def test_a_file_that_is_no_export_is_refused_with_what_is_meant(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "beads.jsonl").write_text('{"id": "1", "title": "of Beads"}\n')
    assert "`edda import beads` takes" in edda("import", "jsonl", str(tmp_path / "beads.jsonl"), code=2).stderr
    assert "is a folder" in edda("import", "jsonl", str(tmp_path), code=2).stderr
    (tmp_path / "empty.jsonl").write_text("")
    assert "nothing was imported" in edda("import", "jsonl", str(tmp_path / "empty.jsonl"), code=3).stderr
    assert "`edda import jsonl FILE`" in edda("import", "edda", "x", code=2).stderr


def test_an_export_is_imported_from_stdin(edda: Any, another_edda: Callable[[str], Any]) -> None:
    edda("task", "add", "a")
    exported = edda("export").stdout
    other = another_edda("other")
    assert (
        other("import", "jsonl", "-", stdin=exported).stdout == "1 task and 0 documents: 1 created, 0 here already.\n"
    )
    assert "`edda import jsonl FILE` takes it" in other("import", "beads", "-", stdin=exported, code=2).stderr
    said = other("import", "beads", "-", stdin='{"id": "1", "title": "b"}\n').stdout
    assert said == "1 task created, 0 updated, 0 unchanged.\n"
    assert "Standard input holds no tasks" in other("import", "jsonl", "-", stdin="", code=3).stderr
    assert "`edda doc add -`" in other("import", "markdown", "-", stdin="x", code=2).stderr


def test_a_file_that_is_no_text_is_refused_by_the_import_of_markdown_with_what_takes_it(
    edda: Any, tmp_path: Path
) -> None:
    edda("task", "add", "a")
    ours, beads, empty, text = (tmp_path / name for name in ("all.md", "issues.jsonl", "empty.jsonl", "Notes.MD"))
    edda("export", str(tmp_path / "all.jsonl"))
    (tmp_path / "all.jsonl").rename(ours)
    beads.write_text('{"id": "1", "title": "b"}\n')
    empty.write_text("")
    text.write_text("text")
    for file, takes in ((ours, "import jsonl"), (beads, "import beads"), (empty, "doc add")):
        assert (
            f"nothing was imported: `edda {takes} {file}` takes" in edda("import", "markdown", str(file), code=2).stderr
        )
    assert edda("import", "markdown", str(text)).stdout == "1 document created, 0 updated, 0 unchanged.\n"


def test_an_export_that_is_edited_elsewhere_comes_back_into_the_same_documents(edda: Any, tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {number} of the note." for number in range(60)]
    note = edda.id_of("doc", "add", "-", "--title", "My note", "--tag", "t", stdin="\n\n".join(paragraphs))
    edda.id_of("doc", "add", "-", "--title", "Other", stdin="# Heading\n")
    folder = tmp_path / "rt"
    edda("export", "--format", "markdown", str(folder))
    before = edda.everything()
    assert edda("import", "markdown", str(folder)).stdout == "0 documents created, 0 updated, 2 unchanged.\n"
    assert edda.everything() == before, "what nobody edited is not even remembered"
    paragraphs[3] = "Paragraph three, in the vault."
    (folder / "My note.md").write_text("\n\n".join(paragraphs))
    edda("doc", "edit", note, "--content", "\n\n".join([f"Paragraph {n} of the note." for n in range(59)] + ["Mine."]))
    assert (
        "Edited on both sides, so that the edits were merged: 1 text." in edda("import", "markdown", str(folder)).stderr
    )
    merged = edda.json("doc", "show", note)
    assert merged["content"] == "\n\n".join([*paragraphs[:59], "Mine."])
    assert (merged["title"], merged["tags"]) == ("My note", ["t"])
    before = edda.everything()
    assert edda("import", "markdown", str(folder)).stdout == "0 documents created, 0 updated, 2 unchanged.\n"
    assert edda.everything() == before
    for old, new in (("My note", "One"), ("One", "Two")):
        edda("export", "--format", "markdown", "--force", str(folder))
        (folder / f"{old}.md").rename(folder / f"{new}.md")
        with (folder / f"{new}.md").open("a") as file:
            file.write("\n\nMore.")
        assert edda("import", "markdown", str(folder)).stdout == "0 documents created, 1 updated, 1 unchanged.\n"
    assert len(edda.json("doc", "list")) == 2
    assert edda.json("doc", "show", note)["content"].endswith("Mine.\n\nMore.\n\nMore.")


def test_a_dry_run_shows_a_table_and_a_json_answer_has_everything(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "todo.txt").write_text("(A) Buy milk @shop\nx 2026-01-01 Call Anna est:1h\n")
    before = edda.everything()
    dry = edda("import", "todotxt", "--dry-run", str(tmp_path / "todo.txt"))
    assert dry.stdout == (
        "create\tline 1\tBuy milk\t\ncreate\tline 2\tCall Anna\t\n"
        "2 tasks would be created, 0 would be updated, 0 unchanged.\n"
    )
    assert edda.everything() == before
    told = edda.json("import", "todotxt", str(tmp_path / "todo.txt"))
    assert (told["created"], told["kept"], told["dry_run"]) == (2, {"est": 1}, False)
    assert [each["verdict"] for each in told["items"]] == ["create", "create"]
    task_id = told["items"][0]["id"]
    edda("task", "edit", task_id, "--priority", "4")
    (tmp_path / "todo.txt").write_text("(B) Buy milk @shop\n")
    (row,) = edda.json("import", "todotxt", "--dry-run", str(tmp_path / "todo.txt"))["items"]
    assert (row["open"], row["taken"]) == (["priority"], [])
    assert "`--prefer source` settles that" in edda("import", "todotxt", str(tmp_path / "todo.txt")).stderr
    edda("import", "todotxt", "--prefer", "source", str(tmp_path / "todo.txt"))
    assert edda.json("task", "show", task_id)["priority"] == 1


def test_a_dry_run_makes_no_store(another_edda: Callable[[str], Any], tmp_path: Path) -> None:
    edda = another_edda("none")
    (tmp_path / "todo.txt").write_text("a\n")
    assert "1 task would be created" in edda("import", "todotxt", "--dry-run", str(tmp_path / "todo.txt")).stdout
    assert not edda.home.exists()


def test_each_format_is_imported_from_stdin(edda: Any) -> None:
    calendar = "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nSUMMARY:b\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    for name, text in {
        "taskwarrior": '[{"uuid": "1", "description": "a", "status": "pending"}]', "ics": calendar,
        "todotxt": "c\n", "todoist": "TYPE,CONTENT\ntask,d\n",
    }.items():  # fmt: skip
        assert edda("import", name, "-", stdin=text).stdout.startswith("1 task created")
    assert sorted(each["title"] for each in edda.json("task", "list")) == ["a", "b", "c", "d"]
    assert (
        "holds no tasks (VTODO)" in edda("import", "ics", "-", stdin=calendar.replace("VTODO", "VEVENT"), code=3).stderr
    )
    assert "`task export`" in edda("import", "taskwarrior", "-", stdin="hello\n", code=2).stderr


def test_a_source_without_anything_in_it_is_an_error_for_a_program_too(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "folder").mkdir()
    for source, path in (("markdown", "folder"), ("jsonl", "empty"), ("beads", "empty"), ("todotxt", "empty")):
        found = edda("import", source, str(tmp_path / path), "--json", code=3)
        assert found.stdout == ""
        error = json.loads(found.stderr)["error"]
        assert (error["type"], error["exit_code"]) == ("EmptySourceError", 3)
        assert error["message"].endswith("; nothing was imported.")


def test_a_line_that_is_no_json_is_named_with_its_place(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "issues.jsonl").write_text('{"title": "a"}\n{"title" 3}\n')
    said = edda("import", "beads", str(tmp_path / "issues.jsonl"), code=1).stderr
    assert "line 2: is not JSON (Expecting ':' delimiter, at character 10)" in said


def test_a_file_of_another_program_is_refused_with_the_command_that_takes_it(edda: Any, tmp_path: Path) -> None:
    made = {
        "ics": "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n",
        "todoist": "TYPE,CONTENT,DESCRIPTION\ntask,Buy milk,\n",
        "taskwarrior": '[{"description":"a","uuid":"5a04bb1e-3f4b-49fb-b9ba-44407ca223b5","status":"pending"}]\n',
    }
    edda("task", "add", "Buy milk")
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "jsonl").write_text(edda("export").stdout)
    for source in ("todotxt", "taskwarrior", "ics", "todoist", "beads"):
        for takes in (*made, "jsonl"):
            if takes != source:
                said = edda("import", source, str(tmp_path / takes), code=2).stderr
                assert f"`edda import {takes}" in said, (source, takes, said)
                assert "nothing was imported" in said


def test_a_person_is_told_what_an_item_was_imported_from_and_not_what_is_remembered_of_it(
    edda: Any, tmp_path: Path
) -> None:
    (tmp_path / "todo.txt").write_text("Buy milk\n")
    edda("import", "todotxt", str(tmp_path / "todo.txt"))
    shown = edda("task", "show", "Buy milk").stdout
    assert "imported: todotxt\n" in shown
    assert "import.todotxt" not in shown
    assert "import.todotxt" in edda.json("task", "show", "Buy milk")["metadata"]


@pytest.mark.parametrize("name", ["jsonl", "taskwarrior", "todotxt", "ics", "todoist", "beads"])
def test_a_file_in_utf_16_is_called_that_whatever_it_holds(edda: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes("words".encode("utf-16"))
    said = edda("import", name, str(tmp_path / "x"), code=2).stderr
    assert "is UTF-16 text; nothing was imported: write it as UTF-8" in said
