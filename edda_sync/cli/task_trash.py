"""``edda task rm`` and ``edda task restore``: tasks go to the trash and come back, with their subtasks or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli import items
from edda_sync.cli.commands import Command
from edda_sync.cli.common import can_ask, count, note, opened, safe_line, write
from edda_sync.words.model import Task

if TYPE_CHECKING:
    from edda_sync.engine.transaction import Transaction


@click.command("rm", cls=Command)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="Move their subtasks, too, at any depth.")
def rm(ids: tuple[str, ...], recursive: bool) -> None:
    """Move tasks to the trash; `edda task restore` brings them back."""
    with opened() as store:
        found = {each.id: each for each in items.several(lambda reference: items.task(store, reference), ids)}
        below = items.below(store, list(found))
        if below and not recursive and can_ask():
            recursive = click.confirm(
                f"{_have(found)} {count(len(below), 'subtask')}. Delete the subtasks too?", err=True
            )
        doomed = {**found, **below} if recursive else found

        def work(tx: Transaction) -> None:
            for each in doomed:
                tx.delete_task(each)

        write(store, work)
        orphans = 0 if recursive else sum(each.parent_id in found for each in below.values())
        shorts = store.reading.short_ids("task", found)
    restore = "task restore --recursive" if recursive and below else "task restore"
    hint = items.way_back(restore, shorts.values(), several=len(doomed) > 1)
    note(f"Moved {count(len(doomed), 'task')} to the trash{hint}.")
    if orphans:
        note(
            f"Left at the top level, until it is restored: {count(orphans, 'subtask')}; --recursive deletes subtasks too."
        )


def _have(found: dict[str, Task]) -> str:
    if len(found) > 1:
        return f"These {len(found)} tasks have"
    return f'"{safe_line(next(iter(found.values())).title)}" has'


@click.command("restore", cls=Command)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="Bring their subtasks back, too, at any depth.")
def restore(ids: tuple[str, ...], recursive: bool) -> None:
    """Bring tasks back from the trash."""
    with opened() as store:
        items.restore(store, "task", ids, recursive=recursive)
