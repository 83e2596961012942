from __future__ import annotations

import _thread
import os
import sqlite3
import subprocess
import sys
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.store.sqlite import connections, schema
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import (
    CorruptError,
    DiskFullError,
    MovedStatesError,
    NewerStoreError,
    NotAStoreError,
    ReadOnlyError,
    StorageError,
)
from edda_sync.words.query import TaskQuery, plan
from tests.mounting import mount
from tests.store.samples import ACTOR, change_all, dump, fill, head, logged, show, shown_task

WAIT_S = 60  # how long a test waits for something that always comes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_FILE


@pytest.fixture
def ended() -> list[bool]:
    return []


@pytest.fixture
def store(path: Path, ended: list[bool]) -> Iterator[SqliteStore]:
    store = SqliteStore(path, ended.append)
    yield store
    store.close()


def put(name: str, value: bytes = b"") -> Callable[[StoreWriter], str]:
    def work(tx: StoreWriter) -> str:
        tx.meta.set(name, value)
        return name

    return work


def meta(store: SqliteStore, name: str) -> bytes | None:
    with store.read() as reader:
        return reader.meta.get(name)


# --- durability -------------------------------------------------------------------------------------------------------


READ_STATES: dict[str, Callable[[StoreReader], object]] = {
    "a state": lambda reader: reader.states.get([bytes(17)]),
    "all states": lambda reader: list(reader.states.scan()),
    "a text": lambda reader: reader.states.text(bytes(17), "content", b""),
    "all texts": lambda reader: reader.states.texts(),
    "the trash": lambda reader: reader.index.hidden("task"),
    "its size": lambda reader: reader.tables.counts(),
    "conflicts": lambda reader: reader.index.conflicted(),
    "a short id": lambda reader: reader.index.ids_ending("task", "0" * 6),
}


def test_states_that_another_process_moved_are_not_read_here_and_tables_are(store: SqliteStore, path: Path) -> None:
    with closing(SqliteStore(path)) as other, store.read() as reader:
        assert reader.states.texts() == []
        other.transact(lambda tx: tx.meta.set("backend", b"rocksdb"))
        assert reader.states.texts() == []  # of the state that it began to read
    for read in READ_STATES.values():
        with store.read() as reader:
            assert reader.tables.all("tasks") == []
            assert reader.index.stale() == []
            with pytest.raises(MovedStatesError, match="are in rocksdb now"):
                read(reader)
    with pytest.raises(MovedStatesError):
        store.transact(put("name"))


def test_every_connection_writes_ahead_syncs_in_full_and_checks_references(store: SqliteStore) -> None:
    connection = store.connect()
    try:
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
        assert found == {"journal_mode": "wal", "synchronous": 2}
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert connection.execute("PRAGMA trusted_schema").fetchone()[0] == 0
    finally:
        connection.close()


def test_a_store_that_cannot_write_ahead_does_not_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_memory(*_: object, **_options: object) -> Any:  # the one database that SQLite does not write ahead
        made = dbapi2.connect(":memory:", isolation_level=None, factory=Connection)
        made.file = connections.file_of(path)
        return made

    monkeypatch.setattr(connections, "connect_as", in_memory)
    with pytest.raises(CorruptError, match="journal memory"):
        SqliteStore(path)


def test_acknowledged_writes_are_there_if_the_process_dies_at_once(path: Path) -> None:
    script = """
import os, pathlib, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
for number in range(20):
    store.transact(lambda tx: tx.meta.set(str(number), b"kept"))
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=WAIT_S)
    assert done.returncode == 9
    store = SqliteStore(path)
    assert all(meta(store, str(number)) == b"kept" for number in range(20))
    store.close()


def test_a_store_opens_again_with_everything_that_it_had(path: Path) -> None:
    store = SqliteStore(path)
    store.transact(fill)
    with store.read() as reader:
        before = dump(reader)
    store.close()
    again = SqliteStore(path)
    with again.read() as reader:
        assert dump(reader) == before
    again.close()


def test_the_tables_hold_after_anything_a_transaction_did(store: SqliteStore) -> None:
    store.transact(fill)
    connection = store.connect()
    try:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


# --- transactions that wait together ----------------------------------------------------------------------------------


class Gate:
    """Holds the writer's thread inside a transaction, so that what is submitted meanwhile waits together."""

    def __init__(self, store: SqliteStore) -> None:
        self._inside, self._open = threading.Event(), threading.Event()
        self.passed = store.submit(self._work)
        assert self._inside.wait(WAIT_S)

    def _work(self, _tx: StoreWriter) -> None:
        self._inside.set()
        assert self._open.wait(WAIT_S)

    def open(self) -> None:
        self._open.set()
        self.passed.result(WAIT_S)


def test_transactions_that_wait_together_are_committed_together(store: SqliteStore, ended: list[bool]) -> None:
    gate = Gate(store)
    futures = [store.submit(put(f"{number}")) for number in range(10)]
    gate.open()
    assert [future.result(WAIT_S) for future in futures] == [f"{number}" for number in range(10)]
    assert ended == [True, True]
    assert all(meta(store, f"{number}") == b"" for number in range(10))


def test_a_long_queue_is_committed_in_batches(store: SqliteStore, ended: list[bool]) -> None:
    gate = Gate(store)
    futures = [store.submit(put(f"{number}")) for number in range(200)]
    gate.open()
    for future in futures:
        future.result(WAIT_S)
    assert 3 < len(ended) < 10


def test_a_transaction_that_was_queued_before_the_store_is_closed_is_done(store: SqliteStore) -> None:
    gate = Gate(store)
    store.on_idle = lambda _: False
    store._put_off()  # deferred work is due, and wakes the writer before the transaction does
    queued = store.submit(put("queued"))
    closing = threading.Thread(target=store.close)
    closing.start()
    while not store._closed:
        closing.join(0.001)
    gate.open()
    assert queued.result(WAIT_S) == "queued"
    closing.join()


def test_a_transaction_cancelled_before_it_begins_never_runs_and_the_others_do(store: SqliteStore) -> None:
    gate = Gate(store)
    before, cancelled, after = store.submit(put("before")), store.submit(put("cancelled")), store.submit(put("after"))
    assert cancelled.cancel()
    gate.open()
    assert (before.result(WAIT_S), after.result(WAIT_S)) == ("before", "after")
    assert not after.cancel(), "it is too late"
    alone = Gate(store)
    assert store.submit(put("cancelled")).cancel()
    alone.open()
    assert store.transact(put("last")) == "last", "the writer's thread goes on"
    assert [meta(store, name) for name in ("before", "cancelled", "after", "last")] == [b"", None, b"", b""]


class PanicException(BaseException):
    """What native code with a bug raises: not an ``Exception``."""


@pytest.mark.parametrize(
    "failure",
    [ValueError("mine"), PanicException("at x.rs:1"), SystemExit(1), KeyboardInterrupt(), CancelledError()],
    ids=lambda failure: type(failure).__name__,
)
def test_one_failing_transaction_of_a_batch_leaves_the_others_whole(
    store: SqliteStore, ended: list[bool], failure: BaseException
) -> None:

    def half(tx: StoreWriter) -> None:
        tx.meta.set("half", b"")
        tx.meta.set("before", b"overwritten")
        raise failure

    def look(tx: StoreWriter) -> tuple[bytes | None, bytes | None]:
        return tx.meta.get("before"), tx.meta.get("half")

    gate = Gate(store)
    before, failing, after = store.submit(put("before", b"kept")), store.submit(half), store.submit(look)
    gate.open()
    assert before.result(WAIT_S) == "before"
    assert failing.exception(WAIT_S) is failure
    assert after.result(WAIT_S) == (b"kept", None)
    assert (meta(store, "before"), meta(store, "half")) == (b"kept", None)
    assert ended == [True, False, True]


@pytest.mark.parametrize("error", [CorruptError("The state of a task"), None], ids=["raised", "constraint"])
def test_an_impossible_transaction_does_not_stop_the_others_of_its_batch(
    store: SqliteStore, error: Exception | None
) -> None:
    def work(tx: StoreWriter) -> None:
        tx.meta.set("half", b"")
        if error is not None:
            raise error
        show(tx, shown_task(1, title=None))

    gate = Gate(store)
    before, failing, after = store.submit(put("before")), store.submit(work), store.submit(put("after"))
    gate.open()
    assert (before.result(WAIT_S), after.result(WAIT_S)) == ("before", "after")
    assert isinstance(failing.exception(WAIT_S), StorageError)
    assert [meta(store, name) for name in ("before", "half", "after")] == [b"", None, b""]


def test_a_write_at_the_end_of_a_transaction_fails_only_that_transaction(store: SqliteStore) -> None:
    def twice(tx: StoreWriter) -> None:
        tx.meta.set("half", b"")
        for position in (1, 2):  # one change in two places: nothing is read in between, so both are written at the end
            tx.log.append(logged(position, ACTOR, 1), head(ACTOR, 1))

    gate = Gate(store)
    before, failing, after = store.submit(put("before")), store.submit(twice), store.submit(put("after"))
    gate.open()
    assert (before.result(WAIT_S), after.result(WAIT_S)) == ("before", "after")
    assert isinstance(failing.exception(WAIT_S), StorageError)
    assert isinstance(store.submit(twice).exception(WAIT_S), StorageError)
    with pytest.raises(StorageError):
        store.transact(twice)
    assert [meta(store, name) for name in ("before", "half", "after")] == [b"", None, b""]
    with store.read() as reader:
        assert (dict(reader.log.heads()), reader.log.position()) == ({}, 0)


def test_the_next_transaction_of_a_batch_sees_nothing_of_a_failed_one(store: SqliteStore) -> None:
    store.transact(fill)

    def fail(tx: StoreWriter) -> None:
        change_all(tx)
        raise ValueError("mine")

    gate = Gate(store)
    before, failing, after = store.submit(dump), store.submit(fail), store.submit(dump)
    gate.open()
    assert isinstance(failing.exception(WAIT_S), ValueError)
    assert after.result(WAIT_S) == before.result(WAIT_S)
    alone = store.submit(fail)
    assert isinstance(alone.exception(WAIT_S), ValueError)
    assert store.transact(dump) == before.result(WAIT_S)


def test_a_batch_that_cannot_be_committed_leaves_no_trace_and_tells_each_of_its_callers(
    store: SqliteStore, ended: list[bool]
) -> None:
    gate = Gate(store)
    orphan = shown_task(1, parent_id="nobody")
    futures = [store.submit(put("before")), store.submit(lambda tx: show(tx, orphan))]
    gate.open()
    assert all(isinstance(future.exception(WAIT_S), StorageError) for future in futures)
    assert ended == [True, False]
    assert meta(store, "before") is None
    store.transact(put("after"))
    assert meta(store, "after") == b""


def test_a_caller_hears_of_a_fault_in_the_listener_to_the_end_and_the_store_goes_on(path: Path) -> None:
    faults = [RuntimeError("once")]

    def on_end(committed: bool) -> None:
        if committed and faults:
            raise faults.pop()

    store = SqliteStore(path, on_end)
    with pytest.raises(RuntimeError, match="once"):
        store.transact(put("first"))
    store.transact(put("second"))
    assert meta(store, "first") == meta(store, "second") == b""
    store.close()


# --- what may wait ----------------------------------------------------------------------------------------------------


def test_deferred_work_is_done_when_the_store_is_idle_until_nothing_is_left(store: SqliteStore) -> None:
    left, done = [True, True, False], threading.Event()

    def on_idle(tx: StoreWriter) -> bool:
        more = left.pop(0)
        tx.meta.set("idle", b"%d" % len(left))
        if not more:
            done.set()
        return more

    store.on_idle = on_idle
    store.transact(put("write"))
    assert done.wait(WAIT_S)
    store.transact(put("write"))  # waits for the one before it
    assert meta(store, "idle") == b"0"
    assert left == []
    store.on_idle = None


def test_a_fault_in_deferred_work_loses_nothing(store: SqliteStore) -> None:
    reached = threading.Event()

    def on_idle(tx: StoreWriter) -> bool:
        tx.meta.set("kept", b"spoilt")
        reached.set()
        raise ValueError("idle")

    store.on_idle = on_idle
    store.transact(put("kept", b"whole"))
    assert reached.wait(WAIT_S)
    store.on_idle = None
    store.transact(put("next"))
    assert meta(store, "kept") == b"whole"


def test_a_durable_write_does_not_fail_if_no_thread_can_be_started(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    done = threading.Event()

    def on_idle(_: StoreWriter) -> bool:
        done.set()
        return False

    store.on_idle = on_idle
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", start)
        store.transact(put("kept", b"whole"))
    assert meta(store, "kept") == b"whole"
    assert not done.is_set()
    store.transact(put("next"))  # deferred work is done once there is a thread
    assert done.wait(WAIT_S)


# --- several processes ------------------------------------------------------------------------------------------------

PROCESS = """
import pathlib, sys
import sqlite_utils  # loaded before the start, so that all begin at once
from edda_sync.store.seams import Head, Logged
from edda_sync.store.sqlite.store import SqliteStore

path, actor, count = pathlib.Path(sys.argv[1]), bytes([int(sys.argv[2])]) * 16, int(sys.argv[3])

def append(tx):
    position = tx.log.position() + 1
    heads = tx.log.heads()
    seq = heads[actor].seq + 1 if actor in heads else 1
    tx.meta.set("changes", b"%d" % (int(tx.meta.get("changes") or b"0") + 1))
    tx.log.append(Logged(position, actor, seq, b"", b"", b""), Head(actor, seq, b"", b"", b"", 0, b""))
    tx.meta.set("appended", b"%d" % position)

print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(path)
for _ in range(count):
    store.transact(append)
store.close()
"""


def start(path: Path, actor: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(path), str(actor), str(count)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors


def test_processes_that_write_at_once_follow_one_another(store: SqliteStore, path: Path) -> None:
    processes = [start(path, actor, 60) for actor in (1, 2)]
    for process in processes:
        go(process)
    seen = 0
    while any(process.poll() is None for process in processes):
        with store.read() as reader:  # whole transactions, whenever one looks
            position = reader.log.position()
            assert int(reader.meta.get("changes") or 0) == int(reader.meta.get("appended") or 0) == position >= seen
            assert sum(head.seq for head in reader.log.heads().values()) == position
            seen = position
    for process in processes:
        finish(process)
    with store.read() as reader:
        assert reader.log.position() == 120
        one, other = b"\x01" * 16, b"\x02" * 16
        assert {actor: head.seq for actor, head in reader.log.heads().items()} == {one: 60, other: 60}
        seqs = [reader.log.read(position).seq for position in reader.log.positions_after({one: 60})]
        assert seqs == list(range(1, 61))


def test_processes_that_make_the_store_at_once_make_one(path: Path) -> None:
    processes = [start(path, actor, 1) for actor in range(3)]
    for process in processes:
        go(process)
    for process in processes:
        finish(process)
    store = SqliteStore(path)
    with store.read() as reader:
        assert reader.log.position() == 3
    store.close()


def test_two_stores_on_one_file_see_in_their_transactions_what_the_other_wrote(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    store.transact(fill)
    written = other.transact(dump)
    assert written == store.transact(dump)
    other.transact(change_all)
    changed = store.transact(dump)
    assert changed == other.transact(dump) != written
    store.transact(lambda tx: tx.clear_view())
    store.transact(lambda tx: tx.meta.set("name", b"once more"))
    assert store.transact(dump) == other.transact(dump) != changed
    other.close()


def test_the_version_changes_with_the_commit_of_another_store_on_the_same_file(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    before = store.version()
    other.transact(put("name"))
    assert store.version() != before
    other.close()


# --- what is no store of ours -----------------------------------------------------------------------------------------


def make_foreign(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE notes (text)",),
        ("CREATE TABLE notes (text)", "PRAGMA user_version = 1"),
        ("CREATE TABLE notes (text)", "PRAGMA application_id = 77"),
        ("PRAGMA user_version = 3",),
        ("PRAGMA journal_mode = WAL", "CREATE TABLE notes (text)"),
    ],
    ids=["nameless", "with-a-version", "with-a-name", "empty-with-a-version", "writing-ahead"],
)
def test_another_programs_database_is_refused_and_stays_as_it_was(path: Path, statements: tuple[str, ...]) -> None:
    make_foreign(path, *statements)
    before = path.read_bytes()
    with pytest.raises(NotAStoreError) as caught:
        SqliteStore(path)
    assert caught.value.path == str(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_another_programs_database_that_is_still_only_in_its_journal_is_refused(path: Path) -> None:
    script = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE notes (text)")
connection.commit()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=WAIT_S)
    with pytest.raises(NotAStoreError):
        SqliteStore(path)
    connection = sqlite3.connect(path)
    assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["notes"]
    assert connection.execute("PRAGMA application_id").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("content", [b"# Notes\n", b"SQLite format 3", b"\0" * 4096], ids=["text", "cut", "zeros"])
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_was(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(NotAStoreError):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_a_folder_where_the_file_should_be_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(NotAStoreError):
        SqliteStore(path)


def test_a_file_where_the_folder_should_be_is_refused(path: Path) -> None:
    path.write_bytes(b"text")
    with pytest.raises(NotAStoreError):
        SqliteStore(path / DATABASE_FILE)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    store = SqliteStore(path)
    store.transact(put("name"))
    store.close()
    head = path.read_bytes()[:100]
    assert int.from_bytes(head[68:72], "big") == schema.APPLICATION_ID
    assert int.from_bytes(head[60:64], "big") == schema.VERSION


def test_a_newer_versions_store_is_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    make_foreign(path, f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(NewerStoreError) as caught:
        SqliteStore(path)
    assert (caught.value.found, caught.value.known) == (schema.VERSION + 1, schema.VERSION)
    assert path.read_bytes() == before


def test_a_newer_version_that_comes_in_between_is_noticed_as_well(path: Path, store: SqliteStore) -> None:
    connection = store.connect()  # the version is in the journal and not yet in the file
    try:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        with pytest.raises(NewerStoreError):
            SqliteStore(path)
    finally:
        connection.close()


def test_a_damaged_page_is_an_error_that_says_so(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(200):
        store.transact(put(f"{number}", bytes(4_000)))
    store.close()
    half = path.stat().st_size // 8192 * 4096  # the schema lies before it
    with path.open("r+b") as file:
        file.seek(half)
        file.write(b"\xa5" * half)
    store = SqliteStore(path)
    with pytest.raises(CorruptError, match=r"run `edda doctor`"):
        any(meta(store, f"{number}") is None for number in range(200))
    store.close()


# --- a disk that fails ------------------------------------------------------------------------------------------------


class Rot:
    """
    A store whose file rots under it, and may heal: bytes of the full-text index, which the rest does not need.

    Args:
        path: Where the store is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(SqliteStore(path)) as store:
            store.transact(lambda tx: self._write(tx, 1))
            with closing(store.connect()) as connection:
                (self._block,) = connection.execute("SELECT block FROM _task_search_data WHERE id = 10").fetchone()
        self._whole = path.read_bytes()
        assert self._whole.count(self._block) == 1

    def set_in(self) -> None:
        self._overwrite(self._whole.replace(self._block, b"\xff" * len(self._block)))

    def heal(self) -> None:
        self._overwrite(self._whole)

    def index(self, tx: StoreWriter) -> None:
        """Write what goes through the index."""
        self._write(tx, 2)

    def _write(self, tx: StoreWriter, number: int) -> None:
        show(tx, shown_task(number))
        tx.tables.index_texts()

    def _overwrite(self, content: bytes) -> None:
        with self._path.open("r+b") as file:
            file.write(content)


def test_a_fault_of_the_disk_in_one_transaction_ends_the_whole_batch(path: Path, ended: list[bool]) -> None:
    rot = Rot(path)
    rot.set_in()
    store = SqliteStore(path, ended.append)
    gate = Gate(store)
    futures = [store.submit(work) for work in (put("before"), rot.index, put("after"))]
    gate.open()
    assert [type(future.exception(WAIT_S)) for future in futures] == [CorruptError] * 3
    assert True not in ended[1:], "the first one is the gate's"
    assert [meta(store, name) for name in ("before", "after")] == [None, None]
    store.transact(put("later"))
    assert meta(store, "later") == b""
    store.close()


@pytest.mark.parametrize("kind", ["writer", "reader"])
def test_a_connection_that_met_a_fault_of_the_disk_is_not_used_again(path: Path, kind: str) -> None:
    rot = Rot(path)
    store = SqliteStore(path)

    def search() -> None:
        with store.read() as reader:
            reader.tables.rows(plan(TaskQuery(text="task")))

    use: Callable[[], object] = search if kind == "reader" else lambda: store.transact(rot.index)
    rot.set_in()
    with pytest.raises(CorruptError):
        use()
    rot.heal()  # the memory of that connection differs from the disk
    use()
    store.close()


# --- disks that are full or may not be written ------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_store_on_a_disk_that_cannot_be_written_is_read_and_refuses_writes(disk: Path) -> None:
    path = disk / DATABASE_FILE
    store = SqliteStore(path)
    store.transact(put("kept"))
    store.close()
    before = path.read_bytes()
    mount("-o", "remount,ro", str(disk))
    store = SqliteStore(path)
    assert (store.is_read_only, meta(store, "kept")) == (True, b"")
    for write in (store.transact, store.transact_unless_busy):
        with pytest.raises(ReadOnlyError) as caught:
            write(put("more"))
        assert caught.value.path == str(path)
    assert store.checks.damaged_parts(thorough=True) == []
    store.close()
    mount("-o", "remount,rw", str(disk))
    assert path.read_bytes() == before
    store = SqliteStore(path)
    assert meta(store, "kept") == b""
    store.close()


def test_a_store_cannot_be_made_on_a_disk_that_cannot_be_written(disk: Path) -> None:
    mount("-o", "remount,ro", str(disk))
    with pytest.raises(ReadOnlyError):
        SqliteStore(disk / DATABASE_FILE)
    assert os.listdir(disk) == []


def test_a_full_disk_refuses_a_transaction_whole_and_takes_the_next_once_there_is_room(disk: Path) -> None:
    ended: list[bool] = []
    store = SqliteStore(disk / DATABASE_FILE, ended.append)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024))
    store.transact(put("kept", b"before"))

    def work(tx: StoreWriter) -> None:
        tx.meta.set("kept", b"spoilt")
        for number in range(300):
            tx.meta.set(f"{number}", bytes(10_000))

    with pytest.raises(DiskFullError) as caught:
        store.transact(work)
    assert caught.value.path == str(disk / DATABASE_FILE)
    assert ended[-1] is False
    with store.read() as reader:
        assert (reader.meta.get("kept"), reader.meta.get("0")) == (b"before", None)
    ballast.unlink()
    store.transact(put("kept", b"after"))
    store.close()
    store = SqliteStore(disk / DATABASE_FILE)
    assert (meta(store, "kept"), meta(store, "0")) == (b"after", None)
    store.close()


def test_a_disk_that_fills_up_while_many_threads_write_acknowledges_only_what_it_holds(disk: Path) -> None:
    store = SqliteStore(disk / DATABASE_FILE)
    gate = Gate(store)
    futures = [store.submit(put(f"{number}", bytes(20_000))) for number in range(300)]
    gate.open()
    failures = {number: future.exception(WAIT_S) for number, future in enumerate(futures)}
    assert any(failures.values())
    assert all(failure is None or isinstance(failure, DiskFullError) for failure in failures.values())
    store.close()
    ballast = bytes(20_000)
    again = SqliteStore(disk / DATABASE_FILE)
    for number, failure in failures.items():
        assert meta(again, f"{number}") == (ballast if failure is None else None)
    again.close()


def test_a_store_cannot_be_made_on_a_full_disk(disk: Path) -> None:
    (disk / "ballast").write_bytes(bytes(2 * 1024 * 1024 - 8192))
    with pytest.raises(DiskFullError):
        SqliteStore(disk / DATABASE_FILE)
    (disk / "ballast").unlink()
    store = SqliteStore(disk / DATABASE_FILE)
    store.transact(put("name"))
    store.close()


def test_making_a_store_does_not_block_another_process_that_reads_it_and_then_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one begins to read as soon as the store is there, and ends that once it has written."""
    opened, written = threading.Event(), threading.Event()
    found: list[str] = []

    def can_write(timeout_s: float) -> bool:
        with closing(dbapi2.connect(str(path), isolation_level=None, timeout=timeout_s)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except dbapi2.OperationalError:
                return False
        return True

    def use() -> None:
        while can_write(0) and not opened.is_set():
            pass
        found.append("written" if can_write(1) else "held up")
        reader.execute("ROLLBACK")
        written.set()

    def begin(statement: str) -> None:
        if statement.startswith("PRAGMA wal_checkpoint"):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM tasks").fetchone()
            threading.Thread(target=use).start()

    def traced(*of: Any) -> Any:
        connection = real(*of)
        connection.set_trace_callback(begin)
        return connection

    real = connections.connect_as
    monkeypatch.setattr(connections, "connect_as", traced)
    path.touch()
    with closing(dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)) as reader:
        with closing(SqliteStore(path)):
            opened.set()
            assert written.wait(WAIT_S)
        assert found == ["written"]
