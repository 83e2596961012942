"""Provisional: what a store notes about its first segment can be read back; ``test_behind.py`` has whole devices."""

from __future__ import annotations

import msgspec

from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.provisional import (
    FORGED_KEY,
    PROVISIONAL_KEY,
    UNPROVED_KEY,
    Provisional,
    forged_by,
    progress,
    provisional,
    unproved_by,
)

NOTE = Provisional(b"s" * 32, b"m" * 32, b"r" * 32, 8, 7)


def test_what_is_noted_is_read_back_and_nothing_where_nothing_is() -> None:
    store = MemoryStore()
    with store.read() as reader:
        assert (provisional(reader), progress(reader)) == (None, None)
        assert (forged_by(reader), unproved_by(reader)) == (None, None)

    def work(tx: StoreWriter) -> None:
        tx.meta.set(PROVISIONAL_KEY, msgspec.msgpack.encode(NOTE))
        tx.meta.set(FORGED_KEY, b"f" * 32)
        tx.meta.set(UNPROVED_KEY, b"u" * 32)

    store.transact(work)
    with store.read() as reader:
        assert (provisional(reader), progress(reader)) == (NOTE, (0, 7))
        assert (forged_by(reader), unproved_by(reader)) == (b"f" * 32, b"u" * 32)
