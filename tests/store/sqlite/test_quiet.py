from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import quiet
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import LostStoreError

WAIT_S = 60  # how long a test waits for something that always comes
FULL, NORMAL = 2, 1
PAGE = bytes(4_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_FILE


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def synchronous(connection: Connection) -> int:
    return int(connection.execute("PRAGMA synchronous").fetchone()[0])


def write(store: SqliteStore, pages: int = 1) -> int:
    """Write a number of pages, and return how durably they were written."""

    def work(tx: StoreWriter) -> int:
        for number in range(pages):
            tx.meta.set(f"page {number}", PAGE)
        return synchronous(store._committer._connection)

    return store.transact(work)


def test_a_deferrable_write_does_not_wait_for_the_disk_and_the_next_write_does(store: SqliteStore) -> None:
    found, done = list[int](), threading.Event()

    def on_idle(_: StoreWriter) -> bool:
        found.append(synchronous(store._committer._connection))
        done.set()
        return False

    store.on_idle = on_idle
    assert write(store) == FULL
    assert done.wait(WAIT_S)
    assert write(store) == FULL
    store.on_idle = None
    assert found[0] == NORMAL


def test_a_fault_in_a_deferrable_write_leaves_the_next_write_durable(store: SqliteStore) -> None:
    done = threading.Event()

    def on_idle(_: StoreWriter) -> bool:
        done.set()
        raise ValueError("idle")

    store.on_idle = on_idle
    write(store)
    assert done.wait(WAIT_S)
    store.on_idle = None
    assert write(store) == FULL


def test_a_connection_that_cannot_be_reset_writes_nothing_more(store: SqliteStore) -> None:
    done = threading.Event()

    def on_idle(_: StoreWriter) -> bool:
        store._committer._connection.close()
        done.set()
        return False

    store.on_idle = on_idle
    write(store)
    assert done.wait(WAIT_S)
    store.on_idle = None
    assert write(store) == FULL


def test_a_long_journal_is_merged_into_the_file_once_the_store_is_quiet(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortened = threading.Event()
    shorten = quiet.shorten

    def noted(*args: object) -> None:
        shorten(*args)  # type: ignore[arg-type]
        shortened.set()

    monkeypatch.setattr(quiet, "shorten", noted)
    store.on_idle = lambda _: False
    write(store, 2_500)
    assert quiet.is_long(store._committer._connection)
    assert shortened.wait(WAIT_S)
    assert not quiet.is_long(store._committer._connection)
    store.on_idle = None


def test_a_short_journal_is_kept(store: SqliteStore) -> None:
    write(store, 100)
    assert not quiet.is_long(store._committer._connection)


def test_a_writer_does_not_wait_until_the_journal_is_in_the_file(store: SqliteStore) -> None:
    write(store, 2_500)
    with store._writing:  # somebody writes
        quiet.shorten(store.connect)
    assert not quiet.is_long(store._committer._connection)


def test_a_fault_while_merging_is_left_to_the_next_commit(store: SqliteStore) -> None:
    def lost() -> Connection:
        raise LostStoreError("edda.db", [])

    def broken() -> Connection:
        raise sqlite.OperationalError("disk I/O error")

    quiet.shorten(lost)
    quiet.shorten(broken)
    write(store)
