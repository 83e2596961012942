from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.store.sqlite import queries
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.query import MOST_URGENT, TaskQuery, plan


@pytest.mark.parametrize(
    "query",
    [
        MOST_URGENT,
        TaskQuery(status=("in_progress", "open"), limit=5, offset=10),
        TaskQuery(status=("open", "in_progress"), priority=(0, 1)),
        TaskQuery(status=("open", "in_progress"), due_before="2026-03-01"),
    ],
)
def test_the_most_urgent_tasks_are_read_from_an_index_in_order(tmp_path: Path, query: TaskQuery) -> None:
    store = SqliteStore(tmp_path / "edda.db")
    connection = store.connect()
    statement, parameters = queries.select(plan(query))
    first, *others = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    assert "idx_tasks_urgent" in first[3]
    assert [step[3] for step in others] == [
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH _task_sums USING INTEGER PRIMARY KEY (rowid=?)",
    ]
    connection.close()
    store.close()


def test_a_list_is_read_even_if_somebody_dropped_the_indexes(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as engine:
        assert isinstance(engine.store, SqliteStore)
        ids = [engine.create_task(edda.Task(title=f"{number}", tags={"home"})) for number in range(3)]
        queries_of = [TaskQuery(order=order, limit=2) for order in ("urgent", "updated_at", "created_at", "due_date")]
        queries_of += [replace(query, status=("open", "in_progress"), tags=["home"]) for query in queries_of]
        queries_of.append(MOST_URGENT)
        before = [engine.query_tasks(query) for query in queries_of]
        connection = engine.store.connect()
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for (name,) in names:
            if name.startswith(("idx_tasks", "idx_entity_tags", "idx_entities")):
                connection.execute(f"DROP INDEX {name}")
        connection.close()
        assert [engine.query_tasks(query) for query in queries_of] == before
        assert engine.resolve("task", ids[0][-8:]) == ids[0]
