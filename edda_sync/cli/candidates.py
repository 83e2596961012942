"""Candidates: the ids and tags of a store that may complete a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from edda_sync.cli.common import Settings, home, opened, safe_line
from edda_sync.cli.shells import PART
from edda_sync.words.config import absolute
from edda_sync.words.errors import EddaError
from edda_sync.words.filters import SORTS
from edda_sync.words.query import DOCUMENT_ORDERS, TASK_ORDERS, DocumentQuery, TaskQuery
from edda_sync.words.values import STATUSES

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.model import Item

SHOWN_MAX: Final = 200  # ids that are offered: of what was changed last
CHANGES_MAX: Final = 30  # changes that are offered: the latest
UNSETTLED: Final = ("open", "in_progress", "blocked")
SPANS: Final = ("week", "next-week", "month", "next-month", "weekend", "overdue", "none", "any")
DAYS: Final = (
    "today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "eow", "eom", "eoq",
    "eoy", "+3d", "+1w", "+1m",
)  # fmt: skip
PRIORITIES: Final = ("the most urgent", "urgent", "usual", "not urgent", "the least urgent")
PAST: Final = ("today", "yesterday", "3d", "1w", "1m")
DOCUMENT_CONDITIONS: Final = ("tag:", "no-tag:", "type:", "task:", "sort:", "text:")
TASK_CONDITIONS: Final = (
    "overdue", "due:", "due.before:", "due.after:", "status:", "priority:", "tag:", "no-tag:", "parent:", "under:",
    "document:", "sort:", "text:",
)  # fmt: skip


def ids(ctx: click.Context, kind: str, incomplete: str) -> list[CompletionItem]:
    """
    Return the short ids of tasks or documents, with their titles: those that the command can do something with.

    What is typed may begin an id or a title.
    """

    def found(store: StorageEngine) -> list[CompletionItem]:
        titles = _titles(store, kind, ctx.command_path.split()[1:])
        typed = incomplete.lower()
        return [
            CompletionItem(short, help=safe_line(titles[whole]))
            for whole, short in store.reading.short_ids(kind, titles).items()
            if short.startswith(typed) or (typed and titles[whole].lower().startswith(typed))
        ]

    return _asked(ctx, found)


def _titles(store: StorageEngine, kind: str, path: list[str]) -> dict[str, str]:
    """Return the titles of the items that a command can do something with, by id."""
    items: Sequence[Item]
    if path[-2:] in (["task", "restore"], ["doc", "restore"]):
        items = store.trash(kind)[:SHOWN_MAX]
    elif path[:1] == ["conflicts"]:
        return {each.id: each.title for each in store.conflicts() if each.kind == kind}
    elif kind == "document":
        items = store.query_documents(DocumentQuery(order="updated_at", limit=SHOWN_MAX))
    else:
        status = {"done": UNSETTLED, "start": ("open", "blocked")}.get("".join(path[-1:]))
        items = store.query_tasks(TaskQuery(status=status, order="updated_at", descending=True, limit=SHOWN_MAX))
    return {each.id: each.title for each in items}


def conditions(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the conditions of a list that begin with what is typed, and what may stand behind their colons."""
    if incomplete[:1] in ("+", "-", "#") and incomplete[1:2] != "-":
        return [CompletionItem(incomplete[0] + each.value) for each in tags(ctx, incomplete[1:])]
    is_task = "task" in ctx.command_path.split()
    key, colon, begun = incomplete.partition(":")
    if not colon:
        return [
            CompletionItem(each, type="plain" if each == "overdue" else PART)
            for each in (TASK_CONDITIONS if is_task else DOCUMENT_CONDITIONS)
            if each.startswith(incomplete)
        ]
    if key in ("parent", "under", "task", "document"):
        below = ids(ctx, "document" if key == "document" else "task", begun)
    else:
        below = _BEHIND.get(key, _nothing)(ctx, begun)
    return [CompletionItem(f"{key}:{each.value}", help=each.help) for each in below]


def statuses(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the statuses of tasks."""
    before, comma, begun = incomplete.rpartition(",")
    return _of(ctx, begun, (*STATUSES, "active", "all"), before + comma)


def due(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return spans of due dates."""
    return _of(ctx, incomplete, (*SPANS, *DAYS))


def days(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return words for days; for those by which tasks are listed, also spans."""
    return _of(ctx, incomplete, (*SPANS, *DAYS) if ctx.info_name in ("list", "search") else DAYS)


def past(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return words for days that were, where a command takes some."""
    return _of(ctx, incomplete, PAST) if ctx.info_name in ("show", "revert", "restore") else []


def priorities(ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - as all
    """Return the priorities."""
    return [CompletionItem(str(at), help=said) for at, said in enumerate(PRIORITIES) if str(at).startswith(incomplete)]


def orders(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the orders of a list; behind a dash, reversed."""
    known = TASK_ORDERS if "task" in ctx.command_path.split() else DOCUMENT_ORDERS
    short = {meant: each for each, meant in SORTS.items() if meant.startswith(each)}
    dash = "-" if incomplete.startswith("-") else ""
    return _of(ctx, incomplete.removeprefix("-"), [short.get(each, each) for each in known], dash)


def devices(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of the devices of the workspace."""
    return _asked(ctx, lambda store: _of(ctx, incomplete, [safe_line(each.name) for each in store.members()]))


def indexes(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of the indexes that people made."""
    return _asked(ctx, lambda store: _of(ctx, incomplete, [each.name for each in store.indexes.list()]))


def targets(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of the places where backups lie."""
    from edda_sync.backup.targets import known as knowns

    _set_home(ctx)
    try:
        with ctx:
            found = {each.name: each.place.url for each in knowns.load(home())}
    except (EddaError, OSError):
        return []
    return [CompletionItem(name, help=safe_line(url)) for name, url in found.items() if name.startswith(incomplete)]


def changes(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of the latest changes, with what they did."""
    from edda_sync.engine.dots import short

    def found(store: StorageEngine) -> list[CompletionItem]:
        latest = [(short(each.dot), each.what) for each in store.history(limit=CHANGES_MAX).changes]
        return [
            CompletionItem(name, help=safe_line("; ".join(what) or "-"))
            for name, what in latest
            if name.startswith(incomplete)
        ]

    return _asked(ctx, found)


def attached(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of what is attached to the document that was named before."""
    document = ctx.params.get("id") or ""
    return _asked(
        ctx,
        lambda store: _of(
            ctx,
            incomplete,
            [safe_line(each.name) for each in store.attachments(store.resolve("document", document))],
        ),
    )


def fields(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the fields of an item that are in conflict."""
    item = (ctx.params.get("id") or "").replace("-", "")

    def found(store: StorageEngine) -> list[CompletionItem]:
        named = {each.field: None for each in store.conflicts() if each.id.replace("-", "").endswith(item)}
        return _of(ctx, incomplete, list(named))

    return _asked(ctx, found)


def _of(ctx: click.Context, begun: str, names: Sequence[str], before: str = "") -> list[CompletionItem]:  # noqa: ARG001 - as all
    return [CompletionItem(before + name) for name in names if name.lower().startswith(begun.lower())]


def _nothing(ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - as above
    return []


def tags(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of tags."""
    typed = incomplete.removeprefix("#").lower()
    return _asked(
        ctx, lambda store: [CompletionItem(tag.name) for tag in store.tags() if tag.name.lower().startswith(typed)]
    )


def _asked(ctx: click.Context, ask: Callable[[StorageEngine], list[CompletionItem]]) -> list[CompletionItem]:
    """Ask the store that the command line names; nothing if there is none, or it does not open."""
    _set_home(ctx)
    try:
        with ctx, opened() as store:
            return ask(store)
    except (EddaError, OSError):
        return []


def _set_home(ctx: click.Context) -> None:
    """Let the command line say where the store is; no command runs while a shell completes."""
    root = ctx.find_root()
    if root.obj is None:
        named = root.params.get("home")
        root.obj = Settings(absolute(named) if isinstance(named, Path) else None)


_BEHIND: Final[Mapping[str, Callable[[click.Context, str], list[CompletionItem]]]] = {
    "status": statuses, "due": due, "due.before": days, "due.after": days, "priority": priorities, "sort": orders,
    "tag": tags, "no-tag": tags,
}  # fmt: skip
FOUND: Final[Mapping[str, Callable[[click.Context, str], list[CompletionItem]]]] = {
    "attached": attached, "changes": changes, "conditions": conditions, "days": days, "devices": devices, "fields": fields,
    "indexes": indexes, "orders": orders, "past": past, "priorities": priorities, "tags": tags,
    "targets": targets,
}  # fmt: skip
"""What completes a word, by what it is."""
