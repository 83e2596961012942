"""The exchange: what a hello says about a store, what is compared, and what one store gives and another takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes.change import decode_header
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES, Exchange
from edda_sync.sync.messages import Summary, Wish
from edda_sync.testing import Talk, devices, replica_of, sync
from tests.sync.strange import write_change

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with devices(2, backend=request.param) as (laptop, phone):
        phone.create_task(edda.Task(title="so that there are two actors"))
        sync(laptop, phone)
        yield laptop, phone


def exchange_of(engine: StorageEngine) -> Exchange:
    return replica_of(engine).exchange


# --- a hello ----------------------------------------------------------------------------------------------------------


def test_an_introduction_lists_every_head_by_actor_with_what_its_hash_begins_with(two: Pair) -> None:
    laptop, _ = two
    told = exchange_of(laptop).introduction()
    with laptop.store.read() as reader:
        heads = sorted(reader.log.heads().values())
    assert told.heads == tuple(Summary(head.actor, head.seq, head.hash[:SUMMARY_HASH_BYTES]) for head in heads)
    assert (told.waiting, told.wanted) == (0, ())
    assert told.evidence == ()


def test_an_introduction_says_what_waits_and_what_is_half_here(two: Pair) -> None:
    laptop, phone = two
    write_change(laptop, b"\x94\x63\xa4task\xc4\x10" + bytes(16) + b"\xc0")  # [99, "task", id, nil]
    raw = header_of(laptop)
    laptop.store.transact(lambda tx: tx.incoming.expect(b"h" * 16, 9, raw))
    told = exchange_of(laptop).introduction()
    assert told.waiting == 1
    assert told.wanted == (Wish(*decode_header(raw).dot, 0),)
    assert exchange_of(phone).introduction().waiting == 0


def header_of(engine: StorageEngine) -> bytes:
    """The header of any change."""
    with engine.store.read() as reader:
        return reader.log.read(reader.log.position()).raw


# --- comparing --------------------------------------------------------------------------------------------------------


def test_what_a_peer_says_is_compared_by_hash(two: Pair) -> None:
    laptop, phone = two
    exchange = exchange_of(laptop)
    honest = exchange_of(phone).introduction().heads
    assert exchange.compared(honest) == (phone.frontier(), frozenset())
    first, *_ = honest
    lying = Summary(first.actor, first.seq, b"\xff" * SUMMARY_HASH_BYTES)
    held, apart = exchange.compared((lying,))
    assert (held, apart) == ({first.actor: first.seq}, frozenset((first.actor,)))
    earlier = Summary(first.actor, 1, b"\xff" * SUMMARY_HASH_BYTES)
    assert exchange.compared((earlier,))[1] == {first.actor}


def test_what_is_not_here_cannot_be_another_one(two: Pair) -> None:
    laptop, _ = two
    exchange = exchange_of(laptop)
    known = min(laptop.frontier())
    for actor, seq in ((known, laptop.frontier()[known] + 1), (b"unknown unknown ", 3), (known, SEQ_MAX)):
        held, apart = exchange.compared((Summary(actor, seq, b"\xff" * SUMMARY_HASH_BYTES),))
        assert (held[actor], apart) == (seq, frozenset())


def test_comparing_leaves_no_trace(two: Pair) -> None:
    laptop, _ = two
    before = laptop.store.version()
    exchange = exchange_of(laptop)
    first, *_ = exchange.introduction().heads
    exchange.compared((Summary(first.actor, first.seq, b"\xff" * SUMMARY_HASH_BYTES),))
    assert laptop.store.version() == before


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_equal_stores_have_equal_proofs_and_others_have_not(two: Pair) -> None:
    laptop, phone = two
    assert exchange_of(laptop).proof() == exchange_of(phone).proof()
    laptop.create_task(edda.Task(title="T"))
    one, other = exchange_of(laptop).proof(), exchange_of(phone).proof()
    assert one.content != other.content
    assert one.heads_hash != other.heads_hash
    assert (len(one.content), len(one.heads_hash), len(one.encoded)) == (16, 16, 32)


def test_a_proof_is_of_texts_as_they_read_now(two: Pair) -> None:
    laptop, _ = two
    task = laptop.create_task(edda.Task(title="T", description="one"))
    exchange = exchange_of(laptop)
    before = exchange.proof()
    laptop.edit_text(task, "description", [(3, 0, " two")])
    after = exchange.proof()
    assert after.content != before.content
    with laptop.store.read() as reader:
        assert reader.index.stale() == []


def test_what_was_read_is_read_anew_after_a_commit_of_whoever(two: Pair) -> None:
    laptop, phone = two
    exchange = exchange_of(laptop)
    before = exchange.frontier()
    assert exchange.frontier() is before
    phone.create_task(edda.Task(title="T"))
    sync(laptop, phone)
    assert exchange.frontier() == phone.frontier() != before


def test_items_are_every_entity_s_key_and_hash_by_key(two: Pair) -> None:
    laptop, phone = two
    items = list(exchange_of(laptop).items())
    assert [key for key, _ in items] == sorted(key for key, _ in items)
    assert items == list(exchange_of(phone).items())
    with laptop.store.read() as reader:
        assert items == [(record.key, record.hash) for record in reader.states.scan()]


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_changes_are_shown_once_they_are_durable_and_before_they_are_answered(two: Pair) -> None:
    laptop, phone = two
    talk = Talk(laptop, phone)
    talk.run()
    title, told = "seen at once", list[tuple[str, int, bool]]()
    exchange = talk._replicas[phone.identity.device].exchange

    def on_applied(peer: str, count: int) -> None:
        is_here = any(task.title == title for task in phone.query_tasks(edda.TaskQuery()))
        told.append((peer, count, is_here and not talk._between))

    exchange.on_applied = on_applied
    laptop.create_task(edda.Task(title=title))
    talk.committed(laptop)
    assert told == []
    talk.step()
    assert told == [(laptop.identity.device, 1, True)]
    assert len(talk._between) == 1, "the answer"
    talk.run()
    assert len(told) == 1


# --- what is done beside ----------------------------------------------------------------------------------------------


def test_what_was_counted_beside_is_taken_over_once(two: Pair) -> None:
    exchange = exchange_of(two[0])
    other = exchange.beside()
    other.taking.settled, other.taking.readmitted, other.behind.ended, other.behind.fell = 1, 2, 3, 4
    other.merging.refused.append(b"segment")
    assert (exchange.moves(), exchange.losses()) == (0, 0)
    for _ in range(2):
        exchange.count(other)
        assert (exchange.moves(), exchange.losses(), exchange.behind.ended) == (7, 6, 3)
        assert list(exchange.merging.refused) == [b"segment"]


def test_what_is_done_beside_sees_the_store_as_it_is_and_not_as_the_event_of_a_turn_does(two: Pair) -> None:
    laptop, _ = two
    exchange = exchange_of(laptop)
    other = exchange.beside()
    with exchange.store.event():
        before = exchange.frontier()
        laptop.create_task(edda.Task(title="meanwhile"))
        assert exchange.frontier() == before != other.frontier()
