"""What every store promises of segments, and of the log behind them."""

from __future__ import annotations

import pytest

from edda_sync.store.seams import Rewritten, StoreWriter
from tests.store.samples import ACTOR, OTHER, AnyStore, entity, hash_of, head, logged


def test_segments_stand_in_the_log_and_their_parts_beside_it(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
        tx.segments.append(2, b"second")
        tx.segments.append(7, b"seventh")
        tx.blobs.keep_part(b"second", 0, b"part 0")
        tx.blobs.keep_part(b"second", 0, b"again")
        tx.blobs.keep_part(b"dropped", 0, b"part 0")
        tx.blobs.drop(b"second")  # which was merged
        tx.blobs.drop(b"dropped")

    store.transact(work)
    with store.read() as reader:
        assert list(reader.segments.merged()) == [(2, b"second"), (7, b"seventh")]
        assert reader.log.position() == 7
        assert reader.blobs.part(b"second", 0) == b"part 0"
        assert reader.blobs.part(b"second", 1) is None
        assert reader.blobs.part(b"dropped", 0) is None


def test_a_segment_leaves_room_in_the_log_for_the_changes_that_it_replaces(store: AnyStore) -> None:
    def begin(tx: StoreWriter) -> list[int]:
        tx.log.set_head(head(OTHER, 8))
        tx.segments.append(9, b"segment")
        found = [tx.log.position()]
        tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
        found.append(tx.log.position())
        tx.log.append(logged(1, OTHER, 1), head(OTHER, 8))
        return [*found, tx.log.position()]

    def go_on(tx: StoreWriter) -> int:
        tx.log.append(logged(2, OTHER, 2), head(OTHER, 8))
        return tx.log.position()

    assert store.transact(begin) == [9, 10, 10]
    assert store.transact(go_on) == 10
    with store.read() as reader:
        assert reader.log.position() == 10
        assert list(reader.log.positions_after({})) == [1, 2, 10]
        assert list(reader.log.positions_after({OTHER: 1})) == [2, 10]
        assert list(reader.log.hashes(OTHER, 1)) == [(1, hash_of(OTHER, 1)), (2, hash_of(OTHER, 2))]
        assert [reader.log.hash_at(OTHER, seq) for seq in (2, 3, 8)] == [hash_of(OTHER, 2), None, hash_of(OTHER, 8)]
        assert reader.tables.counts()["changes"] == 3


def test_a_segment_below_the_changes_in_the_log_does_not_move_its_end(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[int]:
        tx.log.append(logged(5, ACTOR, 1), head(ACTOR, 1))
        tx.segments.append(2, b"segment")
        return [tx.log.position()]

    assert store.transact(work) == [5]
    with store.read() as reader:
        assert reader.log.position() == 5


def test_the_log_behind_a_segment_is_forgotten_with_its_signatures_and_the_rest_stays(store: AnyStore) -> None:
    def begin(tx: StoreWriter) -> None:
        tx.segments.append(9, b"segment")
        tx.log.set_head(head(OTHER, 8))
        tx.signatures.add(OTHER, 8, b"of the segment")
        tx.log.append_part(2, 0, b"part")
        for seq in (1, 2):
            tx.log.append(logged(seq, OTHER, seq), head(OTHER, 8))
            tx.signatures.add(OTHER, seq, b"behind")
        tx.log.set_head(head(OTHER, 8)._replace(signed_seq=8, signature=b"of the segment"))
        tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
        tx.signatures.add(ACTOR, 1, b"beyond")
        tx.log.append_part(10, 0, b"part")
        tx.segments.set_behind(head(OTHER, 2))

    store.transact(begin)
    store.transact(lambda tx: tx.segments.drop_behind())
    with store.read() as reader:
        assert dict(reader.segments.behind()) == {}
        assert list(reader.log.positions_after({})) == [10]
        assert reader.log.position_of(OTHER, 1) is None
        assert list(reader.log.parts(2)) == []
        assert list(reader.log.parts(10)) == [b"part"]
        assert (reader.signatures.at(OTHER, 1), reader.signatures.at(OTHER, 2)) == (None, None)
        assert reader.signatures.at(OTHER, 8) == b"of the segment"
        assert reader.signatures.at(ACTOR, 1) == b"beyond"
        assert [position for position, _ in reader.segments.merged()] == [9]
        assert reader.log.heads()[OTHER].seq == 8
    store.transact(lambda tx: tx.log.append(logged(1, OTHER, 1), head(OTHER, 8)))


def test_the_progress_of_the_log_behind_a_segment_is_known_until_the_segment_ends(store: AnyStore) -> None:
    def begin(tx: StoreWriter) -> None:
        tx.segments.append(9, b"segment")
        tx.blobs.keep_part(b"segment", 0, b"part")
        tx.blobs.keep_part(b"half", 0, b"part")
        tx.log.append(logged(1, OTHER, 1), head(OTHER, 8))
        for each in (head(OTHER, 1), head(ACTOR, 1), head(OTHER, 2)):
            tx.segments.set_behind(each)

    def end(tx: StoreWriter) -> int:
        tx.segments.end(b"segment")
        return tx.log.position()

    def fail(tx: StoreWriter) -> None:
        tx.segments.end(b"segment")
        raise ValueError("stop")

    store.transact(begin)
    with pytest.raises(ValueError, match="stop"):
        store.transact(fail)
    with store.read() as reader:
        assert dict(reader.segments.behind()) == {OTHER: head(OTHER, 2), ACTOR: head(ACTOR, 1)}
        assert reader.log.heads() == {OTHER: head(OTHER, 8)}
        assert reader.log.position() == 9
    assert store.transact(end) == 1
    with store.read() as reader:
        assert dict(reader.segments.behind()) == {}
        assert list(reader.segments.merged()) == []
        assert reader.blobs.part(b"segment", 0) is None
        assert [tuple(each) for each in reader.blobs.unreferenced()] == [(b"half", 1)]
        assert reader.log.position() == 1
        assert [reader.log.read(position) for position in reader.log.positions_after({})] == [logged(1, OTHER, 1)]


def test_the_effects_of_edits_on_texts_are_kept_in_log_order_until_they_are_forgotten(store: AnyStore) -> None:
    kept = [
        Rewritten(12, entity(2), "before ünï", b"", b"first"),
        Rewritten(11, entity(1), None, b"edits", b"second"),
        Rewritten(12, entity(1), "", b"", b"third"),
    ]

    def forget(tx: StoreWriter) -> None:
        tx.segments.forget_rewritten()
        assert list(tx.segments.rewritten()) == []
        raise ValueError("stop")

    def keep(tx: StoreWriter) -> None:
        for each in kept:
            tx.segments.keep_rewritten(each)

    store.transact(keep)
    with pytest.raises(ValueError, match="stop"):
        store.transact(forget)
    with store.read() as reader:
        assert list(reader.segments.rewritten()) == [kept[1], kept[0], kept[2]]
        left = [reader.segments.left_by_rewriting(entity(number)) for number in (1, 2, 3)]
        assert left == [b"third", b"first", None]
    store.transact(lambda tx: tx.segments.forget_rewritten())
    with store.read() as reader:
        assert list(reader.segments.rewritten()) == []
        assert reader.segments.left_by_rewriting(entity(1)) is None


def test_the_log_ends_with_its_last_change_when_a_segment_below_it_ends(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[int]:
        tx.segments.append(9, b"segment")
        tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
        tx.segments.end(b"segment")
        return [tx.log.position()]

    assert store.transact(work) == [10]
    with store.read() as reader:
        assert reader.log.position() == 10
