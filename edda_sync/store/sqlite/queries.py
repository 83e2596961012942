"""Queries as SQL: the SQLite store's form of :func:`edda_sync.words.query.plan`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from edda_sync.store.sqlite.sums import SHOWN
from edda_sync.words.model import COLUMNS
from edda_sync.words.order import TITLE_KEY
from edda_sync.words.query import Plan

if TYPE_CHECKING:
    from edda_sync.store.sqlite.serving import Served
    from edda_sync.words.places import Near

_ACTIVE: Final = frozenset({"open", "in_progress"})
_ACTIVE_SQL: Final = "status IN ('open', 'in_progress')"  # written out, so that SQLite sees that the partial index fits
_URGENT: Final = tuple((column, False) for column in ("priority", "due_date", "created_at", "id"))
NEAR: Final = 1_000  # rows at the beginning of an order that are tried before all rows that meet the conditions
_CLOSER_M: Final = (300.0, 3e3, 3e4, 3e5, 3e6)  # distances that are tried before the one that is asked for
_NEAR_LIMIT: Final = 200  # pages that end after more rows are not looked for there
# a pattern, rarely needed
_USED: Final = r"USING (?:AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?INDEX (\S+)|SCAN (\S+) VIRTUAL TABLE"
_SETTLED_SQL: Final = "status NOT IN ('open', 'in_progress')"
# Whether a row carries a tag: from the list of all that carry it, or row by row. The list costs too much for a few rows.
_IS_ONE: Final = "id IN (SELECT entity_id FROM entity_tags WHERE +entity_type = '{kind}' AND tag_id = ?)"
_CARRIES: Final = (
    "EXISTS (SELECT 1 FROM entity_tags WHERE entity_type = '{kind}' AND entity_id = {kind}s.id AND tag_id = ?)"
)
_NOT_ONE: Final = "NOT " + _CARRIES
_LINKED_FROM: Final = "id IN (SELECT document_id FROM task_documents WHERE task_id = ?)"
_LINKED_TO: Final = "id IN (SELECT task_id FROM task_documents WHERE document_id = ?)"
UNDER: Final = (
    "WITH RECURSIVE below(id) AS (SELECT id FROM tasks WHERE parent_id = ?"
    " UNION SELECT tasks.id FROM tasks JOIN below ON tasks.parent_id = below.id) SELECT id FROM below"
)
_SEARCH: Final = "_{}_search"
_FEW: Final = 200  # rows with a tag that are read and sorted sooner than the rows at the beginning of an order
_IF_MANY: Final = (
    f"(SELECT {NEAR} * (count(*) = {_FEW}) FROM (SELECT 1 FROM entity_tags WHERE tag_id = ? LIMIT {_FEW}))"
)
TITLE_WEIGHT: Final = 8.0  # of a word in a title; of one in the body, 1
_BROAD: Final = frozenset({"status", "priority", "doc_type", "content_type"})  # columns whose conditions many rows meet


def select(plan: Plan, *, hint: bool = True, served: Served | None = None) -> tuple[str, list[Any]]:
    """
    Return a statement and its parameters. Its columns are those of the kind's table, in the specification's order, and the
    sum of the row (``sums``).

    Args:
        plan: The query.
        hint: Whether the statement may name the index to use. It then fails if somebody dropped that index.
        served: How an index that a person made serves it; None if none does.
    """
    table = plan.kind + "s"
    conditions, parameters = _conditions(plan, listed=served is not None and not served.name)
    index = "idx_tasks_urgent" if hint and is_most_urgent(plan) else ""
    if served is not None:
        index = served.name
        conditions, parameters = [*served.conditions, *conditions], [*served.parameters, *parameters]
    source = f'{table} INDEXED BY "{index}"' if index else table
    if plan.words:
        search = _SEARCH.format(plan.kind)
        source = f"{search} JOIN {table} ON {table}.rowid = {search}.rowid"
        from edda_sync.store.sqlite import paths  # rarely needed

        conditions.append(f"{search} MATCH ?")
        parameters.append(paths.matching(plan.words))
    return _statement(plan, source, conditions), [*parameters, plan.limit, plan.offset]


def count(plan: Plan, served: Served | None = None) -> tuple[str, list[Any]]:
    """Return a statement for the number of rows that meet a plan's conditions, with its parameters; see :func:`select`."""
    every = plan._replace(order=(("id", False),), limit=-1, offset=0, after=None)
    statement, parameters = select(every, hint=False, served=served)
    return f"SELECT count(*) FROM ({statement})", parameters


def select_near(plan: Plan) -> tuple[str, list[Any]] | None:
    """
    Return a statement that looks for a page among the first rows of the plan's order; None if no index has that order.

    Its rows are the answer if they fill the page. To read and sort all rows that meet the conditions would take longer as
    the store grows, and the first of them are usually near the beginning of the order. Of a tag that few rows carry, none
    may be there, so nothing is looked for.
    """
    equal = {column for column, _ in plan.equal}
    asks = plan.words or plan.where or plan.near or plan.after is not None
    narrow = bool(equal - _BROAD) or _is_listed(plan) or asks
    if narrow or plan.limit + plan.offset > _NEAR_LIMIT or is_most_urgent(plan):
        return None
    others = [column for column, *_ in plan.ranges if column != plan.order[0][0]]
    conditional = bool(equal or others or plan.without or _has_tags(plan) or plan.no_words)
    found = _first_of_order(plan, NEAR if conditional else plan.limit + plan.offset)
    if found is None:
        return None
    first, ahead = found
    if plan.tag_ids:
        first = f"SELECT * FROM ({first}) LIMIT {_IF_MANY}"
        ahead = [*ahead, plan.tag_ids[0]]
    conditions, parameters = _conditions(plan, _CARRIES)
    conditions.insert(0, f"{plan.kind}s.rowid IN ({first})")
    return _statement(plan, plan.kind + "s", conditions), [*ahead, *parameters, plan.limit, plan.offset]


def nearer(plan: Plan) -> list[Plan]:
    """
    Return a plan that asks for what is near, and before it the same with less distance.

    If one of these fills the page in the order of distance, nothing further away belongs on it. So to find the nearest ten
    of a million, few have to be measured.
    """
    near = plan.near
    if near is None or plan.order[0] != ("distance", False):
        return [plan]
    steps = [plan._replace(near=near._replace(within=each)) for each in _CLOSER_M if each < near.within / 2]
    return [*steps, plan] if plan.limit + plan.offset <= NEAR else [plan]


def indexes(steps: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the indexes that the steps of SQLite's plan use, each once."""
    used = [match[1] or match[2] for step in steps if (match := re.search(_USED, step)) is not None]
    return tuple(dict.fromkeys(used))


def _first_of_order(plan: Plan, count: int) -> tuple[str, list[Any]] | None:
    """
    Return a statement for the first rows of a plan's order, and its parameters; None if no index has that order.

    Of the plan's conditions, it has those on the column of the order.
    """
    table, (column, descending) = plan.kind + "s", plan.order[0]
    direction = " DESC" if descending else ""
    if column in ("updated_at", "created_at", "due_date"):
        within = list(_in_ranges(each for each in plan.ranges if each[0] == column))
        conditions, parameters = [condition for condition, _ in within], [end for _, (end,) in within]
        if column == "due_date":  # rows with a date come first, in both directions
            conditions.append("due_date IS NOT NULL")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = f"{column}{direction}, id{direction}"
        first = f"SELECT rowid FROM {table} INDEXED BY idx_{table}_{column}{where} ORDER BY {order} LIMIT {count}"
        return first, parameters
    if plan.order != _URGENT:
        return None
    keys = "priority, due_date IS NULL, due_date, created_at, id"

    def part(index: str, condition: str, columns: str) -> str:
        return f"SELECT {columns} FROM tasks INDEXED BY {index} WHERE {condition} ORDER BY {keys} LIMIT {count}"

    statuses = set(dict(plan.equal).get("status", ()))
    if statuses and statuses <= _ACTIVE:
        return part("idx_tasks_urgent", _ACTIVE_SQL, "rowid"), []
    if statuses and not statuses & _ACTIVE:
        return part("idx_tasks_settled", _SETTLED_SQL, "rowid"), []
    named = "rowid AS place, priority, due_date, created_at, id"
    active, settled = part("idx_tasks_urgent", _ACTIVE_SQL, named), part("idx_tasks_settled", _SETTLED_SQL, named)
    both = f"SELECT * FROM ({active}) UNION ALL SELECT * FROM ({settled})"
    return f"SELECT place FROM ({both}) ORDER BY {keys} LIMIT {count}", []


def _statement(plan: Plan, source: str, conditions: list[str]) -> str:
    table = plan.kind + "s"
    columns = ", ".join(f"{table}.{column}" for column in COLUMNS[plan.kind])
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {columns}, {SHOWN[plan.kind]} FROM {source}{where} ORDER BY {_order_of(plan)} LIMIT ? OFFSET ?"


_Condition = tuple[str, Sequence[Any]]
"""A condition in SQL, and its parameters."""


def _conditions(plan: Plan, carries: str = _IS_ONE, *, listed: bool = False) -> tuple[list[str], list[Any]]:
    """Return conditions and their parameters."""
    is_listed = listed or carries is _CARRIES or bool(plan.tag_ids) or _is_listed(plan)
    found = [
        *_of_columns(plan, "+{}" if is_listed else "{}"), *_of_tags(plan, carries), *_of_links(plan), *_of_contents(plan),
        *_of_place(plan),
    ]  # fmt: skip
    return [condition for condition, _ in found], [each for _, parameters in found for each in parameters]


def _of_columns(plan: Plan, column_of: str) -> Iterator[_Condition]:
    """
    Yield the conditions on columns.

    If the rows come from a list, a plus before a column keeps SQLite from using the index of the status instead. SQLite does
    not know that nearly all rows may have the same status.
    """
    for column, accepted in plan.equal:
        if accepted == (None,):
            yield f"{column} IS NULL", ()
        elif column == "status" and set(accepted) == _ACTIVE:
            yield column_of.format(_ACTIVE_SQL), ()
        else:
            yield f"{column_of.format(column)} IN ({', '.join('?' * len(accepted))})", accepted
    yield from _in_ranges(plan.ranges)
    for column, start, end in plan.without:
        yield f"({column} IS NULL OR {column} < ? OR {column} >= ?)", (start, end)


def _in_ranges(ranges: Iterable[tuple[str, str | None, str | None]]) -> Iterator[_Condition]:
    """Yield conditions that columns are in ranges; see ``words.query.Plan``."""
    for column, *ends in ranges:
        for sign, end in zip((">=", "<"), ends, strict=True):
            if end is not None:
                yield f"{column} {sign} ?", (end,)


def _of_tags(plan: Plan, carries: str) -> Iterator[_Condition]:
    one = carries.format(kind=plan.kind)
    for tag_id in plan.tag_ids:
        yield one, (tag_id,)
    if plan.any_tag_ids:
        yield f"({' OR '.join([one] * len(plan.any_tag_ids))})", plan.any_tag_ids
    for tag_id in plan.no_tag_ids:
        yield _NOT_ONE.format(kind=plan.kind), (tag_id,)


def _of_links(plan: Plan) -> Iterator[_Condition]:
    if plan.linked_from is not None:
        yield _LINKED_FROM, (plan.linked_from,)
    if plan.linked_to is not None:
        yield _LINKED_TO, (plan.linked_to,)
    if plan.under is not None:
        yield f"id IN ({UNDER})", (plan.under,)


def _of_contents(plan: Plan) -> Iterator[_Condition]:
    """Yield the conditions on metadata, and on words that are not to be in a text."""
    if not (plan.where or plan.no_words):
        return
    from edda_sync.store.sqlite import paths  # rarely needed

    for each in plan.where:
        yield paths.where(each, f"{plan.kind}s.")
    search = _SEARCH.format(plan.kind)
    for words in plan.no_words:
        condition = f"{plan.kind}s.rowid NOT IN (SELECT rowid FROM {search} WHERE {search} MATCH ?)"
        yield condition, (paths.matching(words),)


def _of_place(plan: Plan) -> Iterator[_Condition]:
    """Yield the conditions on a distance, and on the place in the order behind which the rows begin."""
    if plan.near is not None:
        from edda_sync.store.sqlite import indexing  # rarely needed

        yield indexing.is_place(plan.near.path), ()
        yield f"{_distance(plan.near)} <= ?", (plan.near.within,)
    if plan.after is not None:
        from edda_sync.store.sqlite import keyset  # rarely needed

        yield keyset.after(plan.order, plan.after, lambda column: _sorted_by(plan.kind + "s", column))


def _is_listed(plan: Plan) -> bool:
    """Tell whether the rows come from a list of the tasks or documents that hang together with another one."""
    return plan.linked_from is not None or plan.linked_to is not None or plan.under is not None


def _has_tags(plan: Plan) -> bool:
    return bool(plan.tag_ids or plan.any_tag_ids or plan.no_tag_ids)


def is_most_urgent(plan: Plan) -> bool:
    """
    Tell whether a plan asks for what to do next, with conditions on the priority or the time at most.

    By itself, SQLite would use the index of the status and sort all open tasks: 100 ms for 100,000 tasks, instead of 1 ms.
    """
    equal = dict(plan.equal)
    active = equal.keys() <= {"status", "priority"} and set(equal.get("status", ())) == _ACTIVE
    others = _has_tags(plan) or _is_listed(plan) or plan.words or plan.no_words or plan.where
    return plan.kind == "task" and plan.order == _URGENT and active and not others


def _order_of(plan: Plan) -> str:
    if plan.near is not None and plan.order[0][0] == "distance":
        return f"{_distance(plan.near)}{' DESC' if plan.order[0][1] else ''}, id"
    return ", ".join(_order(plan.kind + "s", column, descending) for column, descending in plan.order)


def _distance(near: Near) -> str:
    """Return the expression of a row's distance from a place."""
    from edda_sync.store.sqlite import indexing  # rarely needed
    from edda_sync.words import places

    return f"{places.FUNCTION}({', '.join(indexing.degrees(near.path))}, {near.lat!r}, {near.lon!r})"


def _order(table: str, column: str, descending: bool) -> str:
    if column == "relevance":
        rank = f"bm25({_SEARCH.format(table.removesuffix('s'))}, {TITLE_WEIGHT}, 1.0)"
        return f"{rank} DESC" if descending else rank
    direction = " DESC" if descending else ""
    nulls_last = "due_date IS NULL, " if column == "due_date" else ""
    return f"{nulls_last}{_sorted_by(table, column)}{direction}"


def _sorted_by(table: str, column: str) -> str:
    return f"{TITLE_KEY}({table}.title)" if column == "title" else f"{table}.{column}"
