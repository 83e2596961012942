"""A store that shows one state to each event: the event sees what it commits itself, and the next event sees the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from edda_sync.store.memory.reader import MemoryReader
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.reader import SqliteReader
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.asked_once import AskedOnce
from edda_sync.words.errors import StorageError


class Counting(MemoryStore):
    """Counts how often it is asked."""

    asked = 0

    def version(self) -> int:
        self.asked += 1
        return super().version()


def write(tx: StoreWriter) -> None:
    tx.meta.set("written", b"")


def test_an_event_asks_once_however_often_it_looks() -> None:
    store = Counting()
    seen = AskedOnce(store)
    with seen.event():
        assert len({seen.version() for _ in range(10)}) == 1
    assert store.asked == 1
    seen.version()
    seen.version()
    assert store.asked == 3, "outside of events it is asked each time"


def test_an_event_that_asks_nothing_asks_nothing() -> None:
    store = Counting()
    with AskedOnce(store).event():
        pass
    assert store.asked == 0


def test_what_the_event_itself_commits_is_seen_by_the_rest_of_it() -> None:
    seen = AskedOnce(MemoryStore())
    with seen.event():
        before = seen.version()
        seen.transact(write)
        assert seen.version() != before


def test_what_somebody_else_commits_is_seen_by_the_next_event() -> None:
    store = MemoryStore()
    seen = AskedOnce(store)
    with seen.event():
        before = seen.version()
        store.transact(write)
        assert seen.version() == before
    with seen.event():
        assert seen.version() != before


def test_a_transaction_and_an_event_that_failed_leave_nothing_remembered() -> None:
    store = Counting()
    seen = AskedOnce(store)

    def fail(_: StoreWriter) -> None:
        raise ZeroDivisionError

    def event() -> None:
        with seen.event():
            seen.version()
            with pytest.raises(ZeroDivisionError):
                seen.transact(fail)
            seen.version()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        event()
    seen.version()
    assert store.asked == 3


def test_all_else_is_the_store_s_own() -> None:
    store = MemoryStore()
    seen = AskedOnce(store)
    seen.transact(write)
    with seen.read() as reader:
        assert reader.meta.get("written") == b""
    assert seen.transact_unless_busy(write)
    seen.close()
    with pytest.raises(Exception, match="closed"):
        store.version()


class Reads(Counting):
    """Counts how many readers were opened, and how many are open."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open = 0

    @contextmanager
    def read(self) -> Iterator[MemoryReader]:
        self.opened += 1
        self.open += 1
        try:
            with super().read() as reader:
                yield reader
        finally:
            self.open -= 1


def written(seen: AskedOnce) -> bool:
    with seen.read() as reader:
        return reader.meta.get("written") is not None


def test_all_that_an_event_reads_before_it_writes_it_reads_of_one_state() -> None:
    store = Reads()
    seen = AskedOnce(store)
    with seen.event():
        assert not written(seen)
        store.transact(write)  # as another process would
        assert not written(seen), "the next event sees it"
        assert store.opened == 1
    assert store.open == 0
    assert written(seen)


def test_what_an_event_reads_after_it_wrote_has_that_in_it_and_nothing_stays_open_meanwhile() -> None:
    store = Reads()
    seen = AskedOnce(store)

    def look(tx: StoreWriter) -> None:
        assert store.open == 0
        write(tx)

    with seen.event():
        assert not written(seen)
        seen.transact(look)
        assert written(seen)
    assert (store.opened, store.open) == (2, 0)


def test_a_reader_that_is_in_use_while_its_event_writes_goes_on_to_show_what_it_showed() -> None:
    store = Reads()
    seen = AskedOnce(store)
    with seen.event(), seen.read() as reader:
        seen.transact(write)
        assert written(seen)
        assert reader.meta.get("written") is None
    assert store.open == 0


def test_an_event_that_fails_leaves_no_reader_open() -> None:
    store = Reads()
    seen = AskedOnce(store)

    def event() -> None:
        with seen.event():
            written(seen)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        event()
    assert store.open == 0


def test_an_error_of_sqlite_within_an_event_is_one_of_ours(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "edda.db")
    seen = AskedOnce(store)
    try:
        with pytest.raises(StorageError), seen.event(), seen.read() as reader:
            cast("SqliteReader", reader).connection.execute("SELECT * FROM nothing")
        with seen.event(), seen.read() as reader:
            assert reader.log.position() == 0
    finally:
        store.close()
