from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_a_task_is_edited_in_an_editor(edda: Any, editor: Callable[[str], None]) -> None:
    task = edda.id_of("task", "add", "Old", "--description", "one\ntwo\n")
    editor(
        "text = path.read_text(); assert text == 'Old\\n\\none\\ntwo\\n', text; path.write_text('New\\n\\none\\nthree\\n')"
    )
    assert edda("task", "edit", task).stderr.startswith("Changed title, description: New")
    shown = edda.json("task", "show", task)
    assert (shown["title"], shown["description"]) == ("New", "one\nthree\n")


def test_a_task_without_a_description_gets_one_in_an_editor(edda: Any, editor: Callable[[str], None]) -> None:
    task = edda.id_of("task", "add", "Title")
    editor("path.write_text(path.read_text() + '\\nText.\\n')")
    edda("task", "edit", task)
    shown = edda.json("task", "show", task)
    assert (shown["title"], shown["description"]) == ("Title", "Text.\n")


def test_what_did_not_change_in_the_editor_is_not_written(edda: Any, editor: Callable[[str], None]) -> None:
    task = edda.id_of("task", "add", "Title", "--description", "text")
    before = edda.json("task", "show", task)
    editor("pass")
    assert edda("task", "edit", task).stderr.startswith("Nothing was changed.")
    assert edda.json("task", "show", task) == before
    editor("path.write_text('Other\\n\\ntext')")
    assert edda("task", "edit", task).stderr == "Changed title: Other\n"
    assert edda.json("task", "show", task)["description"] == "text"


def test_an_editor_that_leaves_no_title_changes_nothing_and_loses_nothing(
    edda: Any, editor: Callable[[str], None]
) -> None:
    task = edda.id_of("task", "add", "Title", "--description", "text")
    editor("path.write_text('\\n\\nmuch more text')")
    said = edda("task", "edit", task, code=2).stderr
    assert "What you wrote is kept in" in said
    assert edda.json("task", "show", task)["title"] == "Title"


def test_an_emptied_description_is_refused(edda: Any, editor: Callable[[str], None]) -> None:
    task = edda.id_of("task", "add", "Title", "--description", "text")
    editor("path.write_text('Title\\n')")
    assert "would empty the description" in edda("task", "edit", task, code=2).stderr
    assert edda.json("task", "show", task)["description"] == "text"
    edda("task", "edit", task, "--allow-empty")
    assert not edda.json("task", "show", task)["description"]


@pytest.mark.parametrize("title", ["New\ttitle", "  New title\n", "New\r\n title"])
def test_a_title_that_was_pasted_with_tabs_or_line_breaks_is_one_line(edda: Any, title: str) -> None:
    task = edda.id_of("task", "add", "Old")
    edda("task", "edit", task, "--title", title)
    assert edda.json("task", "show", task)["title"] == "New title"
