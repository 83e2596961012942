"""How much was written for attached files."""

from __future__ import annotations

from edda_sync.store.held import hold, written
from edda_sync.store.memory.store import MemoryStore


def test_what_became_complete_is_counted_once_and_stays_counted_after_it_was_dropped() -> None:
    store = MemoryStore(lambda _: None)
    with store.read() as reader:
        assert written(reader) == 0
    store.transact(lambda tx: hold(tx, [(b"a" * 32, 300), (b"b" * 32, 20)]))
    store.transact(lambda tx: hold(tx, [(b"a" * 32, 300)]))  # it is here already
    store.transact(lambda tx: hold(tx, []))
    with store.read() as reader:
        assert written(reader) == 320
        assert reader.attachments.holds(b"a" * 32)
    store.transact(lambda tx: tx.attachments.release([b"a" * 32]))
    store.transact(lambda tx: hold(tx, [(b"a" * 32, 300)]))  # which was written anew
    with store.read() as reader:
        assert written(reader) == 620
