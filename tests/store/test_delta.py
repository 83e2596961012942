"""Deltas: the result of a fold is a value, and its caller decides whether it is written."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Put
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.store.delta import Delta, TextSaved, apply
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Head, Logged, StoreReader, StoreWriter
from tests.crdt.authors import LAPTOP
from tests.crdt.histories import ACTORS, header_of
from tests.crdt.works import TASK

KEY = key_of("task", TASK)


def folded(reader: StoreReader, *operations: Put) -> Delta:
    """Fold a change over a reader, and return its effect on the store."""
    deltas: list[Delta] = []
    fold = Fold(reader, Texts(), write=deltas.append)
    fold.begin(ACTORS[0], 1, 1_000, {}, 1, LAPTOP.public_key)
    fold.receive(operations)
    fold.flush()
    (delta,) = deltas
    return delta


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(lambda _: None)

    def append(tx: StoreWriter) -> None:
        logged = Logged(1, ACTORS[0], 1, b"h" * 32, header_of(ACTORS[0], 1, 1_000), b"")
        tx.log.append(logged, Head(ACTORS[0], 1, logged.hash, b"\x90", b"", 0, b""))

    made.transact(append)
    return made


def test_a_fold_over_a_reader_returns_its_effect_on_the_store_and_writes_nothing(store: MemoryStore) -> None:
    with store.read() as reader:
        delta = folded(reader, Put("task", TASK, {"title": "t"}))
        assert reader.states.get([KEY]) == {}
    assert [each.key for each in delta.records] == [KEY]
    assert [each.row[1] for each in delta.shown] == ["t"]
    assert delta.mentions == [(KEY, 1)]
    assert delta.digest == int.from_bytes(delta.records[0].hash[:16], "big")
    with store.read() as reader:
        assert reader.tables.all("tasks") == []
    store.transact(lambda tx: apply(tx, delta))
    with store.read() as reader:
        assert [row[1] for row in reader.tables.all("tasks")] == ["t"]
        assert reader.index.digest() == delta.digest
        assert reader.mentions.of(KEY) == [1]


def test_a_delta_is_frozen(store: MemoryStore) -> None:
    with store.read() as reader:
        delta = folded(reader, Put("task", TASK, {"title": "t"}))
    with pytest.raises(AttributeError):
        delta.digest = 0  # type: ignore[misc]


def test_a_fold_over_a_reader_has_no_writer(store: MemoryStore) -> None:
    with store.read() as reader:
        fold = Fold(reader, Texts())
        fold.begin(ACTORS[0], 1, 1_000, {}, 1, LAPTOP.public_key)
        fold.receive([Put("task", TASK, {"title": "t"})])
        with pytest.raises(AssertionError, match="only looks"):
            fold.flush()


def test_texts_of_a_segment_are_handed_on_before_memory_is_full() -> None:
    with testing.devices(1) as (device,):
        task = device.create_task(edda.Task(title="t", description="words"))
        deltas: list[Delta] = []

        def work(tx: StoreWriter) -> None:
            fold = Fold(tx, Texts(), write=deltas.append)
            for number in range(20):
                fold.view.save_text((KEY, "description", bytes([number]) * 16), b"x" * 1024 * 1024, 0)
                fold.flush_if_full()

        device.store.transact(work)
        assert device.get_task(task) is not None
    assert [len([each for each in delta.texts if isinstance(each, TextSaved)]) for delta in deltas] == [8, 8]
