"""
Unique indexes as the definitions give them: what an item claims, and on which item each value is shown.

The simulation makes no other indexes than those of :data:`DEFINITIONS`, and each is defined here a second time, as plain
Python. So it also shows that no ill-formed record of a liar is ever taken for an index.

Values are the same if their types and their values are: 1 and 1.0 are, 1 and "1" are not. An item without one of the values
claims nothing. Of those that claim the same, the one with the least id shows it. The others do not show their last key among
the columns.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

import msgspec

from edda_sync.words import limits, values

Value = Callable[[str], Any]
"""Returns the visible value of a cell of an item; None if there is none."""
GROUP: Final = "unique."
_DEFAULTS: Final = {
    "title": values.TITLE_DEFAULT,
    "status": values.STATUS_DEFAULT,
    "priority": values.PRIORITY_DEFAULT,
}


class Definition(NamedTuple):
    """
    An index.

    Attributes:
        on: The kind of the items.
        columns: The columns and keys, which are also names of cells.
        where: The clause as people write it; None for all items.
        holds: The same clause in Python.
    """

    on: str
    columns: tuple[str, ...]
    where: str | None = None
    holds: Callable[[Value], bool] = lambda _: True

    @property
    def record(self) -> bytes:
        """The value of a cell ``unique.NAME`` that makes it."""
        return msgspec.msgpack.encode([self.on, self.columns, self.where, []])

    @property
    def withheld(self) -> str:
        """The cell that is not shown where it would be shown twice."""
        return [column for column in self.columns if "." in column][-1]

    def claim(self, value: Value) -> tuple[Any, ...] | None:
        """Return what an item claims; None if it claims nothing."""
        claimed = tuple([_plain(column, value) for column in self.columns])
        return None if None in claimed or not self.holds(value) else claimed


def _plain(column: str, value: Value) -> tuple[str, Any] | None:
    held = value(column)
    if "." not in column:
        held = _DEFAULTS.get(column) if held is None else held[0] if isinstance(held, list) else held
        return None if held is None else ("column", held)
    found = None if held is None else json.loads(held)
    if found is None:
        return None
    if isinstance(found, bool):
        return "truth", found
    if isinstance(found, (int, float)):
        return "number", Fraction(found)
    return ("text", found) if isinstance(found, str) else ("json", held)


def _status(value: Value) -> Any:
    return (_plain("status", value) or ("", ""))[1]


DEFINITIONS: Final = (
    Definition("task", ("metadata.size",)),
    Definition("task", ("metadata.who",)),
    Definition("task", ("metadata.who", "metadata.size")),
    Definition("task", ("metadata.size", "status")),
    Definition(
        "task",
        ("metadata.size",),
        "status IN ('open', 'in_progress')",
        lambda value: _status(value) in ("open", "in_progress"),
    ),
    Definition("task", ("metadata.who",), "metadata.size EXISTS", lambda value: value("metadata.size") is not None),
    Definition(
        "task", ("metadata.who",), "priority <= 1", lambda value: (_plain("priority", value) or ("", 9))[1] <= 1
    ),
    Definition("document", ("metadata.size",)),
    Definition("document", ("title", "metadata.who")),
)
OF_RECORD: Final[Mapping[bytes, Definition]] = {each.record: each for each in DEFINITIONS}


class Clashing(NamedTuple):
    """
    Several items that claim the same.

    Attributes:
        name: The name of the index.
        on: The kind of the items.
        items: Their ids, in order: the first one shows the value.
    """

    name: str
    on: str
    items: tuple[bytes, ...]


def in_effect(written: Mapping[str, Any]) -> dict[str, Definition]:
    """
    Return the indexes that count, by name.

    Args:
        written: The visible values of all cells of the workspace, by the names of the cells.

    Raises:
        KeyError: One of them is none of :data:`DEFINITIONS`.
    """
    names = sorted(cell.removeprefix(GROUP) for cell, value in written.items() if cell.startswith(GROUP) and value)
    return {name: OF_RECORD[written[GROUP + name]] for name in names[: limits.UNIQUE_MAX]}


def clashes(indexes: Mapping[str, Definition], shown: Iterable[tuple[str, bytes, Value]]) -> list[Clashing]:
    """
    Return where several items claim the same, by index and then by the items.

    Args:
        indexes: The indexes that count.
        shown: Kind, id and cells of every visible item.
    """
    groups: defaultdict[tuple[str, Any], list[bytes]] = defaultdict(list)
    items = sorted(((kind, name, value) for kind, name, value in shown), key=lambda each: each[:2])
    for index, definition in indexes.items():
        for kind, name, value in items:
            claimed = definition.claim(value) if kind == definition.on else None
            if claimed is not None:
                groups[index, claimed].append(name)
    found = [Clashing(index, indexes[index].on, tuple(group)) for (index, _), group in groups.items() if len(group) > 1]
    return sorted(found)


def withheld(indexes: Mapping[str, Definition], found: Iterable[Clashing]) -> set[tuple[str, bytes, str]]:
    """Return kind, id and cell of every value that is not shown because of clashes."""
    return {(each.on, item, indexes[each.name].withheld) for each in found for item in each.items[1:]}
