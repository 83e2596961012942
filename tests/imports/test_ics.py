from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import ics
from edda_sync.words.errors import UsageError
from edda_sync.words.query import TaskQuery

SAMPLE = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VTODO
UID:child
SUMMARY:Bake cake
RELATED-TO;RELTYPE=PARENT:party
RELATED-TO;RELTYPE=SIBLING:other
STATUS:IN-PROCESS
DUE;TZID=Europe/Berlin:20261201T100000
PRIORITY:5
DTSTAMP:20261101T000000Z
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
END:VALARM
END:VTODO
BEGIN:VTODO
UID:party
SUMMARY:Plan party
DESCRIPTION:two lines\\nof text
CATEGORIES:home,fun
CATEGORIES:more
DUE:20261201T180000
CREATED:20261101T120000Z
LAST-MODIFIED:20261102T120000Z
PRIORITY:1
RRULE:FREQ=YEARLY
X-APPLE-SORT-ORDER:7
DTSTAMP:20261101T000000Z
END:VTODO
BEGIN:VTODO
UID:done
SUMMARY:Done
STATUS:COMPLETED
COMPLETED:20261103T120000Z
PERCENT-COMPLETE:100
DUE;VALUE=DATE:20261104
DTSTAMP:20261101T000000Z
END:VTODO
BEGIN:VTODO
SUMMARY:Nameless
DTSTAMP:20261101T000000Z
END:VTODO
BEGIN:VEVENT
UID:event
SUMMARY:Concert
DTSTART:20261201T180000Z
DTSTAMP:20261101T000000Z
END:VEVENT
END:VCALENDAR
"""


def parse(text: str) -> imports.Source:
    return ics.parse(io.BytesIO(text.replace("\n", "\r\n").encode()))


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_tasks_are_read_a_zone_is_kept_and_a_time_without_one_is_local(store: StorageEngine) -> None:
    source = parse(SAMPLE)
    assert [each.why for each in source.refused] == ["has no UID"]
    assert [(each.name, each.why) for each in source.left_out] == [("VEVENT (1)", "is no task")]
    report = imports.merge_into(store, source)
    assert report.created == 3
    assert (report.kept["RRULE"], report.kept["VALARM"], report.kept["X-APPLE-SORT-ORDER"]) == (1, 1, 1)
    found = {each.title: each for each in store.query_tasks(TaskQuery())}
    cake, party, done = found["Bake cake"], found["Plan party"], found["Done"]
    assert (cake.parent_id, cake.status, cake.due_date) == (party.id, "in_progress", "2026-12-01T09:00:00.000Z")
    assert cake.metadata["ics.DUE"] == "TZID=Europe/Berlin:20261201T100000"
    assert cake.metadata["ics.dependency.SIBLING.other"] == ics.task_id("other")
    assert (party.due_date, party.priority, party.tags) == ("2026-12-01T09:00:00.000Z", 0, {"home", "fun", "more"})
    assert (party.description, party.created_at) == ("two lines\nof text", "2026-11-01T12:00:00.000Z")
    assert (done.status, done.completed_at) == ("done", "2026-11-03T12:00:00.000Z")
    assert done.due_date == "2026-11-04T00:00:00.000Z", "a day stays that day"
    digest = store.digest()
    assert imports.merge_into(store, parse(SAMPLE)).unchanged == 3
    assert store.digest() == digest


def test_an_older_file_undoes_nothing(store: StorageEngine) -> None:
    imports.merge_into(store, parse(SAMPLE))
    newer = SAMPLE.replace("Plan party", "Plan feast").replace("20261102T", "20261105T")
    assert imports.merge_into(store, parse(newer)).updated == 1
    assert imports.merge_into(store, parse(SAMPLE)).older == 1
    assert "Plan feast" in {each.title for each in store.query_tasks(TaskQuery())}


def test_a_changed_task_of_a_series_is_another_task_and_another_file_is_refused() -> None:
    twice = SAMPLE.replace("SUMMARY:Nameless", "SUMMARY:Once\nUID:party\nRECURRENCE-ID:20271201T180000Z")
    source = parse(twice)
    assert (len(source.items), len({each.item.id for each in source.items}), source.refused) == (4, 4, [])
    assert [each.why for each in parse(SAMPLE.replace("SUMMARY:Nameless", "UID:done")).refused] == [
        "has the UID of an earlier one, 'done'"
    ]
    for text in ("", "hello\n", "BEGIN:VCALENDAR\nBEGIN:VTODO\n"):
        with pytest.raises(UsageError, match="no iCalendar"):
            parse(text)


def task_with(line: str) -> str:
    return (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VTODO\nUID:u\nSUMMARY:Task\n{line}\nEND:VTODO\n"
        "BEGIN:VTODO\nUID:other\nSUMMARY:Other\nEND:VTODO\nEND:VCALENDAR\n"
    )


@pytest.mark.parametrize(
    ("line", "name", "kept"),
    [
        ("GEO:52.5;13.4", "GEO", "52.5;13.4"),
        ("X-AT;VALUE=TIME:080000", "X-AT", "VALUE=TIME:080000"),
        ("X-OFF;VALUE=UTC-OFFSET:+0100", "X-OFF", "VALUE=UTC-OFFSET:+0100"),
        ("RRULE:FREQ=WEEKLY", "RRULE", "FREQ=WEEKLY"),
        ("ATTENDEE;CN=Ana:mailto:ana@example.org", "ATTENDEE", "CN=Ana:mailto:ana@example.org"),
        ("URL:http://example.org", "URL", "http://example.org"),
    ],
)
def test_what_no_field_holds_is_kept_as_it_is_written_whatever_type_it_has(line: str, name: str, kept: str) -> None:
    found = parse(task_with(line))
    assert found.items[0].item.metadata[f"ics.{name}"] == kept


@pytest.mark.parametrize(
    ("line", "kept"),
    [("DUE:soon", "soon"), ("DUE;VALUE=DATE:20261332", "20261332"), ("PRIORITY:high", "high"), ("PERCENT-COMPLETE:x", "x"),
     ("RRULE:FREQ=NEVER", "NEVER"), ("DURATION:long", "long"), ("CREATED:99999999T000000Z", "99999999T000000"),
     ("COMPLETED:never", "never"), ("LAST-MODIFIED:once", "once"), ("GEO:here", "here"),
     ("BEGIN:VALARM\nTRIGGER:bang\nEND:VALARM", "TRIGGER:bang"), ("no colon", "no colon"), ("X;LANG:odd", "X;LANG:odd")],
)  # fmt: skip
def test_a_value_that_cannot_be_read_refuses_neither_its_task_nor_the_file(line: str, kept: str) -> None:
    found = parse(task_with(line))
    assert [each.item.title for each in found.items] == ["Task", "Other"]
    assert found.refused == []
    assert kept in str(found.items[0].item.metadata)


def test_icalendar_reads_other_files_as_before() -> None:
    from icalendar import Component

    parse(task_with("DUE:soon"))
    assert not Component.ignore_exceptions


ODD = """\
BEGIN:VCALENDAR
BEGIN:VTODO
UID:twice
SUMMARY:First
SUMMARY:Second
DUE:20260101T100000Z
DUE:20260102T100000Z
STATUS:NEEDS-ACTION
COMPLETED:20260103T100000Z
RELATED-TO:ring
END:VTODO
BEGIN:VTODO
UID:ring
SUMMARY:Ring
RELATED-TO:twice
END:VTODO
BEGIN:VTODO
UID:done
SUMMARY:Done
COMPLETED:20260103T100000Z
RELATED-TO:elsewhere
END:VTODO
END:VCALENDAR
"""


def test_what_no_field_can_hold_at_once_is_kept(store: StorageEngine) -> None:
    report = imports.merge_into(store, parse(ODD))
    found = {each.title: each for each in store.query_tasks(TaskQuery())}
    first, ring, done = found["First"], found["Ring"], found["Done"]
    assert (first.due_date, first.status, first.parent_id) == ("2026-01-01T10:00:00.000Z", "open", ring.id)
    kept = {name: first.metadata[f"ics.{name}"] for name in ("SUMMARY", "DUE", "COMPLETED")}
    assert kept == {"SUMMARY": "Second", "DUE": "20260102T100000Z", "COMPLETED": "20260103T100000Z"}
    assert (ring.parent_id, ring.metadata["ics.dependency.PARENT.twice"]) == (None, first.id)
    assert (done.status, done.completed_at) == ("done", "2026-01-03T10:00:00.000Z"), "it says only when it was done"
    assert (done.parent_id, done.metadata["ics.dependency.PARENT.elsewhere"]) == (None, ics.task_id("elsewhere"))
    assert report.kept["dependency PARENT"] == 2
    digest = store.digest()
    assert (imports.merge_into(store, parse(ODD)).unchanged, store.digest()) == (3, digest)
