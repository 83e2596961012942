"""Reading: what a reader sees of a store, without waiting for a writer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.engine.reading import Reading
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import (
    AmbiguousIdError,
    CorruptError,
    DiskFaultError,
    DiskFullError,
    InvalidValueError,
    NotFoundError,
    ReadOnlyError,
    StorageError,
    UsageError,
)
from tests.faulty import FaultyEngine


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def test_queries_find_the_matching_items_in_their_order(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        for title, priority, due in (("late", 1, "2027-03-01"), ("soon", 1, "2027-01-01"), ("urgent", 0, None)):
            tx.create_task(edda.Task(title=title, priority=priority, due_date=due, tags={"work"}))
        tx.create_task(edda.Task(title="done", status="done", priority=0))
        tx.create_document(edda.Document(title="Note on the late one", content="late, says the note"))
    assert [task.title for task in store.query_tasks(edda.MOST_URGENT)] == ["urgent", "soon", "late"]
    assert [t.title for t in store.query_tasks(edda.TaskQuery(tags=("work",), limit=1, offset=1))] == ["soon"]
    assert [t.title for t in store.query_tasks(edda.TaskQuery(text="lat*"))] == ["late"]
    assert [d.title for d in store.query_documents(edda.DocumentQuery(text="note"))] == ["Note on the late one"]
    with pytest.raises(InvalidValueError):
        store.query_tasks(edda.TaskQuery(order="sideways"))


def test_words_of_an_edit_are_found_at_once(store: StorageEngine) -> None:
    document_id = store.create_document(edda.Document(title="Note", content="alpha"))
    store.edit_text(document_id, "content", [(5, 0, " beta")])
    assert [d.id for d in store.query_documents(edda.DocumentQuery(text="beta"))] == [document_id]
    store.edit_text(document_id, "content", [(0, 6, "")])
    assert store.query_documents(edda.DocumentQuery(text="alpha")) == []


def test_the_end_of_an_id_names_it_unless_it_fits_several(store: StorageEngine) -> None:
    first = "0192f0c1-0000-7000-8000-00000aaaaaaa"
    second = "0192f0c1-0000-7000-8000-00001aaaaaaa"
    for task_id in (first, second):
        store.create_task(edda.Task(id=task_id, title="T"))
    assert store.resolve("task", "00-00000AAAaaaa") == first
    assert store.resolve("task", first.upper()) == first
    with pytest.raises(AmbiguousIdError) as caught:
        store.resolve("task", "aaaaaa")
    assert caught.value.candidates == [first, second]
    for nothing in ("bbbbbb", "aaaa", "nonsense", ""):
        with pytest.raises(NotFoundError):
            store.resolve("task", nothing)


def test_counts_frontier_and_digest_follow_what_is_written(store: StorageEngine) -> None:
    before, digest, (actor,) = store.counts(), store.digest(), store.frontier()
    assert len(actor) == 16
    assert re.fullmatch("[0-9a-f]{32}", digest)
    task_id = store.create_task(edda.Task(title="T", tags={"a"}))
    assert store.counts() == {
        "tasks": before["tasks"] + 1,
        "documents": 0,
        "tags": 1,
        "hidden": 0,
        "changes": before["changes"] + 1,
    }
    assert store.frontier() == {actor: before["changes"] + 1}
    assert store.digest() != digest
    store.delete_task(task_id)
    assert store.counts()["hidden"] == 1


def test_an_edited_text_is_read_while_somebody_writes_and_its_row_is_written_at_a_later_look(
    store: StorageEngine,
) -> None:
    document_id = store.create_document(edda.Document(title="Note", content="alpha"))
    store.edit_text(document_id, "content", [(5, 0, " beta")])

    def work(_: StoreWriter) -> str | None:
        document = store.get_document(document_id)
        return None if document is None else document.content

    assert store.store.transact(work) == "alpha beta"
    (row,) = store.table("documents")
    assert row[3] == "alpha beta"


def test_an_item_in_the_trash_is_found_by_id_and_kind(store: StorageEngine) -> None:
    kept, gone = (store.create_task(edda.Task(title=title)) for title in ("kept", "gone"))
    store.delete_task(gone)
    assert store.reading.in_trash("task", [kept, gone]) == {gone}
    assert store.reading.in_trash("document", [kept, gone]) == set()


def test_a_connection_for_sql_reads_what_was_edited_a_moment_ago_and_writes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        document_id = store.create_document(edda.Document(title="Note", content="alpha"))
        store.edit_text(document_id, "content", [(5, 0, " beta")])
        connection = store.sql()
        assert connection.execute("SELECT content FROM documents").fetchone()[0] == "alpha beta"
        with pytest.raises(Exception, match="readonly"):
            connection.execute("DELETE FROM documents")
        connection.close()


@pytest.mark.parametrize(
    "statement",
    ["ATTACH 'file:{file}?mode=rw' AS w", "ATTACH '{file}' AS w", "ATTACH '{other}' AS w", "VACUUM INTO '{other}'",
     "CREATE TABLE mine (a)", "PRAGMA user_version = 9"],
)  # fmt: skip
def test_no_file_is_opened_to_write_by_a_connection_for_sql(tmp_path: Path, statement: str) -> None:
    with open_store(tmp_path / "home") as store, closing(store.sql()) as connection:
        files = {"file": tmp_path / "home" / DATABASE_FILE, "other": tmp_path / "other.db"}
        with pytest.raises(Exception, match=r"authoriz|readonly"):
            connection.execute(statement.format(**files))
        assert not files["other"].exists()
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)


def test_a_store_in_memory_has_no_file_for_sql() -> None:
    with devices(1, backend="memory") as (store,), pytest.raises(UsageError, match="memory"):
        store.sql()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_look_does_not_wait_for_a_writer_that_begins_in_the_middle_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Another program takes the lock just before this one wants it for the first or the second time."""
    begun: list[str] = []

    def seen(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            begun.append(statement)
            if len(begun) == turn:
                writer.execute("BEGIN IMMEDIATE")

    def connect(*of: Any) -> Connection:
        connection: Connection = real(*of)
        connection.set_trace_callback(seen)
        return connection

    with open_store(tmp_path) as store:
        assert isinstance(store.store, SqliteStore)
        store.store.on_idle = None  # or it would be written when it is quiet
        document = store.create_document(edda.Document(title="Notes", content="words"))
    with (
        open_store(tmp_path) as store,
        closing(sqlite.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as writer,
    ):
        assert isinstance(store.store, SqliteStore)
        store.store.on_idle = None
        store.edit_text(document, "content", [(0, 0, "more ")])
        real: Any = connections.connect_as
        monkeypatch.setattr(connections, "connect_as", connect)
        store.store.pause()  # no connection is left that was made before
        for query in (edda.DocumentQuery(), edda.DocumentQuery(text="more")):
            assert [each.content for each in store.query_documents(query)] == ["more words"]
        assert begun, "it would write what others can do without"


@pytest.mark.parametrize(
    "error", [DiskFullError("home"), DiskFaultError("home", "disk I/O error"), ReadOnlyError("home")]
)
def test_a_look_needs_no_free_disk_space(tmp_path: Path, error: StorageError) -> None:
    with FaultyEngine(tmp_path) as store:
        store.initialize()
        document = store.create_document(edda.Document(title="Notes", content="words"))
        store.edit_text(document, "content", [(0, 0, "more ")])
        store.faulty.fail("commit", error, times=3)
        for query in (edda.DocumentQuery(), edda.DocumentQuery(text="more")):
            assert [each.content for each in store.query_documents(query)] == ["more words"]


@pytest.mark.parametrize("ask", [Reading.lives, Reading.members, Reading.forked, Reading.certificates])
def test_a_birth_that_is_damaged_on_this_disk_is_not_blamed_on_a_peer(
    tmp_path: Path, ask: Callable[[Reading], object]
) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="one"))
        with closing(sqlite.connect(tmp_path / "home" / "edda.db")) as other:
            other.execute("UPDATE _heads SET birth = x'c1'")
            other.execute("UPDATE _log SET raw = x'c1'")
            other.commit()
        with suppress(CorruptError):
            ask(store.reading)
        with pytest.raises(CorruptError, match="run `edda doctor`"):
            store.reading.lives()
