from __future__ import annotations

from typing import Any

import pytest

from tests.cli.processes import on_a_terminal


@pytest.fixture
def stocked(edda: Any) -> Any:
    """A store with tasks of all kinds."""
    edda("task", "add", "Buy milk", "--tag", "home", "--due", "today", "--priority", "1")
    edda("task", "add", "Oat milk", "--tag", "home", "--tag", "work", "--due", "yesterday")
    edda("task", "add", "Report", "--tag", "work", "--due", "+40d", "--status", "in_progress")
    edda("task", "add", "Stuck", "--due", "yesterday", "--status", "blocked")
    edda("task", "add", "Old milk", "--status", "done", "--due", "yesterday")
    return edda


def titles(edda: Any, *args: str) -> set[str]:
    return {each["title"] for each in edda.json("task", *args)}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["milk"], {"Buy milk", "Oat milk"}),
        (["milk", "-work"], {"Buy milk"}),
        (["+home", "+work"], {"Oat milk"}),
        (["-home"], {"Report"}),
        (["overdue"], {"Oat milk", "Stuck"}),
        (["--overdue"], {"Oat milk", "Stuck"}),
        (["overdue", "status:active"], {"Oat milk"}),
        (["overdue", "--all"], {"Oat milk", "Stuck", "Old milk"}),
        (["due:today"], {"Buy milk"}),
        (["--due", "today"], {"Buy milk"}),
        (["due<=today"], {"Buy milk", "Oat milk"}),
        (["due:yesterday", "milk", "+home"], {"Oat milk"}),
        (["due>today"], {"Report"}),
        (["due.before:today", "--due-after", "-3d"], {"Oat milk"}),
        (["due:none"], set()),
        (["due:any", "-home"], {"Report"}),
        (["--due", "any"], {"Buy milk", "Oat milk", "Report"}),
        (["status:done,blocked"], {"Old milk", "Stuck"}),
        (["--status", "done,blocked"], {"Old milk", "Stuck"}),
        (["--status", "all", "milk"], {"Buy milk", "Oat milk", "Old milk"}),
        (["priority:0-1"], {"Buy milk"}),
        (["--no-tag", "home"], {"Report"}),
        (["--tag", "home", "-work"], {"Buy milk"}),
        (["--text", "milk", "-work"], {"Buy milk"}),
        (["parent:none", "milk"], {"Buy milk", "Oat milk"}),
    ],
)
def test_words_are_conditions_beside_the_options(stocked: Any, words: list[str], found: set[str]) -> None:
    assert titles(stocked, "list", *words) == found


def test_search_finds_tasks_of_any_status_and_takes_the_same_conditions(stocked: Any) -> None:
    assert titles(stocked, "search", "milk") == {"Buy milk", "Oat milk", "Old milk"}
    assert titles(stocked, "search", "milk", "-home") == {"Old milk"}
    assert titles(stocked, "search", "mil*", "status:active", "+work") == {"Oat milk"}
    stocked("task", "search", code=2)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["sort:title"], "Buy milk"), (["sort:-title"], "Report"), (["--sort", "-due"], "Report"),
        (["--sort", "due"], "Oat milk"),
        (["--order", "title", "--reverse"], "Report"), (["--sort", "-title", "--reverse"], "Buy milk"),
    ],
)  # fmt: skip
def test_the_order_has_short_names_and_a_minus_reverses_it(stocked: Any, words: list[str], first: str) -> None:
    assert stocked.json("task", "list", *words)[0]["title"] == first


def test_subtasks_are_found_by_their_parent(stocked: Any) -> None:
    top = stocked.id_of("task", "add", "top")
    middle = stocked.id_of("task", "add", "middle", "--parent", top)
    stocked("task", "add", "low", "--parent", middle)
    assert titles(stocked, "list", f"parent:{top}") == {"middle"}
    assert titles(stocked, "list", f"under:{top[-6:]}") == {"middle", "low"}
    assert "no task" in stocked("task", "list", "parent:abcdef", code=3).stderr


@pytest.mark.parametrize("word", ["due:someday", "status:opne", "sort:size", "--sort=size", "--status=opne", "--typo"])
def test_a_condition_that_cannot_be_read_is_refused(stocked: Any, word: str) -> None:
    assert stocked("task", "list", word, code=2).stdout == ""


def test_a_person_sees_what_a_date_was_taken_for(stocked: Any) -> None:
    _, printed = on_a_terminal(stocked.home, "task", "list", "due:2026-01-05")
    assert "Due Monday 2026-01-05:" in printed
    assert "Nothing matches due:2026-01-05; there are 5 tasks in all" in printed
    assert "Due" not in stocked("task", "list", "due:today").stderr, "a program knows what it asked"


def test_a_program_gets_columns_with_tabs_between(stocked: Any) -> None:
    (line,) = stocked("task", "list", "+work", "status:in_progress").stdout.splitlines()
    cells = line.split("\t")
    assert (cells[1], cells[2], cells[4]) == ("in_progress", "2", "Report  #work")
    assert len(cells) == 5


def test_the_trash_takes_no_conditions(stocked: Any) -> None:
    assert "leave out the conditions" in stocked("task", "list", "--trash", "milk", code=2).stderr
