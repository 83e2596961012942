"""The view of a fold: texts read as the fold left them, and as the store has them after they are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.keys import key_of
from edda_sync.fold.view import View
from edda_sync.store.delta import TextAppended, TextSaved
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter, TailEdit, TextState

KEYS = [(key_of("document", bytes([number]) * 16), "content", b"g" * 16) for number in (1, 2)]
ACTOR = b"a" * 16


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore(lambda _: None)
    yield made
    made.close()


def write(tx: StoreWriter, view: View) -> None:
    for each in view.take():
        if isinstance(each, TextSaved):
            tx.states.put_text(*each)
        else:
            serial = tx.states.append_text(each.entity, each.field, each.genesis, each.actor, each.seq, each.edit)
            assert serial == each.serial


steps = st.lists(st.tuples(st.sampled_from(("append", "save", "take")), st.integers(0, 1)), max_size=12)


@given(steps, st.integers(-1, 6))
def test_a_text_reads_as_if_each_step_had_been_written_at_once(steps: list[tuple[str, int]], since: int) -> None:
    buffered, direct = MemoryStore(lambda _: None), MemoryStore(lambda _: None)

    def work(tx: StoreWriter) -> list[Any]:
        def other(there: StoreWriter) -> list[Any]:
            view, found, last = View(tx), [], 0
            for key in KEYS:
                view.save_text(key, b"start", 0)
                there.states.put_text(*key, b"start", 0)
            for number, (what, which) in enumerate(steps):
                key = KEYS[which]
                if what == "append":
                    last = view.append_text(key, ACTOR, number, b"%d" % number)
                    assert there.states.append_text(*key, ACTOR, number, b"%d" % number) == last
                elif what == "save":
                    view.save_text(key, b"state %d" % number, last)
                    there.states.put_text(*key, b"state %d" % number, last)
                else:
                    write(tx, view)
                found += [(view.text(each, since), there.states.text(*each, since=since)) for each in KEYS]
            write(tx, view)
            return found

        return direct.transact(other)

    for one, there in buffered.transact(work):
        assert one == there
    with buffered.read() as reader, direct.read() as expected:
        for key in KEYS:
            assert reader.states.text(*key) == expected.states.text(*key)


def test_nothing_is_written_before_the_deltas_are_taken(store: MemoryStore) -> None:
    def work(tx: StoreWriter) -> View:
        view = View(tx)
        view.save_text(KEYS[0], b"state", 0)
        serial = view.append_text(KEYS[0], ACTOR, 1, b"edit")
        assert tx.states.text(*KEYS[0]) is None
        assert view.text(KEYS[0]) == TextState(b"state", 0, [TailEdit(serial, ACTOR, 1, b"edit")])
        assert view.size == 9
        return view

    view = store.transact(work)
    with store.read() as reader:
        assert reader.states.text(*KEYS[0]) is None
    assert [type(each) for each in view.take()] == [TextSaved, TextAppended]
    assert view.take() == []
    assert view.size == 0


def test_a_reader_sees_what_is_stored(store: MemoryStore) -> None:
    store.transact(lambda tx: tx.states.put_text(*KEYS[0], b"state", 0))
    with store.read() as reader:
        assert View(reader).text(KEYS[0]) == TextState(b"state", 0, [])
        assert View(reader).text(KEYS[1]) is None
