"""
Which index that a person made serves a query, and what the query's statement must say for it.

SQLite does not know how many rows a condition leaves, and sees that a partial index fits only where its very condition
stands in the statement. So the statement names the index, and repeats the condition, which the query implies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from edda_sync.store.sqlite import indexing, paths
from edda_sync.words import clauses, places
from edda_sync.words.clauses import Term
from edda_sync.words.indexes import IndexConfig, IndexType
from edda_sync.words.paths import Path, type_of
from edda_sync.words.query import Plan

BROAD: Final = frozenset({"status", "priority", "doc_type", "content_type"})
"""Columns whose conditions many rows meet."""
_SERVED: Final = ("text", "number")  # types of values that an index on a path has an order for
_RANGES: Final = frozenset({"<", "<=", ">", ">="})


class Served(NamedTuple):
    """
    How an index serves a query.

    Attributes:
        name: The index that the statement names; empty if it is a table of its own.
        conditions, parameters: What the statement must say besides.
    """

    name: str
    conditions: list[str]
    parameters: list[Any]


def served(plan: Plan, configs: Sequence[IndexConfig]) -> Served | None:
    """Return how the best of some indexes serves a query; None if none does."""
    best, found = 0, None
    for config in configs:
        if config.on != plan.kind or plan.words or not all(_is_implied(plan, each) for each in config.terms):
            continue
        worth, serves = _SERVES[config.index_type](plan, config)
        if serves is not None and worth > best:
            best, found = worth, serves._replace(conditions=[*serves.conditions, *indexing.clause(config)])
    return found


_Worth = tuple[int, Served | None]
_NONE: Final[_Worth] = (0, None)


def _spatial(plan: Plan, config: IndexConfig) -> _Worth:
    if plan.near is None or plan.near.path != config.paths[0]:
        return _NONE
    found = places.boxes(plan.near)
    # An R*Tree holds its numbers in 32 bits, rounded outwards, so that it may find too much, and never too little.
    box = "(north >= ? AND south <= ? AND east >= ? AND west <= ?)"
    inside = f'rowid IN (SELECT id FROM "{indexing.name_of(config)}" WHERE {" OR ".join([box] * len(found))})'
    return 1_000, Served("", [f"{plan.kind}s.{inside}"], [edge for each in found for edge in each])


def _texts(plan: Plan, config: IndexConfig) -> _Worth:
    for each in plan.where:
        if each.operator == "contains" and each.path in config.paths:
            name, field = indexing.name_of(config), f"c{config.paths.index(each.path)}"
            inside = f'rowid IN (SELECT rowid FROM "{name}" WHERE "{name}" MATCH ?)'
            return 900, Served("", [f"{plan.kind}s.{inside}"], [f"{field} : ({paths.match(str(each.value))})"])
    return _NONE


def _hash(plan: Plan, config: IndexConfig) -> _Worth:
    path = config.paths[0]
    for each in plan.where:
        if each.path == path and each.operator == "=" and isinstance(each.value, str) and "\0" not in each.value:
            text = f"({indexing.text_of(path, f'{plan.kind}s.' if len(path) == 1 else '')})"
            first, last = indexing.ends(text)
            conditions = [f"length({text}) = ?", f"{first} = ?", f"{last} = ?"]
            ends = each.value[: indexing.ENDS], each.value[-indexing.ENDS :]
            return 800, Served(indexing.name_of(config), conditions, [len(each.value), *ends])
    return _NONE


def _btree(plan: Plan, config: IndexConfig) -> _Worth:
    """Count the columns at the beginning of an index that a query gives one value, and perhaps the range of the next."""
    worth, narrow = 0, False
    for path in config.paths:
        how = _asked(plan, path)
        if not how:
            break
        worth += how
        narrow = narrow or path[0] not in BROAD
        if how < _EQUAL:
            break
    partial = bool(config.terms) and worth > 0
    return (worth + partial, Served(indexing.name_of(config), [], [])) if narrow or partial else _NONE


_EQUAL: Final = 10
_RANGE: Final = 4


def _asked(plan: Plan, path: Path) -> int:
    operators = {each.operator for each in plan.where if each.path == path and type_of(each.value) in _SERVED}
    if len(path) == 1:
        if any(column == path[0] for column, _ in plan.equal):
            return _EQUAL
        if any(column == path[0] for column, _, _ in plan.ranges):
            return _RANGE
    return _EQUAL if "=" in operators else _RANGE if operators & _RANGES else 0


_SERVES: Final = {
    IndexType.SPATIAL: _spatial,
    IndexType.FULL_TEXT: _texts,
    IndexType.HASH: _hash,
    IndexType.BTREE: _btree,
}


def _is_implied(plan: Plan, term: Term) -> bool:
    """Tell whether every row that meets a plan's conditions meets a term."""
    column = term.path[0] if len(term.path) == 1 else ""
    for name, accepted in plan.equal:
        if name == column and all(clauses.holds(term, _row(term.path, value)) for value in accepted):
            return True
    for name, start, end in plan.ranges:
        if name == column and (
            term.operator == "exists"
            or (term.operator == ">=" and start is not None and start >= str(term.values[0]))
            or (term.operator == "<" and end is not None and end <= str(term.values[0]))
        ):
            return True
    for each in plan.where:
        if each.path != term.path:
            continue
        if each.operator == "=" and clauses.holds(term, _row(term.path, each.value)):
            return True
        if term.operator == "exists" and each.operator not in ("!=", "missing"):
            return True
        if each.operator == term.operator and term.values in ((), (each.value,)) and _is_same(term, each.value):
            return True
    return False


def _is_same(term: Term, value: Any) -> bool:
    return not term.values or type_of(term.values[0]) == type_of(value)


def _row(path: Path, value: Any) -> dict[str, Any]:
    """Return a row with one value at a path, and nothing else."""
    held = value
    for key in reversed(path[1:]):
        held = {key: held}
    return {path[0]: held}
