"""What every store promises of small named values."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import EVERY_BYTE, AnyStore


def test_a_named_value_is_replaced_and_forgotten(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[bytes | None]:
        tx.meta.set("name", b"")
        found = [tx.meta.get("name"), tx.meta.get("other")]
        tx.meta.set("name", EVERY_BYTE)
        found.append(tx.meta.get("name"))
        tx.meta.drop("name")
        tx.meta.drop("never")
        return [*found, tx.meta.get("name")]

    assert store.transact(work) == [b"", None, EVERY_BYTE, None]


def test_several_named_values_are_read_at_once_before_and_after_they_are_written(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[list[bytes | None]]:
        tx.meta.set("one", b"1")
        found = [tx.meta.read("one", "two", "one")]
        tx.meta.set("two", b"2")
        tx.meta.drop("one")
        return [*found, tx.meta.read("two", "one"), tx.meta.read()]

    assert store.transact(work) == [[b"1", None, b"1"], [b"2", None], []]
    with store.read() as reader:
        assert (reader.meta.read("one", "two"), reader.meta.get("two")) == ([None, b"2"], b"2")
