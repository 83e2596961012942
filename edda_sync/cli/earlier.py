"""Showing a task or document as it was at a time, or after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from edda_sync.cli import items
from edda_sync.cli.common import print_json, say
from edda_sync.cli.days import Moment
from edda_sync.words.errors import NotThenError
from edda_sync.words.model import Document, Item, Task

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

T = TypeVar("T", Task, Document)


class MomentOrChange(Moment):
    """A moment that was, or the name of a change."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return what was meant."""
        from edda_sync.engine.dots import is_name  # only for what has changes

        return str(value) if is_name(str(value)) else super().convert(value, param, ctx)


at_option = click.option(
    "--at",
    "moment",
    type=MomentOrChange(),
    metavar="TIME|CHANGE",
    help="As it was then (yesterday, 2026-03-01 09:30...), or after a change.",
)


def find(store: StorageEngine, of: type[T], reference: str, moment: str) -> T:
    """
    Return a task or document as it was at a time, or after a change.

    Raises:
        NotThenError: It was not there then, or in the trash.
    """
    kind = of.__name__.lower()
    found = store.as_of(kind, items.whole_id(store, kind, reference), moment)
    if not isinstance(found, of):
        raise NotThenError(kind, reference)
    return found


def show_task(store: StorageEngine, reference: str, moment: str, as_json: bool) -> None:
    """Show a task as it was at a time. Its subtasks and documents are left out, because they may be others today."""
    found = find(store, Task, reference, moment)
    if as_json:
        print_as_json(found)
        return
    items.print_fields(found, leave_out=("description",))
    if found.description:
        say(f"\n{found.description}")


def print_as_json(item: Item) -> None:
    """Print an item as it was. Its links are left out, because what they lead to may be other today."""
    print_json(items.as_json(item))
