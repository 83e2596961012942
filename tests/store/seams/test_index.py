"""What every store promises of its index."""

from __future__ import annotations

from contextlib import suppress

from edda_sync.store.seams import Deleted, StoreWriter
from tests.store.samples import ACTOR, OTHER, AnyStore, entity, record, text_id


def test_ids_are_found_by_their_end_and_the_visible_come_first(store: AnyStore) -> None:
    def number(high: int, low: int) -> int:
        return high << 32 | low

    records = [record(number(high, 0xABCDEF), hidden=high < 5) for high in range(30)]
    records += [record(number(1, 0xABCDEE)), record(number(40, 0xABCDEF), "document")]
    store.transact(lambda tx: tx.states.put(records, dict.fromkeys((each.key for each in records), False)))
    with store.read() as reader:
        found = reader.index.ids_ending("task", "abcdef")
        assert found == [text_id(number(high, 0xABCDEF)) for high in range(5, 25)]
        assert reader.index.ids_ending("task", "000100abcdee") == [text_id(number(1, 0xABCDEE))]
        assert reader.index.ids_ending("document", "abcdef") == [text_id(number(40, 0xABCDEF))]
        assert reader.index.ids_ending("task", "abcdf0") == []


def test_the_digest_is_a_sum_modulo_2_to_the_128(store: AnyStore) -> None:
    top = (1 << 128) - 1

    def work(tx: StoreWriter) -> list[int]:
        found = [tx.index.digest()]
        for delta in (-1, 2, 0, 5 - (3 << 128), top):
            tx.index.add_to_digest(delta)
            found.append(tx.index.digest())
        return found

    assert store.transact(work) == [0, top, 1, 1, 6, 5]
    with store.read() as reader:
        assert reader.index.digest() == 5
    store.transact(lambda tx: tx.index.add_to_digest(-6))
    with store.read() as reader:
        assert reader.index.digest() == top


def test_texts_with_outdated_rows_are_noted_once(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for number in (2, 1, 2):
            tx.index.set_stale({entity(number): True})

    store.transact(work)
    with store.read() as reader:
        assert reader.index.stale() == [entity(1), entity(2)]
    store.transact(lambda tx: tx.index.set_stale({entity(1): False, entity(3): False}))  # one of them was not
    with store.read() as reader:
        assert reader.index.stale() == [entity(2)]
        assert reader.index.stale_among([entity(1), entity(2), entity(4)]) == {entity(2)}
        assert reader.index.stale_among([]) == set()


def test_a_transaction_sees_the_texts_that_wait_after_its_own_writes(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        assert tx.index.stale_among([entity(1)]) == set()
        tx.index.set_stale({entity(1): True, entity(2): True})
        assert (tx.index.stale(), tx.index.stale_among([entity(1)])) == ([entity(1), entity(2)], {entity(1)})
        tx.index.set_stale({entity(1): False, entity(2): True, entity(3): True})
        assert tx.index.stale_among([entity(1), entity(2), entity(3)]) == {entity(2), entity(3)}
        with suppress(ZeroDivisionError), tx.undoing():
            tx.index.set_stale({entity(1): True, entity(2): False})
            raise ZeroDivisionError
        tx.index.set_stale({entity(1): True})
        assert tx.index.stale() == [entity(1), entity(2), entity(3)]

    store.transact(work)
    with store.read() as reader:
        assert reader.index.stale() == [entity(1), entity(2), entity(3)]


def test_open_deletions_are_kept_until_they_are_written_again_or_end(store: AnyStore) -> None:
    one, other = (ACTOR, 1, 5, None), (OTHER, 2, 4, None)
    both = [entity(1), entity(2, "tag")]
    deletions = {
        both[1]: Deleted((one, other), True),
        both[0]: Deleted((one,), True),
        entity(3): Deleted((one,), False),
    }
    store.transact(lambda tx: tx.index.set_deletions(deletions))
    with store.read() as reader:
        assert reader.index.contested() == both
        assert reader.index.deletions([entity(2, "tag"), entity(9)]) == {entity(2, "tag"): (one, other)}
        assert reader.index.deletions([]) == {}

    def work(tx: StoreWriter) -> None:
        tx.index.set_deletions({entity(1): None, entity(3): Deleted((other,), True)})
        assert tx.index.contested() == [entity(3), entity(2, "tag")]
        with suppress(ZeroDivisionError), tx.undoing():
            tx.index.set_deletions({entity(3): None})
            raise ZeroDivisionError

    store.transact(work)
    with store.read() as reader:
        assert reader.index.contested() == [entity(3), entity(2, "tag")]
        assert reader.index.deletions([entity(1), entity(3)]) == {entity(3): (other,)}
