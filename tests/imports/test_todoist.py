from __future__ import annotations

import io

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import todoist
from edda_sync.words import limits
from edda_sync.words.errors import UsageError
from edda_sync.words.query import TaskQuery

HEADING = "TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE,DURATION,DURATION_UNIT"
SAMPLE = f"""\ufeff{HEADING}\r
meta,view_style=list,,,,,,,,,,\r
task,Plan party @home @fun,"two lines
of text",1,1,Ana (1),,2026-12-01 10:00,en,Europe/Berlin,60,minute\r
task,Bake cake,,4,2,Ana (1),Bo (2),every day,en,Europe/Berlin,,\r
note,with candles,,,,Ana (1),,,,,,\r
,,,,,,,,,,,\r
section,Later,,,,,,,,,,\r
task,Bake cake,,3,1,Ana (1),,1 Dec 2026,en,,,\r
"""


def parse(text: str) -> imports.Source:
    return todoist.parse(io.BytesIO(text.encode()))


def test_tasks_levels_sections_notes_and_dates_are_read(store: StorageEngine) -> None:
    report = imports.merge_into(store, parse(SAMPLE))
    assert (report.created, report.nearly["date"], report.kept["note"]) == (3, 1, 1)
    found = {(each.title, each.priority): each for each in store.query_tasks(TaskQuery())}
    party, cake, later = found["Plan party", 0], found["Bake cake", 3], found["Bake cake", 2]
    assert (party.tags, party.description) == ({"home", "fun"}, "two lines\nof text")
    assert (party.due_date, later.due_date) == ("2026-12-01T09:00:00.000Z", "2026-12-01T00:00:00.000Z")
    assert (cake.parent_id, cake.due_date, later.parent_id) == (party.id, None, None)
    assert (cake.metadata["todoist.date"], cake.metadata["todoist.note.1"]) == ("every day", "with candles")
    assert later.tags == {"Later"}
    digest = store.digest()
    assert imports.merge_into(store, parse(SAMPLE)).unchanged == 3
    assert store.digest() == digest
    changed = imports.merge_into(store, parse(SAMPLE.replace("Bake cake,,3", "Bake cake,,1")))
    assert (changed.updated, changed.unchanged) == (1, 2)


def test_a_row_that_makes_no_sense_is_refused_and_another_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    source = parse(f"{HEADING}\nnote,x\ntask,a,,,high\nidea,b\ntask,c\n")
    assert [each.why for each in source.refused] == [
        "is a note without a task above it",
        "has a level that is no number, 'high'",
        "is of a type that is not known, 'idea'",
    ]
    assert [each.item.title for each in source.items] == ["c"]
    with pytest.raises(UsageError, match="no columns TYPE and CONTENT"):
        parse("a,b\n1,2\n")
    with pytest.raises(UsageError, match="UTF-8"):
        todoist.parse(io.BytesIO(b"\xff"))
    assert parse("").items == []
    (long,) = parse(f"{HEADING}\ntask,{'x' * 600}\n").items
    assert (long.nearly, long.item.metadata["todoist.content"]) == (["content"], "x" * 600)
    monkeypatch.setattr(limits, "TEXT_BYTES_MAX", 100)
    with pytest.raises(UsageError, match="is no CSV"):
        parse(f"{HEADING}\ntask,{'x' * 600}\n")


def test_no_cell_of_a_row_is_lost(store: StorageEngine) -> None:
    source = parse(
        "TYPE,CONTENT,DESCRIPTION,PRIORITY,AUTHOR,DATE,TIMEZONE,AUTHOR,\n"
        'task,"two\nlines",,p9,Ana,2026-12-01 10:00,Nowhere/Zone,Bo,more,extra\n'
        "note,a note,,,Cy,2026-01-01,\nnote,another,,,Di,,\n"
        "section,S,described,,,,\n"
        "task,Plain,,,,every day,Asia/Tokyo\n"
    )
    lines, plain = source.items
    kept = {
        "content": "two\nlines", "priority": "p9", "timezone": "Nowhere/Zone", "author": "Ana", "column 8": "Bo",
        "column 9": "more", "column 10": "extra", "note.1": "a note", "note.1 author": "Cy", "note.1 date": "2026-01-01",
        "note.2": "another", "note.2 author": "Di",
    }  # fmt: skip
    assert lines.item.metadata == {f"todoist.{name}": value for name, value in kept.items()}
    assert plain.item.metadata == {"todoist.date": "every day", "todoist.timezone": "Asia/Tokyo"}
    assert [(each.name, each.why) for each in source.left_out] == [
        ("description of section 'S'", "is of a section, which is a tag here")
    ]
    imports.merge_into(store, source)
    assert imports.merge_into(store, source).unchanged == 2
