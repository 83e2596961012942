from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from edda_sync.store.composed import ComposedReader, ComposedWriter, over
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from tests.store.samples import change_all, dump, entity, fill


class Short:
    """Names of evidence, cut."""

    def __init__(self, names: Sequence[bytes]) -> None:
        self._names = names

    def names(self) -> Sequence[bytes]:
        return [name[:2] for name in self._names]


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.transact(fill)
    return store


def test_a_reader_composed_of_anothers_facets_shows_the_same(store: MemoryStore) -> None:
    with store.read() as reader:
        assert dump(ComposedReader.of(reader)) == dump(reader)


def test_a_transaction_composed_of_anothers_facets_writes_the_same(store: MemoryStore) -> None:
    other = MemoryStore()
    other.transact(fill)
    other.transact(lambda tx: change_all(ComposedWriter.of(tx)))
    store.transact(change_all)
    with store.read() as one, other.read() as another:
        assert dump(one) == dump(another)


def test_what_fails_in_a_part_of_a_composed_transaction_is_undone(store: MemoryStore) -> None:
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


def test_of_a_facet_some_methods_are_others_and_the_rest_is_its_own(store: MemoryStore) -> None:
    with store.read() as reader:
        changed = over(reader.evidence, Short(reader.evidence.names()))
        shown = replace(ComposedReader.of(reader), evidence=changed)
        assert shown.evidence.names() == [b"na"]
        assert shown.evidence.all() == reader.evidence.all()
        assert shown.log is reader.log


def test_what_no_facet_has_is_not_put_into_it(store: MemoryStore) -> None:
    with store.read() as reader, pytest.raises(AssertionError, match="Short changes what is not there"):
        over(reader.meta, Short([]))
