"""The schema: the specification's tables and ours, made once, in one transaction, with distinct names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import migrations, schema

TASK = (
    "INSERT INTO tasks (id, title, status, priority, created_at, updated_at, metadata, agent_context)"
    " VALUES ('i', 't', 'open', 2, 'now', 'now', '{}', '{}')"
)
SPECIFIED = {"tasks", "documents", "task_documents", "tags", "entity_tags"}


@pytest.fixture
def connection() -> Iterator[Any]:
    made = sqlite.connect(":memory:", isolation_level=None)
    made.execute("BEGIN")
    migrations.migrate(made)
    made.execute("COMMIT")
    yield made
    made.close()


def tables(connection: Any) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_other_programs_see_the_five_tables_of_the_specification_by_themselves(connection: Any) -> None:
    assert {name for name in tables(connection) if not name.startswith(("_", "sqlite_"))} == SPECIFIED


def test_a_store_that_is_up_to_date_is_left_as_it_is(connection: Any) -> None:
    connection.execute(TASK)
    before = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    connection.execute("BEGIN")
    migrations.migrate(connection)
    connection.execute("COMMIT")
    assert connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall() == before
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
    assert connection.execute("SELECT count(*) FROM tasks").fetchone()[0] == 1


def test_a_schema_that_was_not_committed_leaves_nothing() -> None:
    connection = sqlite.connect(":memory:", isolation_level=None)
    connection.execute("BEGIN")
    migrations.migrate(connection)
    connection.execute("ROLLBACK")
    assert tables(connection) == set()
    connection.close()


def test_the_tables_of_the_view_are_all_there_and_none_of_them_is_of_the_log(connection: Any) -> None:
    assert set(schema.VIEW_TABLES) <= tables(connection)
    assert set(schema.VIEW_TABLES) >= SPECIFIED
    assert not {"_log", "_log_parts", "_heads", "_meta", "_evidence"} & set(schema.VIEW_TABLES)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tasks SET title = NULL",
        "UPDATE tasks SET parent_id = 'nobody'",
        "INSERT INTO task_documents (task_id, document_id, created_at) VALUES ('i', 'nowhere', 'now')",
    ],
)
def test_rows_that_the_specification_forbids_are_refused(connection: Any, statement: str) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(TASK)
    with pytest.raises(sqlite.IntegrityError):
        connection.execute(statement)
