"""Which index serves a query; that it is used, and finds what a scan finds, is in ``tests/engine/test_indexes.py``."""

from __future__ import annotations

from typing import Any

import pytest

from edda_sync.store.sqlite.serving import served
from edda_sync.words.indexes import IndexConfig, IndexType, checked
from edda_sync.words.query import DocumentQuery, Query, TaskQuery, plan

Q = TaskQuery


def index(*columns: str, **fields: Any) -> IndexConfig:
    return checked(IndexConfig(name="a", columns=columns, **fields))


def serves(config: IndexConfig, query: Query) -> bool:
    return served(plan(query), [config]) is not None


@pytest.mark.parametrize(
    ("clause", "query", "fits"),
    [
        ("status = 'open'", Q(status="open"), True),
        ("status = 'open'", Q(status=("open", "done")), False),
        ("status = 'open'", Q(), False),
        ("status IN ('open', 'in_progress')", Q(status=("open", "in_progress")), True),
        ("status != 'done'", Q(status="open"), True),
        ("priority <= 2", Q(priority_to=1), True),
        ("priority <= 2", Q(priority_to=3), False),
        ("parent_id MISSING", Q(parent=""), True),
        ("due_date EXISTS", Q(due_from="2026-01-01"), True),
        ("due_date >= '2026-01-01'", Q(due_from="2026-02-01"), True),
        ("due_date >= '2026-01-01'", Q(due_from="2025-02-01"), False),
        ("due_date < '2026-01-01'", Q(due_before="2026-01-01"), True),
        ("metadata.b = 3", Q(where={"metadata.b": 3}), True),
        ("metadata.b = 3", Q(where={"metadata.b": "3"}), False),
        ("metadata.b >= 3", Q(where={"metadata.b": 4}), True),
        ("metadata.b >= 3", Q(where=[("metadata.b", ">=", 3)]), True),
        ("metadata.b >= 3", Q(where=[("metadata.b", ">=", 2)]), False),
        ("metadata.b = 1", Q(where={"metadata.b": True}), False),
        ("metadata.b EXISTS", Q(where=[("metadata.b", "contains", "x")]), True),
        ("metadata.b EXISTS", Q(where=[("metadata.b", "!=", 2)]), False),
        ("metadata.b EXISTS", Q(where={"metadata.b": None}), True),
        ("metadata.b MISSING", Q(where=[("metadata.b", "missing")]), True),
        ("title != 'x'", Q(where={"title": "y"}), True),
    ],
)
def test_a_partial_index_serves_only_what_implies_its_clause(clause: str, query: TaskQuery, fits: bool) -> None:
    where = [*(query.where.items() if isinstance(query.where, dict) else query.where)]
    conditions = [
        each if len(each) == 3 or each[1] in ("missing", "exists") else (each[0], "=", each[1]) for each in where
    ]
    asked = TaskQuery(
        **{name: getattr(query, name) for name in query.__dataclass_fields__ if name != "where"},
        where=[*conditions, ("metadata.a", "=", 1)],
    )
    assert serves(index("metadata.a", where_clause=clause), asked) is fits


def test_a_column_that_is_not_asked_for_ends_what_an_index_serves() -> None:
    assert serves(index("metadata.a", "metadata.b"), Q(where={"metadata.a": 1}))
    assert not serves(index("metadata.a", "metadata.b"), Q(where={"metadata.b": 1}))
    assert not serves(index("metadata.a"), Q(where=[("metadata.a", "!=", 1)]))
    assert not serves(index("metadata.a"), Q(where={"metadata.a": True})), "SQLite has no order for it"
    assert not serves(index("metadata.a", on="document"), Q(where={"metadata.a": 1}))
    assert serves(index("metadata.a", on="document"), DocumentQuery(where={"metadata.a": 1}))
    assert not serves(index("status"), Q(status="done")), "nearly all rows may have it"
    assert serves(index("status", "metadata.a"), Q(status="done", where={"metadata.a": 1}))


def test_the_index_that_is_most_to_the_point_is_chosen() -> None:
    wide, narrow = index("metadata.a"), index("metadata.a", "metadata.b")
    partial = index("metadata.a", where_clause="status = 'open'")
    query = plan(Q(status="open", where={"metadata.a": 1, "metadata.b": 2}))
    for configs in ([wide, narrow, partial], [partial, narrow, wide]):
        found = served(query, configs)
        assert found is not None
        assert found.name == "idx_user_a"
        assert found.conditions == []
    found = served(query, [wide, partial])
    assert found is not None
    assert len(found.conditions) == 1


def test_a_hash_index_serves_texts_that_sqlite_measures_as_python_does() -> None:
    config = index("metadata.a", index_type=IndexType.HASH)
    assert serves(config, Q(where={"metadata.a": "🙂" * 40}))
    assert not serves(config, Q(where={"metadata.a": "with\0NUL"}))
    assert not serves(config, Q(where={"metadata.a": 3}))
    assert not serves(config, Q(where=[("metadata.a", ">=", "x")]))
