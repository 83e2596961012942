"""The connection for a program's own SQL: a state that it holds for too long is ended, and it says so."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import connections, opening
from edda_sync.store.sqlite.sql import SqlConnection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import EddaError, OutdatedError, UsageError
from tests.forked import Child
from tests.store.samples import show, shown_task
from tests.store.sqlite.test_readers import MAX_BYTES, PIECE, write

WAIT_S = 60
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, tasks"
Fetch = Callable[[Any], Any]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "JOURNAL_BYTES_MAX", MAX_BYTES)
    monkeypatch.setattr(opening, "_CHECKPOINT_PAGES", 50)
    return tmp_path / DATABASE_FILE


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        for number in range(3):
            store.transact(lambda tx, number=number: show(tx, shown_task(number)))  # type: ignore[misc]
        yield store


@pytest.fixture
def asked(store: SqliteStore) -> Iterator[SqlConnection]:
    with closing(store.sql()) as asked:
        yield asked


def wait_for(cursor: Any) -> None:
    """Leave a cursor with rows that were not fetched."""
    assert cursor.execute("SELECT id FROM tasks").fetchone() is not None


@pytest.mark.parametrize(
    "fetch",
    [next, lambda cursor: cursor.fetchone(), lambda cursor: cursor.fetchall(), lambda cursor: cursor.fetchmany(2)],
)
def test_a_cursor_that_nobody_ends_is_ended_before_the_journal_has_grown_too_much(
    store: SqliteStore, path: Path, asked: SqlConnection, fetch: Fetch
) -> None:
    cursor = asked.cursor()
    wait_for(cursor)
    sizes = write(store, path)
    assert max(sizes) < MAX_BYTES + 4 * PIECE, "it would have 6 MB"
    assert sizes[-1] < MAX_BYTES / 2, "the journal shrank"
    for _ in range(2):
        with pytest.raises(OutdatedError, match="run it again"):
            fetch(cursor)
    assert len(cursor.execute("SELECT id FROM tasks").fetchall()) == 3
    assert asked.execute("SELECT count(*) FROM tasks").fetchone() == (3,)


def test_all_cursors_of_a_connection_are_ended_together_since_they_share_one_state(
    store: SqliteStore, path: Path, asked: SqlConnection
) -> None:
    first, second = asked.cursor(), asked.cursor()
    wait_for(first)
    write(store, path, 7)
    wait_for(second)
    assert max(write(store, path)) < MAX_BYTES + 4 * PIECE
    for cursor in (first, second):
        with pytest.raises(OutdatedError):
            cursor.fetchone()


def test_a_forgotten_transaction_is_ended_and_the_next_statement_says_so_once(
    store: SqliteStore, path: Path, asked: SqlConnection
) -> None:
    asked.execute("BEGIN")
    assert len(asked.execute("SELECT id FROM tasks").fetchall()) == 3
    assert max(write(store, path)) < MAX_BYTES + 4 * PIECE
    with pytest.raises(OutdatedError):
        asked.execute("SELECT id FROM tasks")
    assert len(asked.execute("SELECT id FROM tasks").fetchall()) == 3


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_ending_a_transaction_that_was_already_ended_reports_nothing(
    store: SqliteStore, path: Path, asked: SqlConnection, end: str
) -> None:
    asked.execute("BEGIN")
    asked.execute("SELECT id FROM tasks").fetchall()
    write(store, path)
    getattr(asked, end)()
    assert len(asked.execute("SELECT id FROM tasks").fetchall()) == 3


def fetch_all(cursor: Any) -> None:
    assert len(cursor.fetchall()) == 2


def fetch_one_by_one(cursor: Any) -> None:
    assert len(list(cursor)) == 2


def fetch_until_there_is_none(cursor: Any) -> None:
    while cursor.fetchone():
        pass


def fetch_some_until_there_are_none(cursor: Any) -> None:
    while cursor.fetchmany(2):
        pass


def close(cursor: Any) -> None:
    cursor.close()


@pytest.mark.parametrize(
    "finish", [fetch_all, fetch_one_by_one, fetch_until_there_is_none, fetch_some_until_there_are_none, close]
)
def test_a_connection_that_ends_each_look_is_never_disturbed(
    store: SqliteStore, path: Path, asked: SqlConnection, finish: Fetch
) -> None:
    for _ in range(3):
        cursor = asked.cursor()
        wait_for(cursor)
        finish(cursor)
        write(store, path, 7)
        assert not asked.holds
    wait_for(cursor := asked.cursor())
    write(store, path, 7)  # counted from here
    assert len(cursor.fetchall()) == 2


def test_a_cursor_that_is_forgotten_holds_nothing(store: SqliteStore, path: Path, asked: SqlConnection) -> None:
    wait_for(asked.cursor())
    gc.collect()
    assert not asked.holds
    assert write(store, path)[-1] < MAX_BYTES / 2


def test_a_statement_that_runs_for_too_long_is_interrupted_and_says_so(
    store: SqliteStore, path: Path, asked: SqlConnection
) -> None:
    found: list[BaseException] = []
    running = threading.Event()
    asked.create_function("running", 0, running.set)

    def ask() -> None:
        try:
            asked.execute(f"{ENDLESS} WHERE running() IS NULL")
        except (EddaError, sqlite.Error) as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert running.wait(WAIT_S)
    write(store, path)
    thread.join(WAIT_S)
    assert write(store, path)[-1] < MAX_BYTES / 2
    assert [type(error) for error in found] == [OutdatedError]
    assert asked.execute("SELECT count(*) FROM tasks").fetchone() == (3,)


def test_an_interruption_by_the_program_itself_is_reported_as_its_own(asked: SqlConnection) -> None:
    asked.set_progress_handler(lambda: 1, 1_000)
    with pytest.raises(sqlite.OperationalError, match="interrupted"):
        asked.execute(ENDLESS)


def test_the_watching_thread_ends_a_held_state_when_nobody_writes_here(
    store: SqliteStore, path: Path, asked: SqlConnection
) -> None:
    with closing(SqliteStore(path)) as other:
        wait_for(cursor := asked.cursor())
        assert store._readers.look()
        write(other, path, 20)
        store._readers.look()
        assert write(other, path)[-1] < MAX_BYTES / 2
        with pytest.raises(OutdatedError):
            cursor.fetchone()
        assert not store._readers.look(), "and has nothing to watch any more"


def test_a_connection_that_is_closed_holds_nothing(store: SqliteStore, asked: SqlConnection) -> None:
    wait_for(asked.cursor())
    asked.execute("BEGIN")
    asked.close()
    assert not asked.holds
    assert not store._readers.look()


def test_a_connection_is_closed_with_its_store_and_every_use_of_it_is_refused(store: SqliteStore, path: Path) -> None:
    asked, begun, free = store.sql(), store.sql(), store.sql()
    wait_for(cursor := asked.cursor())
    begun.execute("BEGIN")
    free.close()
    store.close()
    uses: list[Callable[[], object]] = [
        cursor.fetchone, cursor.fetchall, lambda: next(cursor), lambda: cursor.execute("SELECT 1"), asked.cursor,
        lambda: asked.execute("SELECT 1"), lambda: asked.executescript("SELECT 1"), begun.commit, begun.rollback, store.sql,
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(UsageError, match="This store is closed"):
            use()
    for connection in (asked, begun, free):
        connection.close()
    assert not connections.is_open(path), "nothing of this process is open to the file"


def test_a_statement_that_runs_when_its_store_is_closed_is_interrupted(store: SqliteStore) -> None:
    asked, running, said = store.sql(), threading.Event(), list[BaseException]()
    asked.create_function("begun", 0, running.set)

    def run() -> None:
        try:
            asked.execute(f"SELECT begun(), ({ENDLESS})").fetchone()
        except UsageError as error:
            said.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert running.wait(WAIT_S)
    store.close()
    thread.join(WAIT_S)
    assert str(said[0]) == "This store is closed; open it again."


def test_an_open_blob_would_hold_a_state_and_is_refused(asked: SqlConnection) -> None:
    with pytest.raises(sqlite.NotSupportedError, match="SELECT"):
        asked.open_blob("tasks", "title", 1)


def test_a_forked_child_does_not_use_the_connection_of_its_parent(asked: SqlConnection) -> None:
    wait_for(cursor := asked.cursor())

    def use() -> Iterator[str]:
        for ask in (cursor.fetchone, lambda: asked.execute("SELECT 1")):
            with pytest.raises(UsageError, match="forked"):
                ask()
        asked.close()
        yield "refused"

    with Child(use) as child:
        assert child.step() == "refused"
    assert len(cursor.fetchall()) == 2
