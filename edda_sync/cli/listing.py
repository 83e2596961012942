"""Tasks as a person sees them in a list on a terminal: a tree, with colours, marks, cut titles and a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edda_sync.cli import items, times
from edda_sync.cli.columns import NOTHING, Cell, fitted, print_table, terminal_width
from edda_sync.cli.common import count, note
from edda_sync.words import dates
from edda_sync.words.dates import Clock
from edda_sync.words.model import Task

SETTLED: Final = ("done", "cancelled")
_STATUS: Final[Mapping[str, dict[str, Any]]] = {
    "in_progress": {"fg": "cyan"}, "blocked": {"fg": "magenta"}, "done": {"dim": True}, "cancelled": {"dim": True},
}  # fmt: skip
_PRIORITY: Final[Mapping[int, dict[str, Any]]] = {0: {"fg": "red", "bold": True}, 1: {"fg": "yellow"}}
_OVERDUE: Final = {"fg": "red"}
_BELOW: Final = "└ "  # a subtask, below its parent
_ELSEWHERE: Final = "↳ "  # a subtask whose parent is not in the list
_TAGS_LEAST: Final = 30  # columns of a title that tags leave, where a terminal is wide enough


def print_tasks(tasks: Sequence[Task], shorts: Mapping[str, str], text: str | None, clock: Clock) -> None:
    """
    Print tasks for a person. A subtask stands below its parent, if that is in the list.

    Args:
        tasks: The tasks, in their order.
        shorts: Their short ids.
        text: What was looked for, to be highlighted; None for nothing.
        clock: The present moment.
    """
    placed = tree(tasks)
    late = {each.id for each in tasks if is_overdue(each, clock)}
    rows = [_row(each, mark, shorts[each.id], overdue=each.id in late) for each, mark in placed]
    ordered = [each for each, _ in placed]
    print_table(
        ["id", "status", "priority", "due", "title"], rows, items.found_lines(ordered, rows, text, [m for _, m in placed]),
        cuts=True, spare=("status", "priority", "due"),
    )  # fmt: skip
    note(summary(tasks, len(late)))


def tree(tasks: Sequence[Task]) -> list[tuple[Task, str]]:
    """Return tasks with subtasks behind their parents, each with the mark before its title; otherwise in the given order."""
    here = {each.id for each in tasks}
    below: dict[str | None, list[Task]] = {}
    for each in tasks:
        below.setdefault(each.parent_id if each.parent_id in here else None, []).append(each)
    found: list[tuple[Task, str]] = []
    todo = [(each, 0) for each in reversed(below.get(None, []))]
    while todo:
        each, depth = todo.pop()
        mark = "  " * (depth - 1) + _BELOW if depth else _ELSEWHERE if each.parent_id is not None else ""
        found.append((each, mark))
        todo += [(child, depth + 1) for child in reversed(below.get(each.id, []))]
    return found


def is_overdue(task: Task, clock: Clock) -> bool:
    """Tell whether a task is over, and neither done nor cancelled."""
    return task.due_date is not None and task.status not in SETTLED and dates.is_past(task.due_date, clock)


def summary(tasks: Sequence[Task], late: int) -> str:
    """Return how many tasks a list shows, and how many of them are overdue."""
    overdue = f", {late:,} overdue" if late else ""
    return f"{count(len(tasks), 'task')}{overdue}"


def _row(task: Task, mark: str, short: str, *, overdue: bool) -> list[str]:
    style = _STATUS.get(task.status, {})
    due = times.short(task.due_date)
    title = f"{mark}{task.title}"
    if task.tags:  # they are what a list is read for, so a long title makes room for them
        tags = items.with_tags("", task.tags)
        room = max(terminal_width() - len(short) - len(tags) - 45, _TAGS_LEAST)
        title = fitted(title, room) + tags
    return [
        Cell(short, dim=True),
        Cell(task.status, **style),
        Cell(str(task.priority), **_PRIORITY.get(task.priority, {})),
        NOTHING if task.due_date is None else Cell(f"{due} !", **_OVERDUE) if overdue else due,
        Cell(title, dim=True) if task.status in SETTLED else Cell(title),
    ]
