from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from edda_sync.store.composed import ComposedReader, ComposedWriter, over
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from tests.store.samples import change_all, dump, entity, fill


class Short:
    """Shortened names of evidence."""

    def __init__(self, names: Sequence[bytes]) -> None:
        self._names = names

    def names(self) -> Sequence[bytes]:
        return [name[:2] for name in self._names]


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.transact(fill)
    return store


def test_a_reader_composed_of_the_facets_of_another_shows_the_same(store: MemoryStore) -> None:
    with store.read() as reader:
        assert dump(ComposedReader.of(reader)) == dump(reader)


def test_a_transaction_composed_of_the_facets_of_another_writes_the_same(store: MemoryStore) -> None:
    other = MemoryStore()
    other.transact(fill)
    other.transact(lambda tx: change_all(ComposedWriter.of(tx)))
    store.transact(change_all)
    with store.read() as one, other.read() as another:
        assert dump(one) == dump(another)


def test_a_failed_part_of_a_composed_transaction_is_undone(store: MemoryStore) -> None:
    def part(tx: StoreWriter) -> None:
        with tx.undoing():
            tx.forget([entity(1)])
            raise ValueError("stop")

    def work(tx: StoreWriter) -> None:
        with pytest.raises(ValueError, match="stop"):
            part(tx)

    with store.read() as reader:
        before = dump(reader)
    store.transact(lambda tx: work(ComposedWriter.of(tx)))
    with store.read() as reader:
        assert dump(reader) == before


def test_a_facet_has_some_replaced_methods_and_the_rest_of_its_own(store: MemoryStore) -> None:
    with store.read() as reader:
        changed = over(reader.evidence, Short(reader.evidence.names()))
        shown = replace(ComposedReader.of(reader), evidence=changed)
        assert shown.evidence.names() == [b"na"]
        assert shown.evidence.all() == reader.evidence.all()
        assert shown.log is reader.log


def test_a_method_that_no_facet_has_cannot_be_replaced(store: MemoryStore) -> None:
    with store.read() as reader, pytest.raises(AssertionError, match="Short changes what is not there"):
        over(reader.meta, Short([]))
