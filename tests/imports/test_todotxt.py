from __future__ import annotations

import io

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import todotxt
from edda_sync.words.errors import UsageError
from edda_sync.words.query import TaskQuery

SAMPLE = """\
(A) Thank Mom for the meatballs @phone
(B) Schedule Goodwill pickup +GarageSale @phone
Post signs around the neighborhood +GarageSale
@GroceryStore Eskimo pies
x (A) 2016-05-20 2016-04-30 measure space for +chapelShelving @chapel due:2016-05-30
2011-03-02 Document +TodoTxt task format
(Z) 2011-03-02 Call Mom 10:30 http://example.org/a est:2h
Email SoAndSo at soandso@example.com
(b) Get back to the boss
xylophone lesson
Learn how to add 2+2
"""  # the examples of the format's rules


def parse(text: str) -> imports.Source:
    return todotxt.parse(io.BytesIO(text.encode()))


def test_the_examples_of_the_format_are_read_as_its_rules_say(store: StorageEngine) -> None:
    report = imports.merge_into(store, parse(SAMPLE))
    assert (report.created, report.kept["est"], report.nearly["priority"]) == (11, 1, 1)
    found = {each.title: each for each in store.query_tasks(TaskQuery())}
    assert (found["Thank Mom for the meatballs"].priority, found["Thank Mom for the meatballs"].tags) == (0, {"@phone"})
    assert found["Eskimo pies"].tags == {"@GroceryStore"}
    done = found["measure space for"]
    assert (done.status, done.completed_at, done.created_at[:10]) == ("done", "2016-05-20T00:00:00.000Z", "2016-04-30")
    assert (done.priority, done.due_date) == (0, "2016-05-30T00:00:00.000Z")
    assert found["Document task format"].created_at == "2011-03-02T00:00:00.000Z"
    assert "Call Mom 10:30 http://example.org/a" in found, "a time and an address are no keys"
    for title in ("(b) Get back to the boss", "xylophone lesson", "Learn how to add 2+2"):
        assert (found[title].status, found[title].priority, found[title].tags) == ("open", 2, set())
    digest = store.digest()
    assert imports.merge_into(store, parse(SAMPLE)).unchanged == 11
    assert store.digest() == digest


def test_a_line_that_is_done_or_put_off_is_the_same_task_and_a_doubled_line_is_two(store: StorageEngine) -> None:
    imports.merge_into(store, parse("(A) 2026-01-01 Buy milk due:2026-01-03\nBuy bread\nBuy bread\n"))
    report = imports.merge_into(
        store, parse("x 2026-01-04 2026-01-01 Buy milk pri:A due:2026-01-05\nBuy bread\nBuy bread\n")
    )
    assert (report.created, report.updated, report.unchanged) == (0, 1, 2)
    (milk,) = (each for each in store.query_tasks(TaskQuery()) if each.title == "Buy milk")
    assert (milk.status, milk.priority, milk.due_date) == ("done", 0, "2026-01-05T00:00:00.000Z")
    imports.merge_into(store, parse("Water plants id:7\n"))
    assert imports.merge_into(store, parse("Water all plants id:7\n")).updated == 1


def test_a_line_that_is_no_text_is_refused_and_the_others_are_taken() -> None:
    source = todotxt.parse(io.BytesIO(b"\xef\xbb\xbfa\r\n\xff\n\nb\n"))
    assert [each.item.title for each in source.items] == ["a", "b"]
    assert [(each.name, each.why) for each in source.refused] == [("line 2", "is not UTF-8 text")]


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ('[\n{"id":1,"description":"x"}\n]\n', "taskwarrior"),
        ('[{"description":"x"}]\n', "taskwarrior"),
        ('{"id": "bd-1", "title": "x"}\n', "beads"),
        ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "ics"),
        ("\ufeffTYPE,CONTENT,PRIORITY\ntask,x,1\n", "todoist"),
    ],
)
def test_a_file_of_another_program_is_refused_with_what_takes_it(text: str, takes: str) -> None:
    with pytest.raises(UsageError, match=f"`edda import {takes}` takes"):
        parse(text)


@pytest.mark.parametrize("line", ["[ ] call Anna", "[draft] {x}", "{idea} tidy", "TYPE the letter", "Begin:again"])
def test_a_task_may_begin_with_any_sign(line: str) -> None:
    assert len(parse(line).items) == 1


@pytest.mark.parametrize(
    ("line", "title", "metadata"),
    [
        ("2026-13-45 odd", "2026-13-45 odd", {}),
        ("x 2026-99-01 odd", "2026-99-01 odd", {}),
        ("2026-01-01 2026-02-02 two", "2026-02-02 two", {}),
        ("x 2026-01-01 2026-02-02 2026-03-03 three", "2026-03-03 three", {}),
        ("2026-01-01", "2026-01-01", {}),
        ("a:1 a:2 twice", "twice", {"todotxt.a": "1", "todotxt.a 2": "2"}),
        ("due:2026-01-01 due:2026-02-02 due:soon twice", "twice", {"todotxt.due": "2026-02-02", "todotxt.due 2": "soon"}),
        ("(Q) other pri:B", "other", {"todotxt.priority": "Q", "todotxt.pri": "B"}),
    ],
)  # fmt: skip
def test_no_word_of_a_line_is_lost(line: str, title: str, metadata: dict[str, str]) -> None:
    (each,) = parse(f"{line}\n").items
    assert (each.item.title, each.item.metadata) == (title, metadata)
