"""Looking back: entities without some changes, and at a time, without a trace in the store."""

from __future__ import annotations

from edda_sync.crdt import operation as ops
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.ledger import looking_back
from edda_sync.store.seams import StoreReader
from tests.crdt.authors import LAPTOP as LAPTOP_ID
from tests.crdt.authors import PHONE, Life, Peer, device, founded
from tests.crdt.works import TASK

KEY = key_of("task", TASK)


def title(reader: StoreReader) -> object:
    record = reader.states.get([KEY]).get(KEY)
    return None if record is None else entity_of(KEY, record.state).value("title")


def at(peer: Peer, wall_ms: int) -> object:
    return peer.look(lambda reader: title(looking_back.as_of(reader, [KEY], wall_ms)))


def test_an_entity_without_a_change_is_what_the_others_made_of_it_and_the_store_stays_as_it_is() -> None:
    laptop, peer = founded()
    for value in ("one", "two", "three"):
        peer.admit(laptop.write(ops.Put("task", TASK, {"title": value})))
    before = peer.view()
    without = [
        peer.look(lambda reader, dots=dots: title(looking_back.without(reader, [KEY], dots)))  # type: ignore[misc]
        for dots in ([], [(laptop.actor, 4)], [(laptop.actor, 4), (laptop.actor, 3)], [(laptop.actor, 3)])
    ]
    assert without == ["three", "two", "one", "three"]
    assert peer.view() == before


def test_a_time_shows_what_was_made_by_then_and_leaves_out_what_rests_on_something_later() -> None:
    laptop, peer = founded()
    phone = Life(PHONE, continues=laptop)
    peer.admit(laptop.write(device(PHONE, LAPTOP_ID)), laptop.write(ops.Put("task", TASK, {"title": "a"}), wall_ms=10))
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "b"}), wall_ms=5_000))
    phone = Life(PHONE, continues=laptop)
    peer.admit(phone.write(ops.Put("task", TASK, {"title": "slow clock"}), wall_ms=20))
    assert [at(peer, each) for each in (9, 10, 4_999, 5_000)] == [None, "a", "a", "slow clock"]
