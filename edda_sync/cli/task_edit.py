"""``edda task edit``: by options, or in an editor, whose first line is the title."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import editing, items, shown, taking_back, task_fields
from edda_sync.cli.commands import Command
from edda_sync.cli.common import json_option, note, opened, write
from edda_sync.words.errors import UsageError
from edda_sync.words.model import UNSET, Task

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction


@click.command("edit", cls=Command)
@click.argument("id")
@click.option("--title", metavar="TEXT", help="One line of 1 to 500 characters.")
@task_fields.options(new=False)
@click.option(
    "--base", metavar="VERSION", help="The version that a new description was made from, as show --json has it."
)
@editing.allow_empty_option
@editing.untag_option
@editing.unset_option
@json_option
def edit(
    id: str,
    title: str | None,
    base: str | None,
    allow_empty: bool,
    untags: tuple[str, ...],
    unset: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """
    Change what you name of a task, and nothing else; without any option, its title and description in your editor.

    What other devices write meanwhile is kept: your edits are merged into it.
    """
    given = [title, *(value for name, value in fields.items() if name != "tags")]
    named = base is not None or untags or unset or fields["tags"] or any(value is not None for value in given)
    with opened() as store:
        found = items.task(store, id)
        if not named:
            _edit_in_editor(store, found, id, allow_empty, quiet=as_json)
        else:
            change = Task(id=found.id)
            if title is not None:
                change.title = items.one_line(title)
            task_fields.set_fields(store, change, fields)
            if change.description is not UNSET:
                editing.check_emptied("task", id, found.description, change.description, allowed=allow_empty)
            described = change.description
            if described is not UNSET:
                text = shown.rewritten(store, found, base, described)
                change.description = UNSET
            elif base is not None:
                raise UsageError("--base says what a new description was made from; give that, too.")

            def work(tx: Transaction) -> None:
                task_fields.check_ring(tx, change.id, change.parent_id)
                if described is not UNSET:
                    tx.update_task(text)
                tx.update_task(change)
                items.change_tags(tx, "task", change.id, fields["tags"], untags)
                if unset:
                    now = tx.get_task(change.id)
                    assert now is not None, "an update of a missing task was refused"
                    items.remove_keys(now.metadata, unset)
                    tx.update_task(now)

            moves = change.parent_id is not UNSET
            if moves:  # whether that is another one may not be shown
                found.parent_id = task_fields.named_parent(store, found.id)
            with taking_back.written(store) as dots:
                write(store, work)
            now = store.get_task(change.id)
            if moves and now is not None:
                now.parent_id = task_fields.named_parent(store, found.id)
            if described is not UNSET:
                shown.remember_written(store, now, described, is_shown=as_json)
            if not as_json:
                also = items.also(tags=fields["tags"] or untags, metadata=unset, description=described is not UNSET)
                items.note_changed(found, now, change, also)
                task_fields.note_due(fields)
                if found.description and described not in (UNSET, found.description):
                    taking_back.note_undo(dots)
        if as_json:
            items.print_item(store, store.get_task(found.id))


def _edit_in_editor(store: StorageEngine, found: Task, reference: str, allow_empty: bool, *, quiet: bool) -> None:
    before = task_fields.joined(found.title, found.description)
    with editing.edited(before, ".md", is_secret=store.reading.is_encrypted()) as new:
        if new == before:
            note("Nothing was changed.")
            items.note_if_gone(store, "task", found.id)
            return
        was = Task(title=found.title, description=found.description)
        change = Task()
        change.title, description = task_fields.parted(new)
        editing.check_emptied("task", reference, found.description, description, allowed=allow_empty)
        found.title = change.title  # the difference from what was read is merged into what is there now
        if description != (found.description or ""):
            change.description = found.description = description
        with taking_back.written(store) as dots:
            write(store, lambda tx: tx.update_task(found))
        shown.remember_written(store, store.get_task(found.id), description, is_shown=quiet)
    if not quiet:
        items.note_changed(was, found, change)
        if was.description and was.description != found.description:
            taking_back.note_undo(dots)
