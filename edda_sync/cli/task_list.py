"""``edda task list`` and ``edda task search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import days, finding, items, limiting, times
from edda_sync.cli.columns import print_table
from edda_sync.cli.common import NONE, json_option, note, on_terminal, opened, print_json
from edda_sync.words.model import Task
from edda_sync.words.query import TASK_ORDERS, TaskQuery

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.filters import Filter
    from edda_sync.words.spans import Range

ACTIVE = ("open", "in_progress")
UNSETTLED = (*ACTIVE, "blocked")


def _options(function: Any) -> Any:
    for option in (
        json_option,
        finding.answers,
        click.option("--trash", is_flag=True, help="Show what was deleted instead; `edda task restore` brings it back."),
        click.option("--all", "everything", is_flag=True, help="Show tasks of any status, and as many as there are."),
        limiting.limit_option,
        click.option("--reverse", is_flag=True, help="Reverse the order."),
        finding.order_option(TASK_ORDERS, "urgent unless you say so; distance with --near"),
        click.option("--within", type=finding.Distance(), metavar="DISTANCE",
                     help="With --near: no further away, such as 5km."),
        click.option("--near", type=finding.Place(), metavar="LAT,LON",
                     help="With a place in metadata.location, nearest first."),
        click.option("--text", metavar="WORDS",
                     help="Words in title or description; `rep*` matches a beginning, "
                     "`'\"two words\"'` those two side by side."),
        click.option("--due-after", type=days.Day(), metavar="DATE", help="Due at this moment or later."),
        click.option("--due-before", type=days.Day(), metavar="DATE", help="Due before this moment."),
        click.option("--overdue", is_flag=True, help="Over, and neither done nor cancelled."),
        click.option("--due", type=days.Days(), metavar="DAYS",
                     help="today, friday, week, next-month...; none or any for whether there is a date."),
        click.option("--document", metavar="ID", help="Linked to a document."),
        click.option("--under", metavar="ID", help="Subtasks of a task, at any depth."),
        click.option("--parent", metavar="ID", help="Subtasks of a task; `none` for tasks that have no parent."),
        finding.conditions("tasks"),
        click.option("--priority", "priorities", type=int, multiple=True, metavar="0-4", help="May be given again."),
        click.option("--status", "statuses", type=finding.Statuses(), multiple=True, metavar="STATUS",
                     help="open, in_progress, blocked, done, cancelled, active or all; several with commas."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("list", cls=finding.FilterCommand)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@_options
def list_(words: tuple[str, ...], **conditions: Any) -> None:
    """
    List tasks: the most urgent of those open or in progress, unless you ask otherwise.

    Each WORD is a condition: milk (a word in title or description), +home, -work (without this tag), overdue, due:week,
    due:none, 'due<friday', status:open,done, priority:0-1, parent:ID, under:ID, document:ID, sort:-due.
    """
    _list(words, ACTIVE, conditions)


@click.command("search", cls=finding.FilterCommand)
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@_options
def search(words: tuple[str, ...], **conditions: Any) -> None:
    """
    Find tasks of any status that hold all WORDs in title or description, the most relevant first.

    `rep*` matches the beginning of a word, and `'"two words"'` those two side by side. The conditions of `edda task list`,
    such as +home and due:week, may stand among the words.
    """
    _list(words, (), conditions)


def _list(words: tuple[str, ...], usual: tuple[str, ...], given: dict[str, Any]) -> None:
    """Print the tasks that words and options ask for; those of the ``usual`` statuses, if nothing is said about them."""
    everything, limit, as_json, text = given["everything"], given["limit"], given["as_json"], given["text"]
    unlimited = everything or (as_json and given["after"] is None and not given["explain"])
    if given["trash"]:
        finding.check_trash(click.get_current_context(), words)
    asked = _asked(words) if words else None
    with opened() as store:
        if given["trash"]:
            found = [item for item in store.trash("task") if isinstance(item, Task)]
            if given["count_only"]:
                finding.say_count(len(found), as_json=as_json)
                return
            total, found = len(found), found if limit is None else found[: limiting.chosen(limit, everything=True)]
        else:
            query = _query(store, usual, unlimited, asked, given)
            finding.note_unknown(store, tuple(query.no_tags))
            text = query.text
            if finding.answered(store, query, given, as_json=as_json):
                return
            listed = store.query_tasks(query)
            found = limiting.cut(
                listed, limit, "tasks", lambda: store.count(finding.all_of(query)), everything=unlimited
            )
            finding.note_next(query, given, listed, found)
            total = 0 if found else store.counts()["tasks"]
        answer = items.listed(store, found) if as_json else []
        shorts = store.reading.short_ids("task", [] if as_json else [each.id for each in found])
        nearly = "" if found or as_json or given["trash"] else finding.nearly(store, query)
        if as_json and not found and not given["trash"]:
            finding.note_nearly(store, query)
    if as_json:
        print_json(answer)
    elif found:
        _print(found, shorts, text)
    else:
        active_only = not (everything or given["trash"] or given["statuses"] or (asked and asked.statuses) or not usual)
        hint = nearly or ("; --all looks at those that are done too" if active_only else "")
        note(items.none_shown("task", total, limit, trash=given["trash"], asked=finding.typed(), hint=hint))


def _asked(words: tuple[str, ...]) -> Filter:
    from edda_sync.words import filters  # a plain list has no conditions

    return filters.read(words, times.clock())


def _query(
    store: StorageEngine, usual: tuple[str, ...], unlimited: bool, asked: Filter | None, given: dict[str, Any]
) -> TaskQuery:
    shared = finding.shared(given)
    statuses, priorities = finding.statuses(given["statuses"]), given["priorities"]
    parent, under, document, text, order = (given[each] for each in ("parent", "under", "document", "text", "order"))
    if asked is not None:
        shared |= {name: (*shared[name], *getattr(asked, name)) for name in ("tags", "no_tags")}
        statuses = asked.statuses if statuses is None else (*statuses, *(asked.statuses or ()))
        priorities = (*priorities, *asked.priorities)
        parent, under, document = parent or asked.parent, under or asked.under, document or asked.document
        text = " ".join(filter(None, (text, *asked.words))) or None
        order = order or (None if asked.sort is None else finding.Order(TASK_ORDERS).convert(asked.sort, None, None))
    due, has_due, overdue = _due(asked, given)
    if statuses is None:
        statuses = () if given["everything"] else usual and UNSETTLED if overdue else usual
        statuses = UNSETTLED if overdue and not given["everything"] else statuses
    if order is None and not usual and text is not None:
        order = "relevance", False
    shown = limiting.chosen(given["limit"], everything=unlimited)
    return TaskQuery(
        status=statuses or None, priority=priorities or None,
        parent=parent if parent is None else "" if parent == NONE else items.whole_id(store, "task", parent),
        under=_named(store, "task", under), document=_named(store, "document", document),
        due_from=due and due.start, due_before=due and due.end, due_except=due.holes if due else (), has_due=has_due,
        text=text, no_text=() if asked is None else asked.no_words, near=given["near"], within=given["within"],
        order=order and order[0], descending=given["reverse"] != bool(order and order[1]),
        limit=None if shown is None else shown + 1, **shared,
    )  # fmt: skip


def _due(asked: Filter | None, given: dict[str, Any]) -> tuple[Range | None, bool | None, bool]:
    """Return which due dates are asked for, whether there must be one, and whether only what is not settled counts."""
    overdue = given["overdue"] or (asked is not None and asked.overdue)
    has_due = None if asked is None else asked.has_due
    if not (overdue or given["due"] or given["due_before"] or given["due_after"] or (asked is not None and asked.due)):
        return None, has_due, False
    from edda_sync.words import filters, spans  # a plain list has no conditions

    clock, due = times.clock(), given["due"]
    if isinstance(due, str):
        has_due, due = due == filters.ANY, None
    wanted = [due, None if asked is None else asked.due, spans.overdue(clock) if given["overdue"] else None]
    wanted += [
        given["due_before"] and spans.before(given["due_before"]),
        given["due_after"] and spans.since(given["due_after"]),
    ]
    found = spans.Span()
    for each in filter(None, wanted):
        found = spans.both(found, each, clock)
    if found == spans.Span():
        return None, has_due, overdue
    if on_terminal():
        note(f"D{spans.spoken(found, clock)[1:]}:")
    return spans.ranged(found, clock), has_due, overdue


def _named(store: StorageEngine, kind: str, reference: str | None) -> str | None:
    return None if reference is None else items.whole_id(store, kind, reference)


def _print(tasks: list[Task], shorts: dict[str, str], text: str | None) -> None:
    if on_terminal():
        from edda_sync.cli.listing import print_tasks  # a program needs no colours

        print_tasks(tasks, shorts, text, times.clock())
        return
    rows = [
        [shorts[t.id], t.status, str(t.priority), times.short(t.due_date), items.with_tags(t.title, t.tags)]
        for t in tasks
    ]
    print_table(["id", "status", "priority", "due", "title"], rows)
