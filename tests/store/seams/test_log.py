"""What every store promises of its log."""

from __future__ import annotations

import pytest

from edda_sync.store.seams import Logged, Rewritten, StoreWriter, Unapplied
from edda_sync.words.errors import CorruptError, StorageError
from tests.store.samples import ACTOR, OTHER, SEQ_MAX, AnyStore, actor, entity, hash_of, head, logged


def test_the_log_gives_back_what_was_appended(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        assert tx.log.position() == 0
        tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
        tx.log.append(logged(2, actor(0), SEQ_MAX, body=b""), head(actor(0), SEQ_MAX))
        tx.log.append(logged(3, ACTOR, 2), head(ACTOR, 2))

    store.transact(work)
    with store.read() as reader:
        assert reader.log.position() == 3
        assert reader.log.heads() == {ACTOR: head(ACTOR, 2), actor(0): head(actor(0), SEQ_MAX)}
        assert reader.log.read(1) == logged(1, ACTOR, 1)
        assert reader.log.read(2) == logged(2, actor(0), SEQ_MAX, body=b"")
        assert reader.log.hash_at(ACTOR, 1) == hash_of(ACTOR, 1)
        assert reader.log.hash_at(ACTOR, 3) is None
        assert reader.log.hash_at(OTHER, 1) is None
        assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3)] == [1, 3, None]
        with pytest.raises(CorruptError, match="nothing at position 4"):
            reader.log.read(4)
        assert [seq for seq, _ in reader.log.hashes(ACTOR, 1)] == [1, 2]
        assert list(reader.log.hashes(ACTOR, 2)) == [(2, hash_of(ACTOR, 2))]
        assert list(reader.log.hashes(OTHER, 1)) == []


def test_the_changes_are_read_backwards_from_the_latest_one(store: AnyStore) -> None:
    with store.read() as reader:
        assert list(reader.log.backwards()) == []

    def work(tx: StoreWriter) -> None:
        for position in (3, 1, 7, 2):
            tx.log.append(logged(position, actor(position), 1), head(actor(position), 1))
        assert list(tx.log.backwards()) == [7, 3, 2, 1]

    store.transact(work)
    with store.read() as reader:
        positions = reader.log.backwards()
        assert next(positions) == 7
        assert reader.log.read(7) == logged(7, actor(7), 1)
        assert list(positions) == [3, 2, 1], "something else was read meanwhile"


def test_headers_are_read_from_a_seq_to_a_seq_in_any_order_of_arrival(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.log.set_head(head(ACTOR, 6))
        for position, (author, seq) in enumerate([(ACTOR, 4), (OTHER, 1), (ACTOR, 1), (ACTOR, 3), (ACTOR, 2)], 1):
            tx.log.append(
                logged(position, author, seq),
                head(author, max(seq, tx.log.heads().get(author, head(author, 0)).seq)),
            )

    store.transact(work)
    with store.read() as reader:
        assert list(reader.log.headers(ACTOR, 1, 4)) == [b"header %d" % seq for seq in (1, 2, 3, 4)]
        assert list(reader.log.headers(ACTOR, 2, 3)) == [b"header 2", b"header 3"]
        assert list(reader.log.headers(ACTOR, 4, 6)) == [b"header 4"]  # the others are not in the log
        assert list(reader.log.headers(ACTOR, 3, 2)) == list(reader.log.headers(actor(5), 1, 9)) == []


def test_a_head_whose_change_is_not_in_the_log_has_a_hash_too(store: AnyStore) -> None:
    store.transact(lambda tx: tx.log.set_head(head(OTHER, 5)))
    with store.read() as reader:
        assert reader.log.hash_at(OTHER, 5) == hash_of(OTHER, 5)
        assert reader.log.hash_at(OTHER, 4) is None
        assert reader.log.position_of(OTHER, 5) is None
        assert list(reader.log.positions_after({})) == []


def test_a_later_reader_sees_the_later_heads(store: AnyStore) -> None:
    with store.read() as reader:
        assert reader.log.heads() == {}
    for seq in (1, 2):
        store.transact(lambda tx, seq=seq: tx.log.append(logged(seq, ACTOR, seq), head(ACTOR, seq)))  # type: ignore[misc]
        with store.read() as reader:
            assert reader.log.heads() == {ACTOR: head(ACTOR, seq)}


def test_changes_that_a_frontier_lacks_are_found_in_log_order(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for position, (number, seq) in enumerate([(9, 1), (4, 1), (9, 2), (4, 2), (9, 3)], 1):
            tx.log.append(logged(position, actor(number), seq), head(actor(number), seq))

    store.transact(work)
    with store.read() as reader:
        assert list(reader.log.positions_after({})) == [1, 2, 3, 4, 5]
        assert list(reader.log.positions_after({actor(9): 2})) == [2, 4, 5]
        assert list(reader.log.positions_after({actor(9): 3, actor(4): 1, actor(77): 5})) == [4]
        assert list(reader.log.positions_after({actor(9): 30, actor(4): 2})) == []


@pytest.mark.parametrize("second", [logged(1, OTHER, 1), logged(2, ACTOR, 1)], ids=["position", "dot"])
def test_neither_a_position_nor_a_dot_is_used_twice(store: AnyStore, second: Logged) -> None:
    store.transact(lambda tx: tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1)))
    with pytest.raises(StorageError):
        store.transact(lambda tx: tx.log.append(second, head(second.actor, second.seq)))
    with store.read() as reader:
        assert reader.log.position() == 1
        assert set(reader.log.heads()) == {ACTOR}


def test_parts_come_in_order_and_end_at_the_first_gap(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for number in (2, 0, 1, 4):
            tx.log.append_part(1, number, b"part %d" % number)

    store.transact(work)
    with store.read() as reader:
        assert list(reader.log.parts(1)) == [b"part 0", b"part 1", b"part 2"]
        assert reader.log.part(1, 4) == b"part 4"
        assert reader.log.part(1, 3) is None
        assert list(reader.log.parts(2)) == []
    with pytest.raises(StorageError):
        store.transact(lambda tx: tx.log.append_part(1, 0, b"again"))


def test_a_damaged_change_of_the_log_is_replaced_at_its_place(store: AnyStore) -> None:
    sound = [logged(1, ACTOR, 1), logged(2, OTHER, 1, body=b""), logged(3, ACTOR, 2)]
    rotten = sound[1]._replace(hash=b"rotten", raw=b"rotten", body=b"rotten")

    def begin(tx: StoreWriter) -> None:
        for each in (sound[0], rotten, sound[2]):
            tx.log.append(each, head(each.actor, each.seq))
        tx.log.append_part(2, 0, b"part 0")
        tx.log.append_part(2, 1, b"rotten")

    def mend(tx: StoreWriter) -> None:
        tx.log.replace(sound[1])
        tx.log.replace_part(2, 1, b"part 1")

    store.transact(begin)
    store.transact(mend)
    with store.read() as reader:
        assert [reader.log.read(position) for position in reader.log.positions_after({})] == sound
        assert list(reader.log.parts(2)) == [b"part 0", b"part 1"]
        assert reader.log.heads() == {ACTOR: head(ACTOR, 2), OTHER: head(OTHER, 1)}
        assert list(reader.log.hashes(OTHER, 1)) == [(1, hash_of(OTHER, 1))]
        assert (reader.log.position(), reader.tables.counts()["changes"]) == (3, 3)


def test_a_writer_sees_the_heads_that_it_moves_and_signs(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for seq in (1, 2, 3):
            tx.log.append(logged(seq, ACTOR, seq), head(ACTOR, seq))
            assert tx.log.heads() == {ACTOR: head(ACTOR, seq)}
        tx.signatures.add(OTHER, 1, b"of nobody who is here")
        for seq, signed in ((2, 2), (1, 2), (3, 3)):  # an older signature vouches for less
            tx.signatures.add(ACTOR, seq, b"signature %d" % seq)
            expected = head(ACTOR, 3)._replace(signed_seq=signed, signature=b"signature %d" % signed)
            assert tx.log.heads() == {ACTOR: expected}

    store.transact(work)
    with store.read() as reader:
        assert reader.log.heads() == store.transact(lambda tx: tx.log.heads())


def test_changes_above_a_seq_get_another_name_together_with_their_signatures_and_head(store: AnyStore) -> None:
    new = actor(77)

    def begin(tx: StoreWriter) -> None:
        for position, (author, seq) in enumerate([(ACTOR, 1), (OTHER, 1), (ACTOR, 2), (ACTOR, 3), (ACTOR, 4)], 1):
            tx.log.append(logged(position, author, seq), head(author, seq))
        for seq in (1, 2, 4):
            tx.signatures.add(ACTOR, seq, b"signature %d" % seq)

    store.transact(begin)
    before = head(ACTOR, 2)._replace(deps=b"deps then", signature=b"of a later one")
    assert list(store.transact(lambda tx: tx.log.rename(ACTOR, 2, new, before))) == [4, 5]
    with store.read() as reader:
        heads = reader.log.heads()
        assert heads[ACTOR] == before._replace(signed_seq=2, signature=b"signature 2")
        assert heads[new] == head(ACTOR, 4)._replace(actor=new, signed_seq=4, signature=b"signature 4")
        assert heads[OTHER] == head(OTHER, 1)
        assert [(each.actor, each.seq) for each in map(reader.log.read, reader.log.positions_after({}))] == [
            (ACTOR, 1), (OTHER, 1), (ACTOR, 2), (new, 3), (new, 4),
        ]  # fmt: skip
        assert reader.log.read(4) == logged(4, ACTOR, 3)._replace(actor=new)
        assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3)] == [1, 3, None]
        assert [reader.log.position_of(new, seq) for seq in (2, 3, 4)] == [None, 4, 5]
        assert [reader.signatures.at(ACTOR, seq) for seq in (1, 2, 4)] == [b"signature 1", b"signature 2", None]
        assert [reader.signatures.next(new, seq) for seq in (1, 4, 5)] == [4, 4, None]
        assert list(reader.log.positions_after({ACTOR: 2})) == [2, 4, 5]


def test_changes_move_behind_all_others_with_everything_that_follows_from_their_position(store: AnyStore) -> None:
    kept = Rewritten(4, entity(4), "before", b"edits", b"left")

    def begin(tx: StoreWriter) -> None:
        tx.segments.append(9, b"segment")
        for seq, position in enumerate((1, 2, 4, 12), 1):
            tx.log.append(logged(position, ACTOR, seq), head(ACTOR, seq))
            tx.log.append_part(position, 0, b"part of %d" % seq)
            tx.mentions.add([(entity(seq), position), (entity(9), position)])
            tx.unapplied.add([Unapplied(position, 1, entity(seq), seq == 2, "why")])
            tx.segments.keep_rewritten(kept._replace(position=position, entity=entity(seq)))

    def move(tx: StoreWriter) -> list[int]:
        tx.log.move_to_end([4, 1])
        return [tx.log.position()]

    store.transact(begin)
    assert store.transact(move) == [14]
    store.transact(lambda tx: tx.log.move_to_end([]))
    with store.read() as reader:
        positions = list(reader.log.positions_after({}))
        assert positions == [2, 12, 13, 14]
        assert [reader.log.read(position) for position in positions] == [
            logged(position, ACTOR, seq) for position, seq in zip(positions, (2, 4, 3, 1), strict=True)
        ]
        assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3, 4)] == [14, 2, 13, 12]
        assert [list(reader.log.parts(position)) for position in (4, *positions)] == [
            [], *([b"part of %d" % seq] for seq in (2, 4, 3, 1)),
        ]  # fmt: skip
        assert list(reader.mentions.of(entity(9))) == positions
        assert [list(reader.mentions.of(entity(seq))) for seq in (1, 2, 3, 4)] == [[14], [2], [13], [12]]
        assert [(each.position, each.entity) for each in reader.unapplied.operations()] == [
            (position, entity(seq)) for position, seq in zip(positions, (2, 4, 3, 1), strict=True)
        ]
        assert reader.unapplied.waiting() == 3
        assert [each.position for each in reader.segments.rewritten()] == positions
        assert reader.log.heads() == {ACTOR: head(ACTOR, 4)}
        assert list(reader.segments.merged()) == [(9, b"segment")]
        assert (reader.log.position(), reader.tables.counts()["changes"]) == (14, 4)


def test_the_last_change_may_move_to_the_end_as_well(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> int:
        tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
        tx.log.move_to_end([1])
        tx.log.append(logged(tx.log.position() + 1, ACTOR, 2), head(ACTOR, 2))
        return tx.log.position()

    assert store.transact(work) == 3
    with store.read() as reader:
        assert list(reader.log.positions_after({})) == [2, 3]


def test_a_chain_that_forks_at_its_first_change_leaves_nothing_under_its_name(store: AnyStore) -> None:
    new = actor(77)

    def work(tx: StoreWriter) -> list[int]:
        tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
        tx.signatures.add(ACTOR, 1, b"signature")
        return list(tx.log.rename(ACTOR, 0, new, None))

    assert store.transact(work) == [1]
    with store.read() as reader:
        assert reader.log.heads() == {new: head(ACTOR, 1)._replace(actor=new, signed_seq=1, signature=b"signature")}
        assert reader.log.hash_at(ACTOR, 1) is None
        assert reader.signatures.at(new, 1) == b"signature"


def test_the_rest_of_a_chain_that_was_never_signed_is_unsigned_too(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        for seq in (1, 2):
            tx.log.append(logged(seq, ACTOR, seq), head(ACTOR, seq))
        tx.signatures.add(ACTOR, 2, b"signature")
        tx.log.rename(ACTOR, 1, OTHER, head(ACTOR, 1)._replace(signature=b"signature"))

    store.transact(work)
    with store.read() as reader:
        assert reader.log.heads()[ACTOR] == head(ACTOR, 1)


def test_changes_that_a_segment_replaces_are_renamed_by_their_head_alone(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[int]:
        tx.log.set_head(head(ACTOR, 9))
        tx.segments.append(10, b"segment")
        tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 9))
        tx.log.append(logged(2, ACTOR, 2), head(ACTOR, 9))
        return list(tx.log.rename(ACTOR, 1, OTHER, head(ACTOR, 1)))

    assert store.transact(work) == [2]
    with store.read() as reader:
        assert reader.log.heads() == {ACTOR: head(ACTOR, 1), OTHER: head(ACTOR, 9)._replace(actor=OTHER)}
        assert [reader.log.position_of(OTHER, seq) for seq in (1, 2, 3)] == [None, 2, None]


def test_lives_are_dropped_with_everything_that_follows_from_the_positions_of_their_changes(store: AnyStore) -> None:
    def fill(tx: StoreWriter) -> None:
        for position, author, seq in ((1, ACTOR, 1), (2, OTHER, 1), (3, ACTOR, 2), (4, OTHER, 2)):
            tx.log.append(logged(position, author, seq), head(author, seq))
            tx.log.append_part(position, 0, b"part")
            tx.mentions.add([(entity(1), position)])
            tx.unapplied.add([Unapplied(position, 1, entity(1), False, "waits")])
            tx.segments.keep_rewritten(Rewritten(position, entity(1), "x", b"", b""))
            tx.signatures.add(author, seq, b"signed")

    def drop(tx: StoreWriter) -> int:
        tx.log.drop_lives([OTHER])
        return tx.log.position()

    def fail(tx: StoreWriter) -> None:
        assert drop(tx) == 3
        raise ValueError("stop")

    store.transact(fill)
    with pytest.raises(ValueError, match="stop"):
        store.transact(fail)
    with store.read() as reader:
        assert list(reader.log.positions_after({})) == [1, 2, 3, 4]
        assert reader.unapplied.waiting() == 4
    assert store.transact(drop) == 3
    with store.read() as reader:
        assert set(reader.log.heads()) == {ACTOR}
        assert list(reader.log.positions_after({})) == list(reader.mentions.of(entity(1))) == [1, 3]
        assert [reader.log.position_of(OTHER, seq) for seq in (1, 2)] == [None, None]
        assert [list(reader.log.parts(position)) for position in (1, 2)] == [[b"part"], []]
        assert [each.position for each in reader.unapplied.operations()] == [1, 3]
        assert [each.position for each in reader.segments.rewritten()] == [1, 3]
        assert (reader.signatures.at(OTHER, 2), reader.signatures.at(ACTOR, 2)) == (None, b"signed")
        assert (reader.unapplied.waiting(), reader.log.position()) == (2, 3)
    store.transact(lambda tx: tx.log.append(logged(4, OTHER, 1), head(OTHER, 1)))
    store.transact(lambda tx: tx.segments.keep_rewritten(Rewritten(4, entity(2), "y", b"", b"")))
    with store.read() as reader:
        assert [each.before for each in reader.segments.rewritten()] == ["x", "x", "y"]
