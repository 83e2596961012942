"""What every store promises of signatures."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import ACTOR, OTHER, AnyStore, head


def test_a_signature_is_kept_at_its_seq_and_the_head_knows_the_latest(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.log.set_head(head(ACTOR, 9))
        tx.signatures.add(ACTOR, 5, b"five")
        tx.signatures.add(ACTOR, 3, b"three")
        tx.signatures.add(ACTOR, 5, b"another five")
        tx.signatures.add(OTHER, 4, b"of nobody known")

    store.transact(work)
    with store.read() as reader:
        assert reader.log.heads()[ACTOR] == head(ACTOR, 9)._replace(signed_seq=5, signature=b"five")
        assert set(reader.log.heads()) == {ACTOR}
        assert [reader.signatures.at(ACTOR, seq) for seq in (3, 4, 5)] == [b"three", None, b"five"]
        assert [reader.signatures.next(ACTOR, seq) for seq in (1, 3, 4, 6)] == [3, 3, 5, None]
        assert [reader.signatures.last(ACTOR, seq) for seq in (2, 3, 4, 6)] == [None, 3, 3, 5]
        assert reader.signatures.next(OTHER, 1) == 4
