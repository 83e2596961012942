"""What every store promises of attachments, and of the files that are complete on this device."""

from __future__ import annotations

from edda_sync.store.seams import Attached, StoreWriter
from tests.store.samples import TIME, AnyStore, entity

D1, D2, D3 = (entity(number, "document") for number in (1, 2, 3))


def row(number: int, root: int = 0, size: int = 10) -> Attached:
    return Attached(f"file.{number}", b"record %d" % number, bytes([root or number]) * 32, size, TIME)


def test_the_attachments_of_a_document_are_found_in_order_and_replaced_as_a_whole(store: AnyStore) -> None:
    store.transact(lambda tx: tx.attachments.put({D1: [row(1), row(2)], D2: [row(3)]}))
    with store.read() as reader:
        assert [list(reader.attachments.of(each)) for each in (D1, D2, D3)] == [[row(1), row(2)], [row(3)], []]
        assert list(reader.attachments.scan()) == [(D1, row(1)), (D1, row(2)), (D2, row(3))]
    store.transact(lambda tx: tx.attachments.put({D1: [row(2, size=11), row(4)], D2: []}))
    with store.read() as reader:
        assert list(reader.attachments.scan()) == [(D1, row(2, size=11)), (D1, row(4))]


def test_a_file_of_which_two_sizes_are_said_counts_once_with_the_lesser(store: AnyStore) -> None:
    store.transact(lambda tx: tx.attachments.put({D1: [row(1, root=7, size=20)], D2: [row(2, root=7, size=30)]}))
    with store.read() as reader:
        assert reader.attachments.lacking() == reader.attachments.totals() == (1, 20)


def test_who_refers_to_a_file_is_found(store: AnyStore) -> None:
    store.transact(lambda tx: tx.attachments.put({D2: [row(1, root=7)], D1: [row(2, root=7), row(3)]}))
    with store.read() as reader:
        assert list(reader.attachments.referring(bytes([7]) * 32)) == [(D1, row(2, root=7)), (D2, row(1, root=7))]
        assert list(reader.attachments.referring(bytes(32))) == []


def test_what_is_missing_comes_once_for_each_file_the_smallest_first(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.attachments.put({D1: [row(1, size=300), row(2, root=9, size=200)], D2: [row(3, root=9, size=200), row(4)]})
        assert tx.attachments.lacking() == tx.attachments.totals() == (3, 510)

    store.transact(work)
    with store.read() as reader:
        missing = reader.attachments.missing
        assert [each.size for each in missing(1_000, 10)] == [10, 200, 300]
        assert list(missing(200, 10)) == [row(4), row(2, root=9, size=200)]
        assert list(missing(1_000, 1)) == [row(4)]
        assert list(missing(1_000, 10, (10, row(4).root))) == [row(2, root=9, size=200), row(1, size=300)]
        assert list(missing(1_000, 10, (200, bytes(32)))) == [row(2, root=9, size=200), row(1, size=300)]
        assert list(missing(1_000, 10, (300, row(1).root))) == []


def test_a_file_that_is_held_is_missing_no_more_until_it_is_released(store: AnyStore) -> None:
    store.transact(lambda tx: tx.attachments.put({D1: [row(1), row(2)]}))
    store.transact(lambda tx: tx.attachments.hold(row(1).root))
    store.transact(lambda tx: tx.attachments.hold(row(1).root))  # again is nothing
    with store.read() as reader:
        assert (reader.attachments.holds(row(1).root), reader.attachments.holds(row(2).root)) == (True, False)
        assert list(reader.attachments.missing(1_000, 10)) == [row(2)]
        assert (reader.attachments.lacking(), reader.attachments.totals()) == ((1, 10), (2, 20))
    store.transact(lambda tx: tx.attachments.release([row(1).root, bytes(32)]))
    with store.read() as reader:
        assert reader.attachments.lacking() == (2, 20)


def test_files_that_are_held_and_needed_by_nobody_are_found(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.attachments.put({D1: [row(1)], D2: [row(2)]})
        for number in (1, 2, 3):
            tx.attachments.hold(row(number).root)
        tx.attachments.put({D2: []})

    store.transact(work)
    with store.read() as reader:
        assert list(reader.attachments.unneeded()) == [row(2).root, row(3).root]


def test_what_is_here_outlives_a_new_fold_and_what_is_attached_does_not(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.attachments.put({D1: [row(1)], D2: [row(2)]})
        tx.attachments.hold(row(1).root)
        tx.forget([D2])
        assert list(tx.attachments.scan()) == [(D1, row(1))]
        tx.clear_view()

    store.transact(work)
    with store.read() as reader:
        assert list(reader.attachments.scan()) == []
        assert reader.attachments.holds(row(1).root)
