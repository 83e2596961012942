"""Making segments: once a day, only of what is certain, signed, and served by hash."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import segment as segments
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.making import Making, forget_made, made_segment, root_of, segment_saves_us
from edda_sync.testing import devices, replica_of, sync
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError
from tests.sync.test_replica import skew

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with devices(2, backend=request.param) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk", description="and eggs", tags={"home"}))
        laptop.edit_text(task, "description", [(0, 3, "or")])
        phone.create_task(edda.Task(title="of the phone"))
        sync(laptop, phone)
        yield laptop, phone


def making(engine: StorageEngine) -> Making:
    return replica_of(engine).exchange.making


def test_a_segment_is_made_once_and_served_by_its_hash(two: Pair) -> None:
    laptop, _ = two
    maker = making(laptop)
    made = maker.made({})
    assert made is not None
    laptop.create_task(edda.Task(title="Later"))
    assert maker.made({}) == made
    parts = [maker.part(made.hash, number) or b"" for number in range(made.parts)]
    assert blake2b(b"".join(parts), digest_size=32).digest() == made.hash
    assert maker.part(made.hash, made.parts) is None
    assert maker.part(b"n" * 32, 0) is None


def test_a_segment_says_who_made_it_what_it_holds_and_where_it_stands(two: Pair) -> None:
    laptop, phone = two
    made = making(laptop).made({})
    assert made is not None
    part = making(laptop).part(made.hash, 0)
    assert part is not None
    opened = segments.read([part])
    with phone.store.read() as reader:
        records = list(reader.states.scan())
        assert opened.header.root == root_of(reader)
        assert {(head.actor, head.seq, head.hash) for head in opened.heads} == {
            (head.actor, head.seq, head.hash) for head in reader.log.heads().values()
        }
    assert opened.header.maker == laptop.identity.public_key
    signed = segments.signed_header(opened.header, laptop.workspace)
    assert verify(laptop.identity.public_key, opened.header.signature, signed)
    assert [entry.key for entry in opened.entries] == [record.key for record in records]
    assert dict(made.frontier) == laptop.frontier()


def test_a_segment_is_made_anew_after_a_day_or_when_the_clock_went_back(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = two
    maker = making(laptop)
    now = [1_000_000.0]
    monkeypatch.setattr(maker, "_wall_s", lambda: now[0])
    made = maker.made({})
    assert made is not None
    for moment in (limits.SNAPSHOT_KEPT_S_MAX, -10.0):
        laptop.create_task(edda.Task(title="more"))
        now[0] += moment
        again = maker.made({})
        assert again is not None
        assert again.hash != made.hash
        assert maker.part(made.hash, 0) is None, "the old one is forgotten"
        made = again


def test_what_was_folded_anew_is_in_no_segment_that_was_made_before(two: Pair) -> None:
    laptop, _ = two
    made = making(laptop).made({})
    assert made is not None
    laptop.rebuild()
    with laptop.store.read() as reader:
        assert made_segment(reader) is None
    assert making(laptop).part(made.hash, 0) is None
    made = making(laptop).made({})
    assert made is not None
    laptop.store.transact(forget_made)
    assert making(laptop).part(made.hash, 0) is None
    laptop.store.transact(forget_made)  # a second time has no effect


def test_a_segment_of_before_somebody_folded_anew_is_not_served_though_nobody_forgot_it(two: Pair) -> None:
    """Another process folds, or the ledger by itself; then the kept segment contains what was mended."""
    laptop, phone = two
    (task, *_) = laptop.query_tasks(edda.TaskQuery())
    key = skew(laptop, task.id)
    wrong = making(laptop).made({})
    laptop.store.transact(lambda tx: laptop.ledger.refold(tx, [key]))
    made = making(laptop).made({})
    assert made is not None
    assert wrong is not None
    assert made.hash != wrong.hash
    with phone.snapshot() as reader:
        assert segments.read([making(laptop).part(made.hash, 0) or b""]).header.root == root_of(reader)


def test_a_segment_that_rotted_since_it_was_made_is_made_anew(two: Pair) -> None:
    laptop, _ = two
    maker = making(laptop)
    made = maker.made({})
    assert made is not None
    assert maker.has({})

    def rot(tx: StoreWriter) -> None:
        part = tx.blobs.part(made.hash, 0)
        assert part is not None
        tx.blobs.drop(made.hash)
        tx.blobs.keep_part(made.hash, 0, part[:-1] + bytes((part[-1] ^ 1,)))

    laptop.store.transact(rot)
    assert not maker.has({})
    again = maker.made({})
    assert again is not None
    assert segments.read([maker.part(again.hash, 0) or b""]).header.entities > 0
    assert maker.has({})


def test_nobody_makes_a_segment_of_a_state_that_rotted(two: Pair) -> None:
    laptop, _ = two

    def rot(tx: StoreWriter) -> None:
        record = next(iter(tx.states.scan("task")))
        tx.states.put([record._replace(state=record.state[:-20] + b"rot" + record.state[-17:])], {record.key: False})

    laptop.store.transact(rot)
    with pytest.raises(CorruptError, match="The task"):
        making(laptop).made({})
    laptop.rebuild()
    made = making(laptop).made({})
    assert made is not None
    assert made.parts == 1


def test_nobody_makes_a_segment_with_a_head_that_nobody_signed(two: Pair) -> None:
    """It was relayed before its signature, and nobody would take a segment with it."""
    laptop, phone = two
    assert making(phone).given({}) is not None
    with phone.store.read() as reader:
        foreign = [head for head in reader.log.heads().values() if not replica_of(phone).exchange.giving.is_own(head)]
    assert foreign
    phone.store.transact(lambda tx: tx.log.set_head(foreign[0]._replace(signed_seq=foreign[0].seq - 1)))
    assert making(phone).given({}) is None
    assert making(laptop).given({}) is not None


def test_equal_stores_have_one_root_and_others_another(two: Pair) -> None:
    laptop, phone = two

    def root(engine: StorageEngine) -> bytes:
        with engine.snapshot() as reader:
            return root_of(reader)

    assert root(laptop) == root(phone)
    laptop.create_task(edda.Task(title="more"))
    assert root(laptop) != root(phone)


# --- log or segment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "mentions", "entities", "is_better"),
    [
        (100_000, 100_000, 100_000, False),  # each made by a change of its own
        (2, 100_000, 100_000, False),  # made in bulk
        (12, 55_000, 5_000, True),  # 5,000 tasks deleted and restored five times each, in twelve changes
        (60_000, 60_000, 10_000, True),  # each edited five times, one by one
        (20_000, 20_000, 1, True),  # a text that was typed letter by letter
        (1_000, 1_000, 1, False),  # the same, which costs little either way
        (0, 0, 0, False),
    ],
)
def test_a_segment_is_the_answer_where_the_log_costs_much_more_than_what_there_is(
    changes: int, mentions: int, entities: int, is_better: bool
) -> None:
    assert (segment_saves_us(changes, mentions, entities) >= limits.SEGMENT_SAVES_US_MIN) == is_better


def test_what_is_deleted_and_restored_again_and_again_is_given_as_a_segment_and_what_was_only_made_as_the_log(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = two
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", 1_000)
    with laptop.begin_transaction() as tx:
        made = [tx.create_task(edda.Task(title=f"task {number}")) for number in range(50)]
    assert not making(laptop).pays()
    for _ in range(3):
        with laptop.begin_transaction() as tx:
            for each in made:
                tx.delete_task(each)
        with laptop.begin_transaction() as tx:
            for each in made:
                tx.restore_task(each)
    assert sum(laptop.frontier().values()) < 20, "it is not the number of changes that counts"
    assert making(laptop).pays()
