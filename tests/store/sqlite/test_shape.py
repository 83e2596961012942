"""Tables, indexes and triggers that another program changed: named, and put right without losing what was written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.testing import pair, sync
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from edda_sync.words.errors import CorruptError, StorageError
from edda_sync.words.query import MOST_URGENT

SPECIFIED = ("tasks", "documents", "tags", "entity_tags", "task_documents")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with edda.open(tmp_path / "home") as store:
        first = store.create_task(edda.Task(title="first", tags={"a"}, description="one two"))
        second = store.create_task(edda.Task(title="second", parent_id=first))
        document = store.create_document(edda.Document(title="D", content="x"))
        with store.begin_transaction() as tx:
            tx.link(second, document)
        store.edit_text(first, "description", [(3, 0, "!")])
        store.delete_task(store.create_task(edda.Task(title="gone")))
    return tmp_path / "home"


def change(home: Path, *statements: str) -> None:
    """Do what another program does to a closed store."""
    with closing(sqlite3.connect(home / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        for statement in statements:
            connection.execute(statement)


def content(store: edda.StorageEngine) -> list[object]:
    store.store.transact(store.writing.catch_up)  # or the query, which waits for nobody, may come before it
    found = store.query_tasks(edda.TaskQuery(text="one"))
    return [
        *(store.table(name) for name in SPECIFIED),
        store.digest(),
        store.frontier(),
        [task.title for task in found],
    ]


DERIVED: list[tuple[tuple[str, ...], list[str]]] = [
    (("ALTER TABLE tasks ADD COLUMN color TEXT",), ["table tasks was changed"]),
    (("ALTER TABLE documents DROP COLUMN metadata",), ["table documents was changed"]),
    (("ALTER TABLE tags RENAME COLUMN color TO colour",), ["table tags was changed"]),
    (("ALTER TABLE _entities ADD COLUMN mine",), ["table _entities was changed"]),
    (("ALTER TABLE tasks RENAME TO mine",), ["index idx_tasks_created_at was changed", "table tasks is missing"]),
    (("DROP TABLE entity_tags",), ["index idx_entity_tags_entity is missing", "table entity_tags is missing"]),
    (("DROP TABLE tags", "CREATE VIEW tags AS SELECT 1"), ["table tags was changed"]),
    (("DROP INDEX idx_tasks_urgent",), ["index idx_tasks_urgent is missing"]),
    (
        ("DROP INDEX idx_tasks_urgent", "CREATE INDEX idx_tasks_urgent ON tasks(title)"),
        ["index idx_tasks_urgent was changed"],
    ),
    (("CREATE UNIQUE INDEX mine ON tasks(title)",), ["index mine was added"]),
    (
        ("CREATE TRIGGER mine BEFORE INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'mine'); END",),
        ["trigger mine was added"],
    ),
    (("CREATE TRIGGER mine AFTER DELETE ON _log BEGIN DELETE FROM _heads; END",), ["trigger mine was added"]),
    (("DROP TABLE _task_search",), ["table _task_search is missing"]),
]
LOGGED: list[tuple[tuple[str, ...], list[str]]] = [
    (("ALTER TABLE _log ADD COLUMN mine",), ["table _log was changed"]),
    (("ALTER TABLE _heads ADD COLUMN mine DEFAULT 3",), ["table _heads was changed"]),
    (("DROP INDEX idx_log_dot",), ["index idx_log_dot is missing"]),
    (("ALTER TABLE _meta ADD COLUMN mine",), ["table _meta was changed"]),
    (("ALTER TABLE _mentions ADD COLUMN mine",), ["table _mentions was changed"]),
]


@pytest.mark.parametrize(("statements", "named"), DERIVED + LOGGED)
def test_changes_of_other_programs_to_the_schema_are_named_and_put_right(
    home: Path, statements: tuple[str, ...], named: list[str]
) -> None:
    with edda.open(home) as store:
        before = content(store)
    change(home, *statements)
    with edda.open(home) as store:
        (found,) = [each for each in doctor.check(store) if each.check == "schema"]
        assert not found.sound
        assert set(named) <= set(doctor.rebuild(store).mended)
        assert all(each.sound for each in doctor.check(store))
        assert content(store) == before
        store.create_task(edda.Task(title="third", tags={"a", "b"}))
        assert sorted(task.title for task in store.query_tasks(MOST_URGENT)) == ["first", "second", "third"]
        assert dict(doctor.rebuild(store).different) == {}


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE tasks ADD COLUMN color TEXT", "ALTER TABLE task_documents ADD COLUMN mine",
     "ALTER TABLE entity_tags ADD COLUMN mine", "ALTER TABLE tags ADD COLUMN mine"],
)  # fmt: skip
def test_a_column_added_to_a_table_of_the_specification_stops_nothing(home: Path, statement: str) -> None:
    change(home, statement)
    with edda.open(home) as store:
        first = store.create_task(edda.Task(title="third", tags={"a", "new"}))
        with store.begin_transaction() as tx:
            tx.link(first, tx.create_document(edda.Document(title="E")))
        store.update_task(edda.Task(id=first, title="fourth"))
        assert [len(row) for row in store.table("tasks")] == [12] * 3
        assert (store.get_task(first) or edda.Task()).title == "fourth"


@pytest.mark.parametrize("statement", ["DROP TABLE _log_parts", "ALTER TABLE _signatures DROP COLUMN signature"])
def test_a_dismantled_log_is_left_as_it_is(home: Path, statement: str) -> None:
    change(home, statement)
    with edda.open(home) as store:
        before = store.table("tasks")
        assert "schema" in {each.check for each in doctor.check(store) if not each.sound}
        with pytest.raises(CorruptError, match=r"log_parts|signatures"):
            store.rebuild()
        assert store.table("tasks") == before


def test_tables_and_views_of_others_do_no_harm(home: Path) -> None:
    change(home, "CREATE TABLE mine (a)", "INSERT INTO mine VALUES (1)", "CREATE VIEW shown AS SELECT title FROM tasks")
    with edda.open(home) as store:
        assert all(each.sound for each in doctor.check(store))
        doctor.rebuild(store)
        with closing(store.sql()) as tables:
            assert tables.execute("SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM shown)").fetchall() == [
                (1, 2)
            ]


def test_a_vacuum_and_an_analysis_change_no_shape(home: Path) -> None:
    change(home, "VACUUM", "ANALYZE")
    with edda.open(home) as store:
        assert all(each.sound for each in doctor.check(store))


REFERRING = [
    "CREATE TABLE mine (a REFERENCES tasks(id))",
    "CREATE TABLE mine (a REFERENCES Tasks)",
    "CREATE TABLE mine (a, FOREIGN KEY (a) REFERENCES tasks(id) ON DELETE CASCADE)",
    "CREATE TABLE mine (a REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE mine (a REFERENCES tasks(title))",  # which SQLite calls a mismatch whenever a task is written
]


@pytest.mark.parametrize("statement", REFERRING)
def test_another_programs_table_that_refers_to_ours_is_named_and_stops_nothing(home: Path, statement: str) -> None:
    change(home, statement, "INSERT INTO mine SELECT id FROM tasks")
    other = edda.StorageEngine(home.parent / "other")
    other.open_store(StorageConfig(name="other"))
    with edda.open(home) as store, other:
        found = [each for each in doctor.check(store) if each.check == "schema"]
        assert [(each.sound, "table mine of another program refers to tasks" in each.detail) for each in found] == [
            (True, True)
        ]
        pair(store, other)
        sync(store, other)
        first, second = (row[0] for row in store.table("tasks"))
        store.delete_task(second)
        other.delete_task(first)
        sync(store, other)
        assert store.table("tasks") == other.table("tasks") == []
        assert all(each.sound for each in doctor.check(store)), "rows of others that point at nothing are theirs"
        store.restore_task(first)
        assert dict(doctor.rebuild(store).different) == {}
        assert all(each.sound for each in doctor.check(store))
        with closing(store.sql()) as tables:
            assert tables.execute("SELECT count(*) FROM mine").fetchone() == (2,), "their rows stay theirs"


def test_a_changed_table_is_mended_even_if_another_programs_table_refers_to_it(home: Path) -> None:
    change(home, REFERRING[0], "INSERT INTO mine SELECT id FROM tasks", "ALTER TABLE tasks ADD COLUMN color TEXT")
    with edda.open(home) as store:
        assert list(doctor.rebuild(store).mended) == ["table tasks was changed"]
        assert all(each.sound for each in doctor.check(store))


def test_a_reference_that_is_made_while_the_store_is_open_stops_one_write_at_most(home: Path) -> None:
    with edda.open(home) as store:
        first, second = (row[0] for row in store.table("tasks"))
        store.update_task(edda.Task(id=first, title="written"))
        elsewhere = get_context("spawn").Process(
            target=change, args=(home, REFERRING[0], "INSERT INTO mine SELECT id FROM tasks")
        )
        elsewhere.start()  # two copies of SQLite in one process would undo each other's locks
        elsewhere.join()
        with pytest.raises(StorageError, match="FOREIGN KEY"):
            store.delete_task(second)
        store.delete_task(second)
        assert len(store.table("tasks")) == 1
