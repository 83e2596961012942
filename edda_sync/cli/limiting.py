"""How many rows a list shows, and what it says about the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from edda_sync.cli.common import note
from edda_sync.words.errors import InvalidValueError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

SHOWN_MAX: Final = 50  # rows of a list for a person, unless --limit or --all says otherwise


def limit_option(function: F) -> F:
    """Add ``--limit``."""
    said = f"Show at most N; {SHOWN_MAX} unless --all. --json leaves out nothing, unless you say so."
    return click.option("--limit", type=int, metavar="N", help=said)(function)


def chosen(limit: int | None, *, everything: bool) -> int | None:
    """
    Return how many rows a list may show; None for all.

    Raises:
        InvalidValueError: It is not a number of rows.
    """
    if limit is not None and limit < 0:
        raise InvalidValueError("limit", "must be 0 or more", limit)
    return None if limit is None and everything else SHOWN_MAX if limit is None else limit


def cut(rows: list[T], limit: int | None, what: str, total: Callable[[], int], *, everything: bool) -> list[T]:
    """
    Return the rows that a list shows. If there are more, say how many, and how to see all of them.

    Args:
        rows: The rows, with one more than may be shown, if there are more.
        limit: The value of ``--limit``. A person who gave one knows that there may be more.
        what: What they are, such as ``tasks``.
        total: Counts all of them.
        everything: Whether all are wanted.
    """
    shown = chosen(limit, everything=everything)
    if shown is None or len(rows) <= shown:
        return rows
    if limit is None:
        all_ = total()
        note(f"{shown:,} of {all_:,} {what} are shown; --limit {all_} shows them all.")
    return rows[:shown]
