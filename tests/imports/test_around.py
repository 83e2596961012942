from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.cli.exports import write_jsonl
from edda_sync.imports import jsonl


@pytest.fixture
def stores(tmp_path: Path) -> Any:
    made = [edda.open(tmp_path / name) for name in ("one", "other")]
    yield made
    for each in made:
        each.close()


def exported(store: Any) -> list[dict[str, Any]]:
    file = io.BytesIO()
    write_jsonl(store, file, lambda _: None)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def source(lines: list[dict[str, Any]], beside: Path, *files: str) -> jsonl.Exported:
    """Return an export, with a further attachment of each name, whose content is beside it."""
    (document,) = (each["id"] for each in lines if each["kind"] == "document")
    for number, name in enumerate(files):
        (beside / name).write_bytes(name.encode())
        line = {"kind": "attachment", "id": f"00000000-0000-8000-8000-00000000000{number}", "document_id": document}
        lines = [*lines, {**line, "name": name, "content_type": "text/plain", "file": name}]
    return jsonl.parse(json.dumps(each).encode() for each in lines)


def test_what_is_other_here_around_the_items_is_told_and_stays_unless_the_export_is_preferred(
    stores: Any, tmp_path: Path
) -> None:
    one, other = stores
    with one.begin_transaction() as tx:
        tx.create_tag("home", "red", "at home")
        task, note = (
            tx.create_task(edda.Task(title="Cake", tags={"home"})),
            tx.create_document(edda.Document(title="N")),
        )
        tx.link(task, note, "recipe")
    lines = exported(one)
    jsonl.bring_into(other, source(lines, tmp_path))
    with other.begin_transaction() as tx:
        tx.create_tag("Home", "blue")
        tx.link(task, note, "spec")
    read, before = source(lines, tmp_path, "map.png"), other.frontier()
    told = [("home", "name"), ("home", "color"), ("N", "attachment map.png"), ("Cake - N", "relationship_type")]
    for dry_run in (False, True):
        report = jsonl.bring_into(other, read, beside=tmp_path, dry_run=dry_run)
        assert (sorted(report.edited), report.updated, other.frontier()) == (sorted(told), 0, before)
    assert jsonl.bring_into(other, read, beside=tmp_path, prefer="here").edited == []
    report = jsonl.bring_into(other, read, beside=tmp_path, prefer="source", dry_run=True)
    assert (report.updated, sorted((row.name, each) for row in report.rows for each in row.taken)) == (3, sorted(told))
    assert other.frontier() == before
    report = jsonl.bring_into(other, read, beside=tmp_path, prefer="source")
    assert (report.updated, report.attached, report.edited) == (3, 1, [])
    ((tag,), (link,), (file,)) = other.tags(), other.links(), other.attachments(note)
    assert (tag.name, tag.color, link.relationship_type, file.name) == ("home", "red", "recipe", "map.png")
    before = other.frontier()
    for prefer in (None, "source"):
        report = jsonl.bring_into(other, read, beside=tmp_path, prefer=prefer)
        assert (report.edited, report.updated, other.frontier()) == ([], 0, before)
