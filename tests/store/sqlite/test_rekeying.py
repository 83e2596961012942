"""The data key of a store is replaced while other connections, threads and processes use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.sealing import datakeys
from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.keyed import damaged_pages
from edda_sync.store.sqlite.rekeying import key_in_use, rekey
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import BusyError, StoreKeyError
from tests.encrypted import encrypt

ANOTHER = """
import pathlib, sys
from edda_sync.sealing import datakeys
from edda_sync.store.sqlite.rekeying import rekey
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
rekey(store, datakeys.add(store.path).current)
store.transact(lambda tx: tx.meta.set("another", b"1"))
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return encrypt(folder / DATABASE_FILE)


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        store.transact(lambda tx: tx.meta.set("first", b"1"))
        yield store


def put(name: str) -> Callable[[SqliteWriter], None]:
    return lambda tx: tx.meta.set(name, b"1")


def replaced_by_another_process(path: Path) -> None:
    subprocess.run([sys.executable, "-c", ANOTHER, str(path)], check=True)


def test_the_file_has_the_new_key_and_no_page_of_the_old_one(store: SqliteStore) -> None:
    before = key_in_use(store)
    keys = datakeys.add(store.path)
    assert key_in_use(store) == before, "until it is replaced"
    assert rekey(store, keys.current)
    assert key_in_use(store) == keys.current != before
    assert store.path.read_bytes().startswith(keys.current.salt)
    assert Path(f"{store.path}-wal").stat().st_size == 0
    assert not rekey(store, keys.current), "it has that key already"
    with closing(store.connect()) as connection:
        assert connection.execute("PRAGMA cipher_integrity_check").fetchall() == []


def test_readers_and_writers_of_other_processes_go_on(store: SqliteStore) -> None:
    version = store.version()
    with store.read() as reader:
        assert reader.meta.get("first") == b"1"
        replaced_by_another_process(store.path)
        assert reader.meta.get("another") is None, "what it was reading it reads to its end"
    assert store.version() != version
    with store.read() as reader:
        assert reader.meta.get("another") == b"1"
    replaced_by_another_process(store.path)
    store.transact(lambda tx: tx.meta.set("after", b"1"))
    replaced_by_another_process(store.path)
    assert store.transact_unless_busy(lambda tx: tx.meta.set("later", b"1"))
    store.check_place()
    with closing(SqliteStore(store.path)) as again, again.read() as reader:
        assert [reader.meta.get(name) for name in ("first", "another", "after", "later")] == [b"1"] * 4


def test_a_connection_of_a_program_says_that_it_must_be_opened_again(store: SqliteStore) -> None:
    connection = store.sql()
    assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    replaced_by_another_process(store.path)
    with pytest.raises(StoreKeyError, match="open this connection again"):
        connection.execute("SELECT count(*) FROM tasks")
    with closing(store.sql()) as again:
        assert again.execute("SELECT count(*) FROM tasks").fetchone() == (0,)


def test_threads_that_read_and_write_meanwhile_lose_nothing(store: SqliteStore) -> None:
    ended, failures, written = threading.Event(), list[BaseException](), [0, 0]

    def write(number: int) -> None:
        try:
            while not ended.is_set():
                name = f"{number}-{written[number]}"
                store.transact(put(name))
                written[number] += 1
                with store.read() as reader:
                    assert reader.meta.get(name) == b"1"
        except BaseException as error:  # noqa: BLE001 - it is shown below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        rekey(store, datakeys.add(store.path).current)
    replaced_by_another_process(store.path)
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(SqliteStore(store.path)) as again, again.read() as reader:
        for number in (0, 1):
            assert all(reader.meta.get(f"{number}-{each}") for each in range(written[number]))


def test_a_writer_that_holds_the_store_keeps_the_old_key_in_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_in_use(store)
    with closing(store.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        real = store.connect

        def impatient() -> connections.Connection:
            connection = real()
            connection.execute("PRAGMA busy_timeout = 0")
            return connection

        monkeypatch.setattr(store, "connect", impatient)
        with pytest.raises(BusyError):
            rekey(store, datakeys.add(store.path).current)
        monkeypatch.undo()
        other.execute("ROLLBACK")
    assert key_in_use(store) == before
    store.transact(lambda tx: tx.meta.set("after", b"1"))


def fill(tx: SqliteWriter) -> None:
    for each in range(30):
        tx.meta.set(f"name {each}", os.urandom(9_000))


KILLED = """
import os, pathlib, signal, sys
from edda_sync.sealing import datakeys
from edda_sync.store.sqlite import rekeying
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
reading = store.connect()
reading.execute("BEGIN")
reading.execute("SELECT 1 FROM _meta").fetchone()  # so that nothing is copied into the file
rekeying.rekey(store, datakeys.add(store.path).current)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9])
def test_a_file_into_which_only_some_pages_of_the_new_key_were_copied_keeps_its_journal(
    path: Path, part: float
) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(fill)
        with store.read() as reader:
            before = [reader.meta.get(f"name {each}") for each in range(30)]
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    old, journal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    with closing(SqliteStore(path)) as store, closing(store.connect()) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    new = path.read_bytes()
    assert old[:16] != new[:16]
    at = int(len(new) * part) // 4_096 * 4_096
    for mixed in (new[:at] + old[at:], old[:at] + new[at:]):
        path.write_bytes(mixed)
        Path(f"{path}-wal").write_bytes(journal)
        Path(f"{path}-shm").unlink(missing_ok=True)
        with closing(SqliteStore(path)) as store:
            assert store.set_aside is None
            with store.read() as reader:
                assert [reader.meta.get(f"name {each}") for each in range(30)] == before
            assert damaged_pages(store.connect) == []
