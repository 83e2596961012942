"""Shut out: when it is noted, and what ends it; ``test_readmission.py`` has whole devices."""

from __future__ import annotations

from edda_sync.store.memory.store import MemoryStore
from edda_sync.sync import shut_out

ANN, BOB = "a" * 64, "b" * 64


def test_the_last_that_refused_is_noted_until_it_knows_this_device_or_this_is_let_in() -> None:
    store = MemoryStore()

    def now() -> str | None:
        with store.read() as reader:
            return shut_out.by(reader)

    assert now() is None
    store.transact(lambda tx: shut_out.note(tx, ANN))
    store.transact(lambda tx: shut_out.note(tx, BOB))
    assert now() == BOB
    store.transact(lambda tx: shut_out.note_known(tx, ANN))
    assert now() == BOB
    store.transact(lambda tx: shut_out.note_known(tx, BOB))
    assert now() is None
    store.transact(lambda tx: shut_out.note(tx, ANN))
    store.transact(shut_out.forget)
    assert now() is None
