"""Prepared: the fold before the transaction equals the fold inside it, or is not written."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given

from edda_sync.changes.change import Change, decode_header
from edda_sync.crdt.operation import Put
from edda_sync.fold.prepared import Prepared
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.preparing import prepare_change
from edda_sync.store.seams import StoreWriter
from tests.crdt.authors import LAPTOP, PHONE, Life, Peer, device, founded
from tests.crdt.histories import Event, histories
from tests.crdt.works import OTHER, TASK, Work, changes, written


def prepared(peer: Peer, change: Change) -> Prepared | None:
    """Prepare a change from the present content of a peer."""
    with peer.store.read() as reader:
        return prepare_change(reader, change, (change.body,))


def admit(peer: Peer, change: Change, ready: Prepared | None) -> Admitted:
    """Take a change in a transaction, as it was prepared."""

    def work(tx: StoreWriter) -> Admitted:
        fold = peer.ledger.fold(tx)
        outcome = peer.ledger.admit(tx, fold, change, ready)
        fold.flush()
        return outcome

    return peer.store.transact(work)


def held(peer: Peer) -> dict[str, Any]:
    """Everything that a peer holds."""
    return peer.store.image()


def log_of(peer: Peer) -> list[Change]:
    """The changes that a peer holds, in the order in which it took them."""
    logged = peer.look(lambda reader: [reader.log.read(position) for position in reader.log.positions_after({})])
    return [Change(decode_header(each.raw), each.raw, each.body) for each in logged]


@given(histories(changes, size=12))
def test_a_prepared_change_leaves_what_a_folded_one_leaves(events: list[Event[list[Work]]]) -> None:
    made = written(events)
    plain, ahead = Peer(made.founder), Peer(made.founder)
    for peer in (plain, ahead):
        peer.admit(*made.beginning)
    for event in events:
        change = made.changes[event.actor, event.seq]
        ready = prepared(ahead, change)
        assert admit(ahead, change, ready) is plain.admit(change)
        assert ready is not None
        assert ready.is_written, "nobody has written meanwhile"
        assert held(ahead) == held(plain)


@given(histories(changes, size=12))
def test_writes_of_others_in_the_meantime_are_seen_whether_or_not_they_are_about_the_same_entity(
    events: list[Event[list[Work]]],
) -> None:
    made = written(events)
    plain, ahead = Peer(made.founder), Peer(made.founder)
    for peer in (plain, ahead):
        peer.admit(*made.beginning)
    for one, next_one in pairwise(made.changes[event.actor, event.seq] for event in events):
        ready = prepared(ahead, one)
        for peer in (plain, ahead):
            peer.admit(next_one)  # the change is early if it depends on the other one
        assert admit(ahead, one, ready) is plain.admit(one)
        assert held(ahead) == held(plain)


def test_a_write_about_another_entity_leaves_a_prepared_change_valid_and_one_about_the_same_does_not() -> None:
    for entity, is_written in ((OTHER, True), (TASK, False)):
        laptop, peer = founded()
        peer.admit(laptop.write(device(PHONE, LAPTOP)))
        phone = Life(PHONE)
        meanwhile = phone.write(Put("task", entity, {"title": "of the phone"}), deps=[laptop.dep])
        one = laptop.write(Put("task", TASK, {"title": "of the laptop"}))
        ready = prepared(peer, one)
        assert ready is not None
        assert peer.admit(meanwhile) is Admitted.APPLIED
        assert admit(peer, one, ready) is Admitted.APPLIED
        assert ready.is_written is is_written
        other = Peer(laptop)
        other.admit(*[log_of(peer)[position] for position in (0, 1, 3, 2)])
        assert other.view() == peer.view()


def test_earlier_writes_of_the_transaction_are_part_of_the_questions() -> None:
    laptop, peer = founded()
    first = laptop.write(Put("task", TASK, {"title": "first"}))
    second = laptop.write(Put("task", TASK, {"priority": 1}))
    ready = prepared(peer, first)
    assert ready is not None
    assert prepared(peer, second) is None, "the change before it is missing"

    def work(tx: StoreWriter) -> None:
        fold = peer.ledger.fold(tx)
        peer.ledger.admit(tx, fold, first)
        peer.ledger.admit(tx, fold, second, ready)
        fold.flush()

    peer.store.transact(work)
    assert not ready.is_written
    assert peer.table("tasks")[0][1] == "first"


def test_the_result_of_one_change_is_not_written_for_another() -> None:
    laptop, peer = founded()
    one = laptop.write(Put("task", TASK, {"title": "one"}))
    ready = prepared(peer, one)
    assert ready is not None

    def work(tx: StoreWriter) -> bool:
        fold = peer.ledger.fold(tx)
        before = ready.change
        fold.begin(*before.dot, before.wall_ms, before.deps, before.position, before.author)
        return ready.write(fold, b"another" * 4 + b"hash")

    assert not peer.store.transact(work)
    assert peer.table("tasks") == []
