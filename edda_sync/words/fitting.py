"""
Plans over rows in memory: for the memory store, for live queries, and for what a transaction has not committed yet.

A store in SQL says the same as a statement (``store.sqlite.queries``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edda_sync.words.order import is_after
from edda_sync.words.query import Plan

if TYPE_CHECKING:
    from edda_sync.words.paths import Condition
    from edda_sync.words.phrases import Phrase
    from edda_sync.words.places import Near


def matches(plan: Plan, row: Mapping[str, Any], tag_ids: Collection[str], among: bool = True) -> bool:
    """
    Tell whether a row meets a plan's conditions.

    Args:
        plan: The checked query.
        row: Column values by name.
        tag_ids: Ids of the tags that the entity carries.
        among: Whether it is linked and stands below a task as ``linked_from``, ``linked_to`` and ``under`` ask.
    """
    if not among:
        return False
    for column, accepted in plan.equal:
        if row[column] not in accepted:
            return False
    for column, start, end in plan.ranges:
        value = row[column]
        if value is None or (start is not None and value < start) or (end is not None and value >= end):
            return False
    if any(row[column] is not None and start <= row[column] < end for column, start, end in plan.without):
        return False
    if not all(tag_id in tag_ids for tag_id in plan.tag_ids):
        return False
    if plan.any_tag_ids and not any(tag_id in tag_ids for tag_id in plan.any_tag_ids):
        return False
    if any(tag_id in tag_ids for tag_id in plan.no_tag_ids):
        return False
    if plan.where and not _hold(plan.where, row):
        return False
    if plan.near is not None and not _is_near(plan.near, row):
        return False
    if plan.after is not None and not is_after(plan.order, plan.after, row, plan.ahead):
        return False
    if plan.no_words and any(_occur(each, plan, row) for each in plan.no_words):
        return False
    return not plan.words or occurrences(plan, row) > 0


def _hold(where: tuple[Condition, ...], row: Mapping[str, Any]) -> bool:
    from edda_sync.words.paths import holds  # rarely needed

    return all(holds(each, row) for each in where)


def _is_near(near: Near, row: Mapping[str, Any]) -> bool:
    from edda_sync.words import places  # rarely needed

    return places.is_near(near, row)


def sorting(plan: Plan, column: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Return what reads a value of a row that ``order.in_order`` sorts by; ``column`` reads one of its columns."""
    near = plan.near
    if near is None or plan.order[0][0] != "distance":
        return column
    from edda_sync.words import places  # rarely needed

    def read(row: Any, name: str) -> Any:
        return (
            places.distance(near, {near.path[0]: column(row, near.path[0])})
            if name == "distance"
            else column(row, name)
        )

    return read


def reached(task: str, children: Callable[[str], Iterable[str]]) -> set[str]:
    """Return everything below a task, given the children of each task."""
    found: set[str] = set()
    todo = [task]
    while todo:
        new = [each for each in children(todo.pop()) if each not in found]
        found.update(new)
        todo += new
    return found


def occurrences(plan: Plan, row: Mapping[str, Any]) -> int:
    """Return how often the words of a plan occur in a row; 0 unless each of them does."""
    return _occur(plan.words, plan, row)


def _occur(asked: Sequence[Phrase], plan: Plan, row: Mapping[str, Any]) -> int:
    from edda_sync.words.phrases import occurrences  # rarely needed

    return occurrences(asked, (row["title"], row["description" if plan.kind == "task" else "content"] or ""))
