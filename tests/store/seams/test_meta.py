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
