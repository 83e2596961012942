from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.cli import task_fields


def test_a_dash_reads_a_task_or_a_description_from_stdin(edda: Any) -> None:
    task = edda.id_of("task", "add", "-", stdin="Title\n\nFirst.\nSecond.\n")
    shown = edda.json("task", "show", task)
    assert (shown["title"], shown["description"]) == ("Title", "First.\nSecond.\n")
    task = edda.id_of("task", "add", "Other", "--description", "-", stdin="Text.")
    assert edda.json("task", "show", task)["description"] == "Text."
    assert edda.json("task", "show", edda.id_of("task", "add", "-", stdin="Only a title"))["description"] is None


LINES = st.text(st.characters(exclude_characters="\r\n\t", exclude_categories=("Cs", "Cc")), min_size=1).filter(
    str.strip
)


@given(title=LINES.map(str.strip), description=st.text())
def test_a_title_and_a_description_in_one_text_are_parted_as_they_were(title: str, description: str) -> None:
    assert task_fields.parted(task_fields.joined(title, description)) == (title, description)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Title", ("Title", "")),
        ("Title\nText", ("Title", "Text")),
        ("Title\n\nText", ("Title", "Text")),
        ("", ("", "")),
    ],
)
def test_the_empty_line_may_be_missing(text: str, parts: tuple[str, str]) -> None:
    assert task_fields.parted(text) == parts


def test_an_answer_says_what_a_due_date_was_taken_for(edda: Any) -> None:
    assert edda("task", "add", "a", "--due", "1.3.2027").stderr == "Due Monday 2027-03-01.\n"
    assert edda("task", "edit", "a", "--due", "2027-W10").stderr == "Changed due date: a\nDue Monday 2027-03-08.\n"
    assert edda("task", "add", "b", "--due", "none").stderr == ""
    assert edda("task", "add", "c", "--due", "friday", "--json").stderr == ""


def test_words_of_a_title_that_look_like_fields_are_told_with_what_sets_these(edda: Any) -> None:
    added = edda("task", "add", "Pay", "rent", "due:friday", "+money", "#home", "pri:1", "re:bill")
    said = '--title "Pay rent re:bill" --due friday --tag money --tag home --priority 1`'
    assert said in added.stderr
    short = added.stderr.split("edda task edit ")[1].split()[0]
    assert edda.json("task", "show", short)["title"] == "Pay rent due:friday +money #home pri:1 re:bill"
    for plain in (["Pay rent due:friday"], ["Read", "C++"], ["Meet", "at", "10:30"], ["+1", "#2"]):
        assert "some are fields" not in edda("task", "add", *plain).stderr


def test_a_priority_that_is_none_is_refused_with_those_that_there_are(edda: Any) -> None:
    for wrong in ("high", "9", "-1", "1.5", ""):
        refused = edda("task", "add", "x", "--priority", wrong, code=2).stderr
        assert refused.startswith("--priority: must be a whole number from 0 (most urgent) to 4, and not")


def test_an_empty_due_date_is_refused_with_what_takes_one_away(edda: Any) -> None:
    assert "`none` takes a date away" in edda("task", "add", "x", "--due", " ", code=2).stderr


@pytest.mark.parametrize(
    ("typed", "status"),
    [("in-progress", "in_progress"), ("Pending", "open"), ("completed", "done"), ("canceled", "cancelled")],
)
def test_a_status_is_written_as_lists_take_it(edda: Any, typed: str, status: str) -> None:
    added = edda.json("task", "add", "a", "--status", typed)
    assert added["status"] == status
    assert edda.json("task", "edit", added["id"], "--status", typed)["status"] == status
    assert [each["id"] for each in edda.json("task", "list", "--status", typed)] == [added["id"]]
    assert [each["id"] for each in edda.json("task", "list", f"status:{typed}")] == [added["id"]]
    assert "'nope' is not one of 'open'" in edda("task", "edit", added["id"], "--status", "nope", code=2).stderr
