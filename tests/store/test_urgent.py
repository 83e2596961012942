from __future__ import annotations

from pathlib import Path

import pytest

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
def test_what_is_to_be_done_next_is_read_off_an_index_in_order(tmp_path: Path, query: TaskQuery) -> None:
    store = SqliteStore(tmp_path / "edda.db")
    connection = store.connect()
    statement, parameters = queries.select(plan(query))
    (step,) = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    assert "idx_tasks_urgent" in step[3]
    connection.close()
    store.close()
