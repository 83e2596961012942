"""Candidates: the ids and tags of a store that may complete a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from edda_sync.cli.common import Settings, opened, safe_line
from edda_sync.words.config import absolute
from edda_sync.words.errors import EddaError
from edda_sync.words.query import DocumentQuery, TaskQuery
from edda_sync.words.values import STATUSES

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

SHOWN_MAX: Final = 200  # ids that are offered: of what was changed last


def ids(ctx: click.Context, kind: str, incomplete: str) -> list[CompletionItem]:
    """Return the short ids of tasks or documents, with their titles. What is typed may begin an id or a title."""

    def found(store: StorageEngine) -> list[CompletionItem]:
        if kind == "task":
            tasks = store.query_tasks(TaskQuery(order="updated_at", descending=True, limit=SHOWN_MAX))
            titles = {each.id: each.title for each in tasks}
        else:
            documents = store.query_documents(DocumentQuery(order="updated_at", limit=SHOWN_MAX))
            titles = {each.id: each.title for each in documents}
        typed = incomplete.lower()
        return [
            CompletionItem(short, help=safe_line(titles[whole]))
            for whole, short in store.reading.short_ids(kind, titles).items()
            if short.startswith(typed) or (typed and titles[whole].lower().startswith(typed))
        ]

    return _asked(ctx, found)


def conditions(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the conditions of a list that begin with what is typed: tags behind + or -, and statuses."""
    if incomplete[:1] in ("+", "-", "#") and incomplete[1:2] != "-":
        return [CompletionItem(incomplete[0] + each.value) for each in tags(ctx, incomplete[1:])]
    if incomplete.startswith("status:"):
        return [CompletionItem(f"status:{each}") for each in STATUSES if each.startswith(incomplete[7:])]
    return []


def tags(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of tags."""
    typed = incomplete.removeprefix("#").lower()
    return _asked(
        ctx, lambda store: [CompletionItem(tag.name) for tag in store.tags() if tag.name.lower().startswith(typed)]
    )


def _asked(ctx: click.Context, ask: Callable[[StorageEngine], list[CompletionItem]]) -> list[CompletionItem]:
    """Ask the store that the command line names; nothing if there is none, or it does not open."""
    root = ctx.find_root()
    if root.obj is None:  # no command runs while a shell completes
        home = root.params.get("home")
        root.obj = Settings(absolute(home) if isinstance(home, Path) else None)
    try:
        with ctx, opened() as store:
            return ask(store)
    except (EddaError, OSError):
        return []
