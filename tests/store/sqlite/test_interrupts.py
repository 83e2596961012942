"""Ctrl-C in the middle of anything: the next user of the store, here or in another process, finds no lock held."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.jobs import Jobs
from edda_sync.store.sqlite.sql import SqlConnection
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from tests.interrupts import interrupted

WAIT_S = 20


def put(tx: StoreWriter) -> None:
    tx.meta.set("name", b"")


def fail(tx: StoreWriter) -> None:
    tx.meta.set("failed", b"")
    raise ZeroDivisionError


def look(store: SqliteStore) -> None:
    with store.read() as reader:
        reader.meta.get("name")


def end(asked: SqlConnection) -> None:
    with closing(asked):
        cursor = asked.execute("SELECT name FROM sqlite_master")
        cursor.fetchone()
        asked.end()


def in_a_thread(work: Callable[[], object]) -> bool:
    """Do something on a thread that may wait for ever; return whether it ended."""
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append((work(),)), daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return bool(done)


def check(store: SqliteStore, place: str) -> None:
    with closing(sqlite.connect(store.path, isolation_level=None, timeout=WAIT_S)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM _meta WHERE key = 'failed'").fetchone() == (0,), place
        other.execute("ROLLBACK")
    assert in_a_thread(lambda: store.transact(put)), f"another thread waits for ever after {place}"
    store.transact(put)
    connections.GATE.wait_until_empty(WAIT_S)
    assert not connections.GATE.inside(), f"somebody is inside for ever after {place}"


WORKS: dict[str, tuple[Callable[[SqliteStore], object], bool, bool]] = {
    # what is done, whether another thread's transactions wait at that moment, and whether it is the first of a store
    "a transaction": (lambda store: store.transact(put), False, False),
    "the first one": (lambda store: store.transact(put), False, True),
    "one beside others": (lambda store: store.transact(put), True, False),
    "the first one, beside others": (lambda store: store.transact(put), True, True),
    "one that fails": (lambda store: store.transact(fail), False, False),
    "one that must not wait": (lambda store: store.transact_unless_busy(put), False, False),
    "a look": (look, False, True),
    "the version": (lambda store: store.version(), False, True),
    "a connection for SQL that is ended": (lambda store: end(store.sql()), False, False),
    "the end": (lambda store: store.close(), False, False),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # some come while a generator is freed
@pytest.mark.parametrize("name", WORKS)
def test_the_store_can_be_written_and_closed_after_an_interrupt_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    do, is_busy, is_first = WORKS[name]
    if is_busy:
        monkeypatch.setattr(Jobs, "is_quiet", False)  # so the writer's thread does it
    path = tmp_path / DATABASE_FILE
    store: SqliteStore | None = None

    def work() -> None:
        with suppress(ZeroDivisionError, sqlite.DatabaseError):  # which SQLite makes of an interrupt that comes in it
            do(opened)

    for number in count():
        if store is None:
            store = SqliteStore(path)
            store.on_idle = lambda _: False
            if not is_first:
                store.transact(put)
        opened = store
        place = interrupted(work, number)
        if place is None:
            break
        gc.collect(0)  # the frames of the interrupt are gone, which are young
        if name != "the end":
            check(store, place)
        if is_first or name == "the end":
            assert in_a_thread(store.close), f"the store cannot be closed after {place}"
            assert not connections.open_to(connections.file_of(path)), f"a connection stays open after {place}"
            store = None
    assert number > 5
    opened.close()


def test_ctrl_c_is_heard_while_another_process_writes(tmp_path: Path) -> None:
    with (
        closing(SqliteStore(tmp_path / DATABASE_FILE)) as store,
        closing(sqlite.connect(store.path, isolation_level=None, check_same_thread=False)) as other,
    ):
        store.transact(put)
        other.execute("BEGIN IMMEDIATE")
        patience = threading.Timer(WAIT_S, other.rollback)
        patience.start()
        former = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(KeyboardInterrupt):
                store.transact(put)
            assert other.in_transaction, "it came only when the other process had ended"
        finally:
            signal.signal(signal.SIGALRM, former)
            patience.cancel()
            patience.join()
        other.rollback()
        check(store, "a wait")
