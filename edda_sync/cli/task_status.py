"""``edda task start`` and ``edda task done``: the two steps of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli import items
from edda_sync.cli.commands import Command
from edda_sync.cli.common import count, note, opened, safe_line, write
from edda_sync.words.model import Task

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

SETTLED = ("done", "cancelled")


@click.command("start", cls=Command)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def start(ids: tuple[str, ...]) -> None:
    """Mark tasks as in progress."""
    with opened() as store:
        _set(store, ids, "in_progress", "Started")


@click.command("done", cls=Command)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="Mark their subtasks, too, at any depth, unless they are cancelled.")
def done(ids: tuple[str, ...], recursive: bool) -> None:
    """Mark tasks as done."""
    with opened() as store:
        found = _set(store, ids, "done", "Done", recursive=recursive)
        left = [each for each in items.below(store, [each.id for each in found]).values() if each.status not in SETTLED]
        shorts = store.reading.short_ids("task", [each.id for each in left[: items.LISTED_MAX]])
    if left:
        named = ", ".join(
            f"{short} {safe_line(each.title)}" for each, short in zip(left, shorts.values(), strict=False)
        )
        more = ", ..." if len(left) > len(shorts) else ""
        are = "is" if len(left) == 1 else "are"
        note(f"{count(len(left), 'subtask')} {are} not done yet ({named}{more}); --recursive marks subtasks too.")


def _set(store: StorageEngine, ids: tuple[str, ...], status: str, said: str, *, recursive: bool = False) -> list[Task]:
    """Give tasks a status in one change, and say so; return the tasks that were named, as they were."""
    found = items.several(lambda reference: items.task(store, reference), ids)
    below = items.below(store, [each.id for each in found]).values() if recursive else ()
    marked = [*found, *(each for each in below if each.status not in SETTLED)]

    def work(tx: Transaction) -> None:
        for each in marked:
            if each.status != status:
                tx.update_task(Task(id=each.id, status=status))

    write(store, work)
    shorts = store.reading.short_ids("task", [each.id for each in marked])
    for each in marked:
        already = f"{said} already" if each.status == status else said
        note(f"{already}: {each.title} ({shorts[each.id]})")
    return found
