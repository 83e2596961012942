from __future__ import annotations

from pathlib import Path
from typing import Any


def test_an_import_tells_what_it_did_and_what_went_into_metadata(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "issues.jsonl").write_text(
        '{"id": "1", "title": "a", "notes": "n"}\n{"id": "2", "title": "b", "status": "hooked"}\n'
    )
    first = edda("import", "beads", str(tmp_path / "issues.jsonl"))
    assert first.stdout == "2 created, 0 updated, 0 unchanged.\n"
    assert "notes 1, status 'hooked' 1" in first.stderr
    assert edda("import", "beads", str(tmp_path / "issues.jsonl")).stdout == "0 created, 0 updated, 2 unchanged.\n"
    task_id = next(each["id"] for each in edda.json("task", "list", "--all") if each["title"] == "a")
    edda("task", "edit", task_id, "--title", "mine")
    edda("task", "rm", next(each["id"] for each in edda.json("task", "list", "--all") if each["title"] == "b"))
    (tmp_path / "issues.jsonl").write_text('{"id": "1", "title": "c", "notes": "n"}\n{"id": "2", "title": "b"}\n')
    again = edda("import", "beads", str(tmp_path / "issues.jsonl"))
    assert "Left in the trash: 1 task." in again.stderr
    assert "1: title" in again.stderr
    assert edda.json("task", "show", task_id)["title"] == "mine"


def test_an_import_with_refused_parts_does_the_rest_and_fails(edda: Any, tmp_path: Path) -> None:
    lines = ['{"id": "1", "title": "a"}', *["{"] * 12]
    (tmp_path / "issues.jsonl").write_text("\n".join(lines))
    failed = edda("import", "beads", str(tmp_path / "issues.jsonl"), code=1)
    assert failed.stdout.startswith("1 created")
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
    assert edda("import", "beads", str(tmp_path / "odd.jsonl")).stdout.startswith("2 created")


def test_a_folder_of_markdown_is_imported(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.md").write_bytes(b"# A\r\n")
    (tmp_path / "in" / "b.md").write_bytes(b"\xff")
    failed = edda("import", "markdown", str(tmp_path / "in"), "--under", "mine", code=1)
    assert "'b.md': its content: is not UTF-8 text" in failed.stderr
    (document,) = edda.json("doc", "list")
    assert (document["title"], document["metadata"]["markdown.path"]) == ("A", "mine/a.md")
    assert edda("doc", "show", document["id"]).stdout_bytes == b"# A\r\n"
