from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync.store.memory import MemoryStore
from tests.store.contract import AnyStore, StoreContract


class TestMemoryStore(StoreContract):
    def make(self, folder: Path, on_end: Callable[[bool], None]) -> AnyStore:
        return MemoryStore(on_end)


def test_a_transaction_inside_a_transaction_is_a_fault_of_the_program() -> None:
    store = MemoryStore()
    with pytest.raises(AssertionError, match="inside a transaction"):
        store.transact(lambda _tx: store.transact(lambda _inner: None))
    assert store.transact(lambda tx: tx.log_position()) == 0


def test_a_reader_that_has_ended_shows_nothing_more() -> None:
    store = MemoryStore()
    with store.read() as reader:
        pass
    with pytest.raises(KeyError):
        reader.meta("name")


def test_tables_are_copied_only_while_somebody_reads() -> None:
    store = MemoryStore()
    store.transact(lambda tx: tx.set_meta("name", b"1"))
    tables = store.transact(lambda tx: tx._tables)
    first = tables["meta"]
    store.transact(lambda tx: tx.set_meta("name", b"2"))
    assert tables["meta"] is first
    with store.read() as reader:
        store.transact(lambda tx: tx.set_meta("name", b"3"))
        second = tables["meta"]
        assert second is not first
        store.transact(lambda tx: tx.set_meta("name", b"4"))
        assert tables["meta"] is second
        assert reader.meta("name") == b"2"
    store.transact(lambda tx: tx.set_meta("name", b"5"))
    assert tables["meta"] is second
