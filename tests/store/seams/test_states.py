"""What every store promises of states and texts."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import (
    ACTOR,
    ANOTHER_GENESIS,
    EVERY_BYTE,
    GENESIS,
    OTHER,
    SEQ_MAX,
    AnyStore,
    actor,
    entity,
    record,
)


def test_states_are_found_by_key_and_in_order_of_kinds_and_ids(store: AnyStore) -> None:
    many = [record(number, kind) for kind in ("task", "document") for number in range(1_250)]

    def work(tx: StoreWriter) -> None:
        tx.states.put(many[::-1], dict.fromkeys((each.key for each in many), False))

    store.transact(work)
    with store.read() as reader:
        assert list(reader.states.scan()) == many
        assert list(reader.states.scan("task")) == many[:1_250]
        assert list(reader.states.scan("document")) == many[1_250:]
        assert list(reader.states.scan("document", after=many[1_299].key)) == many[1_300:]
        assert list(reader.states.scan("document", after=many[7].key)) == many[1_250:]
        assert list(reader.states.scan("device")) == []
        found = reader.states.get(entity(number, "document") for number in range(500, 3_000))
        assert found == {each.key: each for each in many[1_750:]}
        assert reader.states.get([]) == {}


def test_a_state_is_replaced_and_its_marks_with_it(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        marks = {entity(1): True, entity(2): False, entity(3): True}
        tx.states.put([record(1), record(2, hidden=True), record(3)], marks)
        tx.states.put([record(1, hidden=True, state=b"new"), record(2)], {entity(1): False, entity(2): True})

    store.transact(work)
    with store.read() as reader:
        assert reader.states.get([entity(1)]) == {entity(1): record(1, hidden=True, state=b"new")}
        assert reader.index.hidden("task") == [entity(1)]
        assert reader.index.hidden("document") == []
        assert reader.index.conflicted() == [entity(2), entity(3)]


def test_a_text_is_its_state_and_the_updates_since(store: AnyStore) -> None:
    key = (entity(1), "content", GENESIS)

    def work(tx: StoreWriter) -> list[int]:
        assert tx.states.text(*key) is None
        tx.states.put_text(*key, b"state", 0)
        return [tx.states.append_text(*key, *edit) for edit in ((ACTOR, 1, b"a"), (OTHER, SEQ_MAX, EVERY_BYTE))]

    first, second = store.transact(work)
    assert 0 < first < second
    with store.read() as reader:
        everything = [(first, ACTOR, 1, b"a"), (second, OTHER, SEQ_MAX, EVERY_BYTE)]
        assert reader.states.text(*key) == (b"state", 0, everything)
        assert reader.states.text(*key, since=0) == (b"", 0, everything)
        assert reader.states.text(*key, since=first) == (b"", 0, everything[1:])
        assert reader.states.text(*key, since=second) == (b"", 0, [])
        assert reader.states.text(entity(1), "content", ANOTHER_GENESIS) is None
        assert reader.states.text(entity(1), "description", GENESIS) is None


def test_a_state_that_is_written_anew_includes_the_updates_before_it(store: AnyStore) -> None:
    key = (entity(1), "content", GENESIS)

    def work(tx: StoreWriter) -> list[int]:
        tx.states.put_text(*key, b"old", 0)
        serials = [tx.states.append_text(*key, ACTOR, number, b"%d" % number) for number in range(3)]
        tx.states.put_text(*key, b"new", serials[1])
        return serials

    serials = store.transact(work)
    with store.read() as reader:
        rest = [(serials[2], ACTOR, 2, b"2")]
        assert reader.states.text(*key) == (b"new", serials[1], rest)
        assert reader.states.text(*key, since=serials[0]) == (b"new", serials[1], rest)
        assert reader.states.text(*key, since=serials[1]) == (b"", serials[1], rest)


def test_all_texts_are_named_in_order(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for number, field, genesis in ((2, "content", 9), (1, "description", 8), (2, "content", 7)):
            tx.states.put_text(entity(number), field, actor(genesis), b"state", 0)
        tx.states.put_text(entity(2), "content", actor(9), b"newer", 1)

    store.transact(work)
    with store.read() as reader:
        named = [tuple(each) for each in reader.states.texts()]
    listed = ((1, "description", 8), (2, "content", 7), (2, "content", 9))
    assert named == [(entity(number), field, actor(genesis)) for number, field, genesis in listed]


def test_serial_numbers_only_grow_over_all_texts_and_lives_of_the_view(store: AnyStore) -> None:
    def append(tx: StoreWriter) -> int:
        return tx.states.append_text(entity(1), "content", GENESIS, ACTOR, 1, b"edit")

    serials = [store.transact(append) for _ in range(3)]
    store.transact(lambda tx: tx.states.put_text(entity(1), "content", GENESIS, b"", serials[-1]))
    serials.append(store.transact(append))
    store.transact(lambda tx: tx.forget([entity(1)]))
    serials.append(store.transact(append))
    store.transact(lambda tx: tx.clear_view())
    serials.append(store.transact(append))
    assert serials == sorted(set(serials))
