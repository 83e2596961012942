"""``edda task``: add, list, search, show, edit, start, done, rm, restore, move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import earlier, items, shown, task_edit, task_fields, task_list, task_status, task_trash
from edda_sync.cli.commands import Group
from edda_sync.cli.common import NONE, json_option, note, opened, read_text, say, write
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery

if TYPE_CHECKING:
    from edda_sync.engine.transaction import Transaction


@click.group("task", cls=Group)
def task() -> None:
    """Tasks: what is to be done."""


for _command in (
    task_list.list_, task_list.search, task_edit.edit, task_status.start, task_status.done, task_trash.rm,
    task_trash.restore,
):  # fmt: skip
    task.add_command(_command)


@task.command("add")
@click.argument("title", nargs=-1, required=True)
@task_fields.options(new=True)
@json_option
def add(title: tuple[str, ...], as_json: bool, **fields: Any) -> None:
    """
    Add a task and print its id. The words of TITLE may stand unquoted.

    With - as TITLE, the task is read from stdin: the first line is its title, and the rest its description.
    """
    made = Task(tags=set(fields["tags"]))
    if title == ("-",):
        made.title, description = task_fields.parted(read_text("-"))
        if description:
            made.description = description
    else:
        made.title = items.one_line(" ".join(title))
    with opened(make=True) as store:
        task_fields.set_fields(store, made, fields)
        task_id = write(store, lambda tx: tx.create_task(made))
        if as_json:
            items.print_item(store, store.get_task(task_id))
        else:
            items.say_id(store, "task", task_id)
            task_fields.note_due(fields)
            task_fields.note_unparsed(title, store.reading.short_ids("task", [task_id])[task_id])


@task.command("show")
@click.argument("id")
@earlier.at_option
@json_option
def show(id: str, moment: str | None, as_json: bool) -> None:
    """Show a task, its subtasks and its documents."""
    with opened() as store:
        if moment is not None:
            earlier.show_task(store, id, moment, as_json)
            return
        found = items.task(store, id)
        shown.remember(store, found)
        if as_json:
            items.print_item(store, found)
            return
        items.print_fields(found, leave_out=("description",))
        subtasks = store.query_tasks(TaskQuery(parent=found.id))
        documents = [(link, store.get_document(link.document_id)) for link in store.links(task_id=found.id)]
        shorts = store.reading.short_ids("task", [each.id for each in subtasks])
        shorts |= store.reading.short_ids("document", [link.document_id for link, _ in documents])
        items.note_kept(store, found)
    for subtask in subtasks:
        say(f"subtask: {shorts[subtask.id]} {subtask.status} {subtask.title}")
    for link, document in documents:
        if document is not None:
            say(f"document: {shorts[document.id]} {link.relationship_type} {document.title}")
    if found.description:
        say(f"\n{found.description}")


@task.command("move")
@click.argument("id")
@click.argument("parent")
def move(id: str, parent: str) -> None:
    """Make a task a subtask of PARENT; `none` puts it at the top level."""
    with opened() as store:
        found, above = items.task(store, id), None if parent == NONE else items.task(store, parent)
        change = Task(id=found.id, parent_id=None if above is None else above.id)

        def work(tx: Transaction) -> None:
            task_fields.check_ring(tx, change.id, change.parent_id)
            tx.update_task(change)

        there = task_fields.named_parent(store, found.id) == change.parent_id
        write(store, work)
    where = f"below {above.title}" if above is not None else "at the top level" if there else "to the top level"
    note(f"{'Already' if there else 'Moved'} {where}: {found.title}")
