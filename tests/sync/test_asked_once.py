"""A store that is asked once an event for its version: what the event commits counts, what others commit comes next."""

from __future__ import annotations

import pytest

from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.asked_once import AskedOnce


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
    assert not seen.is_busy()
    seen.close()
    with pytest.raises(Exception, match="closed"):
        store.version()
