"""Damage of a store's file: it is found, and named by its content."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.engine import doctor
from edda_sync.engine.engine import open as open_store
from edda_sync.words.errors import CorruptError, StorageError
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery

PAGE_BYTES = 4_096
MANY = 60


def root_of(database: Path, name: str) -> int:
    """The number of the first page of a table or index."""
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        return int(page)


def wipe(database: Path, name: str) -> None:
    """Write zeros over the first page of a table or index of a closed store."""
    page = root_of(database, name)
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_store(tmp_path / "home") as store, store.begin_transaction() as tx:
        for number in range(MANY):
            tx.create_task(Task(title=f"Task {number}", description="d" * 200, tags={"work"}))
    return tmp_path / "home"


def test_a_whole_file_has_no_damaged_parts(home: Path) -> None:
    with open_store(home) as store:
        assert store.reading.damaged_parts() == []
        assert store.store.checks.damaged_parts(thorough=True) == []  # type: ignore[attr-defined]  # it is SQLite's


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("tasks", "tasks"),
        ("entity_tags", "tags of items"),
        ("_log", "the log of changes"),
        ("_heads", "the log of changes"),
        ("_texts", "the tables behind tasks and documents"),
        ("_unindexed", "full-text search"),
    ],
)
def test_a_wiped_page_is_named_by_its_content(home: Path, table: str, part: str) -> None:
    wipe(home / "edda.db", table)
    with open_store(home) as store:
        assert store.reading.damaged_parts() == [part]


def test_indexes_with_other_rows_are_found_only_by_a_thorough_look(home: Path) -> None:
    database, swapped = home / "edda.db", ("idx_tasks_created_at", "idx_tasks_status_priority")
    pages = [root_of(database, name) for name in swapped]
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for name, page in zip(swapped, reversed(pages), strict=True):
            connection.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (page, name))
    with open_store(home) as store:
        assert store.reading.damaged_parts() == []
        assert store.store.checks.damaged_parts(thorough=True) == ["tasks"]  # type: ignore[attr-defined]


def test_a_file_that_is_too_large_is_not_searched(home: Path) -> None:
    wipe(home / "edda.db", "tasks")
    with open_store(home) as store:
        assert store.reading.damaged_parts(bytes_max=PAGE_BYTES) == []
        assert store.reading.damaged_parts(bytes_max=(home / "edda.db").stat().st_size) == ["tasks"]


def test_a_store_in_memory_has_no_file_that_could_be_damaged() -> None:
    from edda_sync.testing import devices

    with devices(1) as (laptop,):
        assert laptop.reading.damaged_parts() == []


def test_other_errors_are_not_called_damage(home: Path) -> None:
    with open_store(home) as store:
        (home / "edda.db").rename(home / "elsewhere")
        with pytest.raises(StorageError, match=r"missing|gone"):
            store.reading.damaged_parts(bytes_max=None)


@pytest.mark.parametrize(
    "table",
    ["tasks", "idx_tasks_urgent", "documents", "tags", "entity_tags", "_entities", "_texts", "_task_search_content"],
)
def test_derived_tables_are_made_anew_from_the_log(home: Path, table: str) -> None:
    with open_store(home) as store:
        before = store.digest(), store.table("tasks"), store.table("entity_tags")
    wipe(home / "edda.db", table)
    with open_store(home) as store, open_store(home) as other:
        found = doctor.check(store)
        assert [(each.check, each.sound) for each in found] == [("tables", False), ("log", True)]
        rebuilt = doctor.rebuild(store)
        assert rebuilt.mended[-1].startswith("damage in ")
        assert (store.digest(), store.table("tasks"), store.table("entity_tags")) == before
        assert all(each.sound for each in doctor.check(store)), "nothing is left of it"
        other.create_task(Task(title="From another process"))
        assert len(other.query_tasks(TaskQuery(text="task*"))) == MANY
        assert len(store.query_tasks(TaskQuery())) == MANY + 1


@pytest.mark.parametrize("damaged", [["_log"], ["tasks", "_heads"]])
def test_a_damaged_log_cannot_be_made_anew_and_nothing_is_removed(home: Path, damaged: list[str]) -> None:
    for table in damaged:
        wipe(home / "edda.db", table)
    before = (home / "edda.db").read_bytes()
    with open_store(home) as store:
        (found,) = doctor.check(store)
        assert (found.check, found.sound) == ("file", False)
        with pytest.raises(CorruptError):
            doctor.rebuild(store)
        with pytest.raises(CorruptError, match="the log of changes"):
            store.store.checks.forget_damaged()  # type: ignore[attr-defined]  # it is SQLite's
    assert (home / "edda.db").read_bytes() == before
