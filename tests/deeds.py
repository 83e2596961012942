"""The work of cost tests: make tasks and documents, and do something with each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import sync
from tests.costs import Act


def tasks(engine: StorageEngine, count: int, **fields: Any) -> list[str]:
    """Make a number of tasks in one change."""
    with engine.begin_transaction() as tx:
        return [tx.create_task(edda.Task(title=f"task {number}", **fields)) for number in range(count)]


def documents(engine: StorageEngine, count: int) -> list[str]:
    """Make a number of documents in one change, and edit each once, so that it has a text of its own."""
    with engine.begin_transaction() as tx:
        made = [tx.create_document(edda.Document(title=f"d{n}", content=f"words {n}")) for n in range(count)]
    type_into(engine, made)
    engine.digest()
    return made


def one_change(engine: StorageEngine, items: list[Any], do: Callable[[Any, Any], object]) -> Act:
    """Return a function that does something with each item, all in one change."""

    def act() -> None:
        with engine.begin_transaction() as tx:
            for each in items:
                do(tx, each)

    return act


def one_by_one(engine: StorageEngine, items: Iterable[Any], do: Callable[[Any, Any], object]) -> Act:
    """Return a function that does something with each item, each in a change of its own."""

    def act() -> None:
        for each in items:
            one_change(engine, [each], do)()

    return act


def type_into(engine: StorageEngine, items: list[str]) -> None:
    one_change(engine, items, lambda tx, each: tx.edit_text(each, "content", [(0, 0, "more ")]))()


def retitle(tx: Any, task: str) -> None:
    tx.update_task(edda.Task(id=task, title="another title"))


def reparent(engine: StorageEngine, edges: list[tuple[str, str]]) -> None:
    """Give tasks their parents, in one change."""
    one_change(engine, edges, lambda tx, edge: tx.update_task(edda.Task(id=edge[0], parent_id=edge[1])))()


def chain(engine: StorageEngine, size: int) -> list[str]:
    """Make a chain of tasks in one change, each a subtask of the one before it."""
    made: list[str] = []
    with engine.begin_transaction() as tx:
        for number in range(size):
            made.append(tx.create_task(edda.Task(title=f"{number}", parent_id=made[-1] if made else None)))
    return made


def one_ring(here: StorageEngine, there: StorageEngine, size: int) -> None:
    """Let each of two devices write a part of a ring of parents; they have not met since."""
    made = tasks(here, size)
    sync(here, there)
    reparent(here, list(pairwise(made)))
    reparent(there, [(made[-1], made[0])])


def many_rings(here: StorageEngine, there: StorageEngine, size: int) -> None:
    """Let each of two devices write one edge of many rings of two; they have not met since."""
    ones, others = tasks(here, size), tasks(here, size)
    sync(here, there)
    reparent(here, list(zip(ones, others, strict=True)))
    reparent(there, list(zip(others, ones, strict=True)))
