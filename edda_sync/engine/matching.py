"""The rows that meet a query, including rows that the full-text index does not have yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edda_sync.store.seams.edges import among
from edda_sync.words.fitting import matches, occurrences, sorting
from edda_sync.words.limits import QUERY_LIMIT_MAX
from edda_sync.words.model import COLUMNS
from edda_sync.words.order import in_order
from edda_sync.words.query import Plan, Row, whole

if TYPE_CHECKING:
    from edda_sync.store.seams import StoreReader


def matching(reader: StoreReader, plan: Plan) -> list[Row]:
    """Return the rows of a query. Rows that wait for the full-text index are searched for the words one by one."""
    return with_rows(reader, plan, _waiting(reader, plan))


def count(reader: StoreReader, plan: Plan) -> int:
    """Return how many rows meet a query's conditions."""
    return count_with(reader, plan, _waiting(reader, plan))


def _waiting(reader: StoreReader, plan: Plan) -> dict[str, Row]:
    """Return the rows that a query's words are not yet looked up in, by id."""
    waiting = reader.tables.unindexed_of(plan.kind) if plan.words or plan.no_words else ()
    shown = ((each, reader.tables.row(plan.kind, each)) for each in waiting)
    return {each: row for each, row in shown if row is not None}


def with_rows(reader: StoreReader, plan: Plan, others: Mapping[str, Row]) -> list[Row]:
    """
    Return the rows of a query, with some rows replaced.

    Args:
        reader: A reader of the store.
        plan: The query.
        others: The replacing rows, by id.
    """
    if not others:
        return _stored(reader, plan)
    # These rows may move others out of the page, or leave it. So read enough rows, and cut the page afterwards.
    wide = plan._replace(limit=plan.limit + plan.offset + len(others), offset=0)
    found = [row for row in _stored(reader, wide) if row[0] not in others]
    names = COLUMNS[plan.kind]
    allowed = among(reader.edges, plan)
    tags = reader.edges.tags_of(plan.kind, list(others))
    matching = []
    for entity, row in others.items():
        columns = dict(zip(names, row, strict=True))
        if matches(plan, columns, {tag for tag, _ in tags[entity]}, allowed is None or entity in allowed):
            matching.append((occurrences(plan, columns) if plan.words else 0, row))
    matching.sort(key=lambda each: -each[0])
    column = sorting(plan, lambda row, name: row[names.index(name)])
    ordered = in_order(plan.order, found + [row for _, row in matching], column, plan.ahead)
    return ordered[plan.offset : plan.offset + plan.limit]


def _stored(reader: StoreReader, plan: Plan) -> list[Row]:
    """Return the rows of a query as they are in the tables, what is in the future last if the query asks for that."""
    if plan.ahead is None:
        return reader.tables.rows(plan)
    from edda_sync.words.ahead import future, in_turn  # only where the latest come first

    if not reader.tables.rows(future(plan)):
        return reader.tables.rows(plan._replace(ahead=None))
    wanted, found = min(plan.limit + plan.offset, QUERY_LIMIT_MAX), list[Row]()
    for part in in_turn(plan):
        if len(found) < wanted:
            found += reader.tables.rows(part._replace(limit=wanted - len(found), offset=0))
    return found[plan.offset :]


def count_with(reader: StoreReader, plan: Plan, others: Mapping[str, Row]) -> int:
    """Return how many rows meet a query's conditions, with some rows replaced; see :func:`with_rows`."""
    return len(with_rows(reader, whole(plan), others)) if others else reader.tables.count(plan)
