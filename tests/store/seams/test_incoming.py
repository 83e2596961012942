"""What every store promises of large changes that arrive in parts."""

from __future__ import annotations

from edda_sync.store.seams import Incoming, StoreWriter
from tests.store.samples import ACTOR, OTHER, SEQ_MAX, AnyStore


def test_a_large_change_that_came_in_another_way_is_forgotten_with_its_parts(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.incoming.expect(OTHER, 1, b"header")
        tx.incoming.keep_part(OTHER, 1, 0, b"part")
        tx.incoming.expect(ACTOR, 2, b"another")
        tx.incoming.forget(OTHER, 1)
        tx.incoming.forget(OTHER, 7)
        tx.incoming.expect(OTHER, 1, b"again")

    store.transact(work)
    with store.read() as reader:
        found = sorted(reader.incoming.all())
    assert found == sorted([Incoming(OTHER, 1, b"again", frozenset()), Incoming(ACTOR, 2, b"another", frozenset())])


def test_parts_of_a_large_change_wait_until_it_is_complete(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.incoming.expect(OTHER, 1, b"header")
        tx.incoming.expect(OTHER, 1, b"again")
        tx.incoming.expect(ACTOR, 2, b"another")
        for number in (1, 0, 1):
            tx.incoming.keep_part(OTHER, 1, number, b"part %d" % number)

    store.transact(work)
    with store.read() as reader:
        assert list(reader.incoming.all()) == [
            Incoming(OTHER, 1, b"header", frozenset({0, 1})),
            Incoming(ACTOR, 2, b"another", frozenset()),
        ]
        assert [reader.incoming.part(OTHER, 1, number) for number in (0, 1)] == [b"part 0", b"part 1"]
    store.transact(lambda tx: tx.incoming.complete(OTHER, 1, 4))
    with store.read() as reader:
        assert list(reader.log.parts(4)) == [b"part 0", b"part 1"]
        assert [each.actor for each in reader.incoming.all()] == [ACTOR]
        assert list(reader.incoming.all(2)) == list(reader.incoming.all())
        assert list(reader.incoming.all(SEQ_MAX)) == []
