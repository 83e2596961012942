"""``edda task``: add, list, show, edit, done, rm, restore, move."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import earlier, editing, finding, items, shown, taking_back
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    NONE,
    TagName,
    can_ask,
    chosen_limit,
    count,
    cut,
    json_option,
    note,
    opened,
    parse_object,
    print_json,
    read_text,
    safe_line,
    say,
    short_ids,
    write,
)
from edda_sync.cli.days import Day
from edda_sync.words import values
from edda_sync.words.errors import UsageError
from edda_sync.words.model import UNSET, Task
from edda_sync.words.query import TASK_ORDERS, TaskQuery

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

ACTIVE = ("open", "in_progress")


@click.group("task", cls=Group)
def task() -> None:
    """Tasks: what is to be done."""


def _fields(*, new: bool) -> Callable[[Any], Any]:
    """Return what adds the options that set a task's fields; those of a new task have defaults."""
    options = (
        click.option("--agent-context", metavar="JSON", help="A JSON object for AI agents, key by key."),
        click.option("--metadata", metavar="JSON", help="A JSON object, key by key."),
        click.option(
            "--tag", "tags", type=TagName(), metavar="NAME", multiple=True, help="Add a tag; may be given again."
        ),
        click.option("--parent", metavar="ID", help="The task that this is a subtask of; `none` for none."),
        click.option(
            "--due",
            type=Day(or_none=True),
            metavar="DATE",
            help="2026-03-01, tomorrow, friday, or a time in UTC such as 2026-03-01T09:30:00Z; `none` for none.",
        ),
        click.option(
            "--priority", type=int, metavar="0-4", help=f"0 is most urgent{'; 2 unless you say so' if new else ''}."
        ),
        click.option(
            "--status",
            type=click.Choice(values.STATUSES),
            help="open unless you say so." if new else "How far it is.",
        ),
        click.option("--description-file", metavar="FILE", help="Read the description from a file, or - for stdin."),
        click.option("--description", metavar="TEXT", help="Markdown, as long as you like."),
    )
    return lambda function: reduce(lambda made, option: option(made), options, function)


@task.command("add")
@click.argument("title", nargs=-1, required=True)
@_fields(new=True)
@json_option
def add(title: tuple[str, ...], as_json: bool, **fields: Any) -> None:
    """Add a task and print its id. The words of TITLE may stand unquoted."""
    made = Task(title=" ".join(title), tags=set(fields["tags"]))
    with opened(make=True) as store:
        _set_fields(store, made, fields)
        task_id = write(store, lambda tx: tx.create_task(made))
        items.print_item(store, store.get_task(task_id)) if as_json else say(task_id)


@task.command("list")
@click.option("--status", "statuses", type=click.Choice(values.STATUSES), multiple=True, help="May be given again.")
@click.option("--priority", "priorities", type=int, multiple=True, metavar="0-4", help="May be given again.")
@finding.conditions("tasks")
@click.option("--parent", metavar="ID", help="Subtasks of a task; `none` for tasks that have no parent.")
@click.option("--under", metavar="ID", help="Subtasks of a task, at any depth.")
@click.option("--document", metavar="ID", help="Linked to a document.")
@click.option("--due-before", type=Day(), metavar="DATE", help="Due before this moment.")
@click.option("--due-after", type=Day(), metavar="DATE", help="Due at this moment or later.")
@click.option(
    "--text",
    metavar="WORDS",
    help="Words in title or description; `rep*` matches a beginning, `'\"two words\"'` those two side by side.",
)
@click.option(
    "--near", type=finding.Place(), metavar="LAT,LON", help="With a place in metadata.location, nearest first."
)
@click.option(
    "--within", type=finding.Distance(), metavar="DISTANCE", help="With --near: no further away, such as 5km."
)
@click.option("--order", type=click.Choice(TASK_ORDERS), help="urgent unless you say so; distance with --near.")
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--limit", type=int, metavar="N", help="Show at most N; 50 unless --all.")
@click.option("--all", "everything", is_flag=True, help="Show tasks of any status, and as many as there are.")
@click.option("--trash", is_flag=True, help="Show what was deleted instead; `edda task restore` brings it back.")
@finding.answers
@json_option
def list_(everything: bool, trash: bool, limit: int | None, as_json: bool, **conditions: Any) -> None:
    """List tasks: the most urgent of those open or in progress, unless you ask otherwise."""
    with opened() as store:
        if trash:
            found = [item for item in store.trash("task") if isinstance(item, Task)]
            total = len(found)
        else:
            query = _query(store, everything, limit, conditions)
            if finding.answered(store, query, conditions, as_json=as_json):
                return
            found = store.query_tasks(query)
            total = 0
        listed, found = found, cut(found, limit, everything or trash)
        if not trash:
            finding.note_next(query, conditions, listed, found)
        if not found and not trash:
            total = store.counts()["tasks"]
    if as_json:
        print_json([items.as_json(each) for each in found])
    elif found:
        _print_tasks(found, conditions["text"])
    else:
        active_only = not (everything or trash or conditions["statuses"])
        hint = "; --all looks at those that are done too" if active_only else ""
        note(items.none_shown("task", total, limit, trash=trash, hint=hint))


def _query(store: StorageEngine, everything: bool, limit: int | None, conditions: dict[str, Any]) -> TaskQuery:
    parent = conditions["parent"]
    if parent is not None:
        parent = "" if parent == NONE else items.whole_id(store, "task", parent)
    shown = chosen_limit(limit, everything)
    return TaskQuery(
        status=conditions["statuses"] or (None if everything else ACTIVE), priority=conditions["priorities"] or None,
        parent=parent, under=_named(store, "task", conditions["under"]),
        document=_named(store, "document", conditions["document"]),
        due_before=conditions["due_before"], due_from=conditions["due_after"],
        text=conditions["text"], near=conditions["near"], within=conditions["within"],
        order=conditions["order"], descending=conditions["reverse"],
        limit=None if shown is None else shown + 1, **finding.shared(conditions),
    )  # fmt: skip


def _named(store: StorageEngine, kind: str, reference: str | None) -> str | None:
    return None if reference is None else items.whole_id(store, kind, reference)


def _print_tasks(tasks: list[Task], text: str | None) -> None:
    shorts = short_ids([each.id for each in tasks])
    rows = [
        [shorts[t.id], t.status, str(t.priority), items.short_time(t.due_date), items.with_tags(t.title, t.tags)]
        for t in tasks
    ]
    print_table(["id", "status", "priority", "due", "title"], rows, items.found_lines(tasks, rows, text))


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
    for subtask in subtasks:
        say(f"subtask: {subtask.id[-6:]} {subtask.status} {subtask.title}")
    for link, document in documents:
        if document is not None:
            say(f"document: {document.id[-6:]} {link.relationship_type} {document.title}")
    if found.description:
        say(f"\n{found.description}")


@task.command("edit")
@click.argument("id")
@click.option("--title", metavar="TEXT", help="One line of 1 to 500 characters.")
@_fields(new=False)
@click.option(
    "--base", metavar="VERSION", help="The version that a new description was made from, as show --json has it."
)
@editing.allow_empty_option
@click.option(
    "--untag", "untags", type=TagName(), metavar="NAME", multiple=True, help="Take a tag off; may be given again."
)
@click.option("--unset-metadata", "unset", metavar="KEY", multiple=True, help="Remove a key; may be given again.")
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
    """Change what you name of a task, and nothing else."""
    given = [title, *(value for name, value in fields.items() if name != "tags")]
    if not (untags or unset or fields["tags"]) and all(value is None for value in given):
        raise UsageError("Say what to change, such as --title or --status; `edda task edit --help` lists all.")
    with opened() as store:
        found = items.task(store, id)
        change = Task(id=found.id)
        if title is not None:
            change.title = title
        _set_fields(store, change, fields)
        if change.description is not UNSET:
            editing.check_emptied("task", id, found.description, change.description, allowed=allow_empty)
        described = change.description
        if described is not UNSET:
            text = shown.rewritten(store, found, base, described)
            change.description = UNSET
        elif base is not None:
            raise UsageError("--base says what a new description was made from; give that, too.")

        def work(tx: Transaction) -> None:
            _check_ring(tx, change.id, change.parent_id)
            if described is not UNSET:
                tx.update_task(text)
            tx.update_task(change)
            items.change_tags(tx, "task", change.id, fields["tags"], untags)
            if unset:
                now = tx.get_task(change.id)
                assert now is not None, "an update of a missing task was refused"
                items.remove_keys(now.metadata, unset)
                tx.update_task(now)

        with taking_back.written(store) as dots:
            write(store, work)
        now = store.get_task(change.id)
        if described is not UNSET:
            shown.remember_written(store, now, described, is_shown=as_json)
        if as_json:
            items.print_item(store, now)
        else:
            also = items.also(tags=fields["tags"] or untags, metadata=unset, description=described is not UNSET)
            items.note_changed(found, now, change, also)
            if found.description and described not in (UNSET, found.description):
                taking_back.note_undo(dots)


@task.command("done")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def done(ids: tuple[str, ...]) -> None:
    """Mark tasks as done."""
    with opened() as store:
        found = items.several(lambda reference: items.task(store, reference), ids)

        def work(tx: Transaction) -> None:
            for each in found:
                if each.status != "done":
                    tx.update_task(Task(id=each.id, status="done"))

        write(store, work)
    for each in found:
        note(f"Done already: {each.title}" if each.status == "done" else f"Done: {each.title}")


@task.command("rm")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="Move their subtasks, too, at any depth.")
def rm(ids: tuple[str, ...], recursive: bool) -> None:
    """Move tasks to the trash; `edda task restore` brings them back."""
    with opened() as store:
        found = {each.id: each for each in items.several(lambda reference: items.task(store, reference), ids)}
        below = _below(store, list(found))
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
    note(f"Moved {count(len(doomed), 'task')} to the trash.")
    if orphans:
        note(
            f"Left at the top level, until it is restored: {count(orphans, 'subtask')}; --recursive deletes subtasks too."
        )


def _have(found: dict[str, Task]) -> str:
    if len(found) > 1:
        return f"These {len(found)} tasks have"
    return f'"{safe_line(next(iter(found.values())).title)}" has'


def _below(store: StorageEngine, ids: list[str]) -> dict[str, Task]:
    """Return the subtasks of tasks, at any depth, without the tasks themselves."""
    found: dict[str, Task] = {}
    seen, todo = set(ids), list(ids)
    while todo:
        for subtask in store.query_tasks(TaskQuery(parent=todo.pop())):
            if subtask.id not in seen:
                seen.add(subtask.id)
                found[subtask.id] = subtask
                todo.append(subtask.id)
    return found


@task.command("restore")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def restore(ids: tuple[str, ...]) -> None:
    """Bring tasks back from the trash."""
    with opened() as store:
        items.restore(store, "task", ids)


@task.command("move")
@click.argument("id")
@click.argument("parent")
def move(id: str, parent: str) -> None:
    """Make a task a subtask of PARENT; `none` puts it at the top level."""
    with opened() as store:
        found, above = items.task(store, id), None if parent == NONE else items.task(store, parent)
        change = Task(id=found.id, parent_id=None if above is None else above.id)

        def work(tx: Transaction) -> None:
            _check_ring(tx, change.id, change.parent_id)
            tx.update_task(change)

        write(store, work)
    there = found.parent_id == change.parent_id
    where = f"below {above.title}" if above is not None else "at the top level" if there else "to the top level"
    note(f"{'Already' if there else 'Moved'} {where}: {found.title}")


# --- fields -----------------------------------------------------------------------------------------------------------


def _set_fields(store: StorageEngine, change: Task, fields: dict[str, Any]) -> None:
    """Write the options that were given into a task."""
    if fields["description"] is not None and fields["description_file"] is not None:
        raise UsageError("Give --description or --description-file, not both.")
    if fields["description"] is not None:
        change.description = fields["description"]
    if fields["description_file"] is not None:
        change.description = read_text(fields["description_file"])
    if fields["status"] is not None:
        change.status = fields["status"]
    if fields["priority"] is not None:
        change.priority = fields["priority"]
    if fields["due"] is not None:
        change.due_date = None if fields["due"] == NONE else fields["due"]
    if fields["parent"] is not None:
        change.parent_id = _parent(store, fields["parent"])
    if fields["metadata"] is not None:
        change.metadata = parse_object("metadata", fields["metadata"])
    if fields["agent_context"] is not None:
        change.agent_context = parse_object("agent_context", fields["agent_context"])


def _parent(store: StorageEngine, reference: str) -> str | None:
    return None if reference == NONE else items.task(store, reference).id


def _check_ring(tx: Transaction, task_id: str, parent_id: str | None) -> None:
    """Refuse a parent that is the task itself or one of its subtasks, at any depth."""
    above = None if parent_id is UNSET else parent_id
    for _ in range(100_000):  # more than any chain has: the store shows no ring
        if above is None:
            return
        if above == task_id:
            raise UsageError("A task cannot stand below itself or below its own subtasks; choose another parent.")
        parent = tx.get_task(above)
        above = None if parent is None else parent.parent_id
