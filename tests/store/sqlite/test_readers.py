"""Forgotten readers: the journal does not grow for ever, whichever process forgot them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import opening
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import EddaError, OutdatedError
from tests.store.samples import show, shown_task

WAIT_S = 60
MAX_BYTES = 1_000_000
PIECE = 100_000
TIMES = 60


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JOURNAL_BYTES_MAX", MAX_BYTES)
    monkeypatch.setattr(opening, "_CHECKPOINT_PAGES", 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_FILE


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        yield store


def put(name: str, size: int = 0) -> Callable[[StoreWriter], None]:
    return lambda tx: tx.meta.set(name, os.urandom(size))


def write(store: SqliteStore, path: Path, times: int = TIMES) -> list[int]:
    """Write one value again and again; return how long the journal was after each time."""
    sizes = []
    for _ in range(times):
        store.transact(put("written", PIECE))
        sizes.append(Path(f"{path}-wal").stat().st_size)
    return sizes


@pytest.mark.parametrize("size", [1, 3])
def test_as_many_readers_are_kept_as_the_pool_has_room_for(path: Path, size: int) -> None:
    with closing(SqliteStore(path, pool_size=size)) as store:
        made: list[int] = []
        connect = store._readers._connect

        def counted() -> Connection:
            made.append(1)
            return connect()

        store._readers._connect = counted
        for _ in range(3):
            with ExitStack() as stack:
                for _ in range(5):
                    stack.enter_context(store.read())
        # The store itself began with one. Each time, those that the pool could not keep are made anew.
        assert len(made) == (5 - 1) + 2 * (5 - size)


def test_the_pool_has_the_configured_size(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", edda.StorageConfig(connection_pool_size=2)) as store:
        assert isinstance(store.store, SqliteStore)
        with store.store.read(), store.store.read(), store.store.read():
            pass
        assert len(store.store._readers._idle) == 2


def test_a_forgotten_reader_is_ended_before_the_journal_has_grown_too_much_and_it_shrinks_again(
    store: SqliteStore, path: Path
) -> None:
    store.transact(put("seen", 1))
    with store.read() as reader:
        seen = reader.meta.get("seen")
        sizes = write(store, path)
        assert max(sizes) < MAX_BYTES + 4 * PIECE, "it would have 6 MB"
        assert sizes[-1] < MAX_BYTES / 2
        for look in (lambda: reader.meta.get("seen"), lambda: list(reader.states.scan())):
            with pytest.raises(OutdatedError, match="run it again"):
                look()
    with store.read() as reader:
        assert reader.meta.get("seen") == seen


def test_a_reader_left_in_the_middle_of_a_listing_is_ended_too(store: SqliteStore, path: Path) -> None:
    for number in range(3):
        store.transact(lambda tx, number=number: show(tx, shown_task(number)))  # type: ignore[misc]
    with store.read() as reader:
        listing = reader.tables.scan("tasks")
        next(listing)
        write(store, path)
        store._readers.look()  # as the thread that watches does, now and then
        sizes = write(store, path)
        assert sizes[-1] < MAX_BYTES / 2, "the journal shrank"
        with pytest.raises(sqlite.Error):
            next(listing)
    with store.read() as reader:
        assert len(list(reader.tables.scan("tasks"))) == 3


def test_a_reader_is_not_ended_by_what_was_written_before_it_began(store: SqliteStore, path: Path) -> None:
    with store.read():
        write(store, path, 7)
    with store.read() as reader:
        write(store, path, 7)
        assert reader.meta.get("written") is not None


def test_several_readers_are_each_ended_by_the_writes_since_they_began(store: SqliteStore, path: Path) -> None:
    with store.read() as first:
        write(store, path, 7)
        with store.read() as second:
            write(store, path, 7)
            with pytest.raises(OutdatedError):
                first.meta.get("written")
            second.meta.get("written")


def test_a_reader_that_is_ended_in_the_middle_of_a_long_look_says_so(store: SqliteStore, path: Path) -> None:
    store.transact(lambda tx: show(tx, shown_task(1)))
    found: list[EddaError] = []
    reading = threading.Event()

    def look() -> None:
        try:
            with store.read() as reader:
                reader.meta.get("written")
                reading.set()
                while reader.tables.all("tasks"):
                    pass
        except EddaError as error:
            found.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    reading.wait(WAIT_S)
    write(store, path)
    thread.join(WAIT_S)
    assert [type(error) for error in found] == [OutdatedError]
    with closing(store.connect()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


FORGETTING = """
import sys
import edda_sync as edda
from edda_sync.words import limits
limits.JOURNAL_BYTES_MAX, limits.READERS_LOOKED_AT_EVERY_S = int(sys.argv[2]), 0.02
store = edda.open(sys.argv[1])
forgotten = store.begin_transaction()
forgotten.get_task(sys.argv[3])
print("begun", flush=True)
sys.stdin.readline()
try:
    print(forgotten.get_task(sys.argv[3]))
except edda.errors.OutdatedError as error:
    print("outdated", flush=True)
store.create_task(edda.Task(title="goes on"))
print(store.transact(lambda tx: tx.get_task(sys.argv[3])).title)
store.close()
"""


def test_a_transaction_that_another_process_has_forgotten_is_ended_there(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        task = store.create_task(edda.Task(title="first"))
        arguments = [sys.executable, "-c", FORGETTING, str(tmp_path), str(MAX_BYTES), task]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            sqlite = store.store
            assert isinstance(sqlite, SqliteStore)
            largest = 0
            for _ in range(2_000):  # as many as it takes for the other process to look; 60 without the forgotten one
                size = write(sqlite, sqlite.path, 1)[0]
                if size < largest:
                    break
                largest = size
            assert size < MAX_BYTES / 2, "it was ended, and the journal shrank"
            said, _ = process.communicate("\n", WAIT_S)
            assert said == "outdated\nfirst\n"


def test_a_transaction_that_was_ended_is_run_again(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    with edda.open(tmp_path / "home") as engine:
        task = engine.create_task(edda.Task(title="first"))
        tries = []

        def work(tx: edda.Transaction) -> str | None:
            tries.append(tx.get_task(task))
            sqlite = engine.store
            assert isinstance(sqlite, SqliteStore)
            if len(tries) == 1:
                write(sqlite, sqlite.path)
            found = tx.get_task(task)
            return None if found is None else found.title

        assert engine.transact(work) == "first"
        assert len(tries) == 2


QUIET = """
import os, pathlib, sys
from edda_sync.store.sqlite import readers
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import limits
limits.READERS_LOOKED_AT_EVERY_S = 0.001
def threads():
    return len(os.listdir("/proc/self/task"))
store, other = SqliteStore(pathlib.Path(sys.argv[1])), SqliteStore(pathlib.Path(sys.argv[1]))
for _ in range(3):
    with store.read(), other.read():
        worker = readers._watch._worker
        watching = worker._alive
        while threads() > 2:  # the system ends the one of before a moment after it has said that it ends
            pass
        assert (watching.locked(), threads()) == (True, 2)
    with watching:
        assert worker._alive is not watching, "it has ended"
"""


def test_one_thread_watches_for_all_stores_while_somebody_reads(path: Path) -> None:
    subprocess.run([sys.executable, "-c", QUIET, str(path)], timeout=WAIT_S, check=True)
