"""A list of tasks on a terminal."""

from __future__ import annotations

import datetime
import fcntl
import os
import pty
import re
import struct
import termios
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.cli import listing
from edda_sync.cli.columns import columns
from edda_sync.words.dates import Clock
from edda_sync.words.model import Task
from tests.cli import starting
from tests.cli.processes import on_a_terminal

NOON = Clock(datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC), datetime.UTC)


def bare(printed: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", printed).replace("\r", "").splitlines()


def on_columns(home: Any, width: int, *args: str, **environment: str) -> list[str]:
    """Run a command on a terminal with so many columns; return the lines that it printed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    variables = {**os.environ, "TERM": "xterm", **environment}
    variables.pop("COLUMNS", None)  # which says how wide the terminal of these tests is
    with starting.start(["--home", str(home), *args], variables, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        printed = b""
        while True:
            try:
                printed += (piece := os.read(ours, 65_536))
            except OSError:
                break
            if not piece:
                break
    os.close(ours)
    assert run.wait() == 0
    return printed.decode().replace("\r", "").splitlines()


@pytest.mark.parametrize("width", [34, 60, 100])
def test_a_long_title_takes_one_line_of_any_terminal(edda: Any, width: int) -> None:
    edda("task", "add", "x" * 300)
    edda("task", "add", "長" * 300, "--tag", "home")
    edda("doc", "add", "-", "--title", "y" * 300, stdin="text")
    for command in (["task", "list"], ["task", "list", "--text", "x*"], ["doc", "list"], ["doc", "search", "text"]):
        lines = bare("\n".join(on_columns(edda.home, width, *command)))
        rows = [line for line in lines if "xx" in line or "長" in line or "yy" in line]
        assert rows
        assert all("…" in row and "……" not in row and columns(row) <= width for row in rows), rows
    if width == 100:
        assert any("#home" in line for line in on_columns(edda.home, width, "task", "list")), "tags stay"
    assert "x" * 300 in edda("task", "list").stdout, "a program gets all of it"


def test_subtasks_stand_below_their_parents(edda: Any) -> None:
    top = edda.id_of("task", "add", "top", "--priority", "3")
    edda("task", "add", "other")
    middle = edda.id_of("task", "add", "middle", "--parent", top, "--priority", "0")
    edda("task", "add", "low", "--parent", middle)
    _, printed = on_a_terminal(edda.home, "task", "list")
    titles = [re.sub(r"^\S+ +open +\d         ", "", line) for line in bare(printed)[1:-1]]
    assert titles == ["other", "top", "└ middle", "  └ low"]
    _, printed = on_a_terminal(edda.home, "task", "list", "low")
    assert any("↳ low" in line for line in bare(printed))
    lines = edda("task", "list").stdout.splitlines()
    assert [line.split("\t")[-1] for line in lines] == ["middle", "other", "low", "top"], "a program gets the order"


def test_what_is_overdue_is_marked_and_counted(edda: Any) -> None:
    edda("task", "add", "late", "--due", "yesterday")
    edda("task", "add", "settled", "--due", "yesterday", "--status", "done")
    edda("task", "add", "soon", "--due", "tomorrow")
    _, printed = on_a_terminal(edda.home, "task", "list", "--all")
    marked = [line for line in bare(printed) if " !" in line]
    assert len(marked) == 1
    assert "late" in marked[0]
    assert "3 tasks, 1 overdue" in printed
    assert "\x1b[31m" in printed
    assert "!" not in edda("task", "list", "--all").stdout


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_terminal_without_styles_gets_none(edda: Any, environment: dict[str, str]) -> None:
    edda("task", "add", "late", "--due", "yesterday", "--priority", "0", "--status", "in_progress")
    printed = "\n".join(on_columns(edda.home, 80, "task", "list", **environment))
    assert "late" in printed
    assert "\x1b" not in printed
    assert "\x1b" in "\n".join(on_columns(edda.home, 80, "task", "list"))


@st.composite
def forests(draw: st.DrawFn) -> list[Task]:
    """Some of the tasks of trees, in any order."""
    count = draw(st.integers(0, 8))
    above = [draw(st.none() | st.integers(0, at - 1)) if at else None for at in range(count)]
    made = [Task(id=str(at), title="t", parent_id=None if up is None else str(up)) for at, up in enumerate(above)]
    shuffled = draw(st.permutations(made))
    return [each for each in shuffled if draw(st.booleans())]


@given(tasks=forests())
def test_a_tree_shows_each_task_once_and_each_subtask_below_its_parent(tasks: list[Task]) -> None:
    shown = [each for each, _ in listing.tree(tasks)]
    assert sorted(each.id for each in shown) == sorted(each.id for each in tasks)
    places = {each.id: at for at, each in enumerate(shown)}
    depth = {each.id: mark.index("└") // 2 + 1 if "└" in mark else 0 for each, mark in listing.tree(tasks)}
    for each in tasks:
        if each.parent_id in places:
            assert places[each.parent_id] < places[each.id]
            assert depth[each.id] == depth[each.parent_id] + 1
            between = shown[places[each.parent_id] + 1 : places[each.id]]
            assert all(depth[other.id] > depth[each.parent_id] for other in between), (
                "nothing of another tree is between"
            )
    roots = [each.id for each in shown if depth[each.id] == 0]
    assert roots == [each.id for each in tasks if each.id in roots], "the order stays"


def test_a_task_without_a_date_is_never_overdue() -> None:
    assert not listing.is_overdue(Task(id="1", title="t", status="open", due_date=None), NOON)
    assert listing.is_overdue(Task(id="1", title="t", status="blocked", due_date="2026-11-24T00:00:00.000Z"), NOON)
    assert not listing.is_overdue(
        Task(id="1", title="t", status="cancelled", due_date="2026-11-24T00:00:00.000Z"), NOON
    )


def test_a_narrow_terminal_shows_titles_and_leaves_out_other_columns(edda: Any) -> None:
    edda("task", "add", "Buy milk at the corner", "--due", "2030-01-01")
    headings = {
        width: bare("\n".join(on_columns(edda.home, width, "task", "list")))[0].split() for width in (30, 45, 60)
    }
    assert headings == {
        30: ["id", "title"],
        45: ["id", "due", "title"],
        60: ["id", "status", "priority", "due", "title"],
    }


def test_a_help_is_as_wide_as_a_terminal_and_no_wider_than_one_can_read(edda: Any) -> None:
    for width, most in ((60, 60), (100, 100), (200, 120)):
        lines = bare("\n".join(on_columns(edda.home, width, "task", "list", "--help")))
        assert most - 25 < max(map(columns, lines)) <= most
