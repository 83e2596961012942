"""The order in which tasks can be made: each after its parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from edda_sync.words.model import Task

T = TypeVar("T")


def parents_first(
    items: Sequence[T], task_of: Callable[[T], Task], lose: Callable[[T], object] = lambda _: None
) -> list[T]:
    """
    Return items with each after its parent, and otherwise in their order.

    Args:
        items: No two tasks of one id. A parent that is not among them is left as it is.
        task_of: Returns an item's task.
        lose: Is given the item that loses its parent, of each ring of parents, while it still has it.
    """
    by_id = {task_of(each).id: each for each in items}
    ordered: dict[str | None, T] = {}
    for each in items:
        climbed: dict[str | None, T] = {}
        current: T | None = each
        while current is not None and task_of(current).id not in ordered:
            task = task_of(current)
            climbed[task.id] = current
            if task.parent_id in climbed:
                lose(current)
                task.parent_id = None
            current = by_id.get(task.parent_id) if task.parent_id else None
        ordered.update(reversed(climbed.items()))
    return list(ordered.values())
