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
