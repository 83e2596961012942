"""What is remembered of a store holds until something is folded anew, and never comes from an undone transaction."""

from __future__ import annotations

import pytest

from edda_sync.store import anew
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter


def test_a_remembered_value_holds_until_something_is_folded_anew() -> None:
    store, here, there = MemoryStore(), anew.Still(), anew.Still()
    with store.read() as reader:
        assert here.holds(reader)
    store.transact(anew.note)
    with store.read() as reader:
        assert anew.times(reader) == 1
        for each in (here, there):
            assert [each.holds(reader), each.holds(reader)] == [False, True]


def test_the_number_of_an_undone_transaction_is_given_again_and_differs() -> None:
    store, here = MemoryStore(), anew.Still()

    def fail(tx: StoreWriter) -> None:
        anew.note(tx)
        assert not here.holds(tx)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        store.transact(fail)
    assert here.may_be_ahead(), "what it remembers may come from an undone transaction"
    here.rolled_back()
    assert not here.may_be_ahead(), "what it remembers is present and may be kept"
    store.transact(anew.note)
    with store.read() as reader:
        assert not here.holds(reader)
    here.committed()
    assert not here.may_be_ahead()
