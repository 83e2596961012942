"""How to take back what a command has just done: the command that undoes its changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edda_sync.cli.common import note

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.engine.engine import StorageEngine


@contextmanager
def written(store: StorageEngine) -> Iterator[list[Dot]]:
    """Yield a list of the changes that a ``with`` block makes, as far as it has come."""
    found: list[Dot] = []

    def add() -> None:
        if store.writing.latest is not None:
            found.append(store.writing.latest)

    end = store.writing.on_commit(add)
    try:
        yield found
    finally:
        end()


def note_undo(dots: list[Dot]) -> None:
    """Say which command takes some changes back, if there are any."""
    if dots:
        note(f"`{command(dots)}` takes it back.")


def command(dots: list[Dot]) -> str:
    """Return the command that takes some changes back, which are given in order."""
    from edda_sync.engine.dots import SHORT, named  # what writes nothing needs no names

    return f"edda undo {' '.join(named(dots, SHORT))}"
