"""Waiting: one lookup for each entity says whether something in a past waits for a newer version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold import waiting as module
from edda_sync.fold.waiting import Waiting
from edda_sync.store.seams import Logged, LogReader
from edda_sync.testing import devices
from tests.sync.strange import write_change

ID = bytes(15) + b"\x07"
KEY = key_of("task", ID)
NEWER = b"\x94\x63\xa4task\xc4\x10" + ID + b"\xc0"  # [99, "task", id, nil]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def within(waiting: Waiting, store: StorageEngine, past: dict[bytes, int], key: bytes = KEY) -> bool:
    with store.store.read() as reader:
        return waiting.within(reader, key, past)


def test_nothing_waits_in_a_store_where_nothing_waits(store: StorageEngine) -> None:
    assert not within(Waiting(), store, store.frontier())


def test_an_operation_waits_in_each_past_that_holds_its_change_and_in_no_other(store: StorageEngine) -> None:
    before = store.frontier()
    write_change(store, NEWER)
    waiting, (actor,) = Waiting(), before
    assert within(waiting, store, store.frontier())
    assert not within(waiting, store, before)
    assert within(waiting, store, {actor: 1_000}), "a past that goes on holds it too"
    assert not within(waiting, store, store.frontier(), key_of("task", bytes(16)))


def test_new_operations_are_looked_up_and_known_ones_are_not(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    with store.store.read() as reader:
        kind: type[LogReader] = type(reader.log)
    looked: list[int] = []
    true = kind.read

    def read(log: LogReader, position: int) -> Logged:
        looked.append(position)
        return true(log, position)

    monkeypatch.setattr(kind, "read", read)
    write_change(store, NEWER)
    looked.clear()
    for _ in range(3):
        assert within(waiting, store, store.frontier())
    assert len(looked) == 1
    write_change(store, NEWER)
    looked.clear()
    assert within(waiting, store, store.frontier())
    assert len(looked) == 1


def test_only_entities_that_are_being_written_are_remembered(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 3)
    write_change(store, NEWER)
    waiting = Waiting()
    for number in range(10):
        within(waiting, store, store.frontier(), key_of("task", bytes([number]) * 16))
    assert len(waiting._first) == 3


def test_all_is_looked_up_anew_after_a_transaction_that_left_no_trace(store: StorageEngine) -> None:
    write_change(store, NEWER)
    waiting = Waiting()
    within(waiting, store, store.frontier())
    waiting.rolled_back()
    assert waiting._first == {}
    assert within(waiting, store, store.frontier())
