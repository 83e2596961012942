from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import past as module
from edda_sync.changes.change import Birth
from edda_sync.changes.past import Pasts, Walk, added, encode_pairs
from edda_sync.store.memory.log import MemoryLog
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.histories import Event, causal_order, histories
from tests.crdt.works import Work, changes, written

Events = list[Event[list[Work]]]


# --- gathered from the differences that headers name ------------------------------------------------------------------


@given(st.data(), histories(changes, size=12))
def test_the_past_of_each_change_is_all_that_its_author_had_seen(data: st.DataObject, events: Events) -> None:
    made = written(events)
    peer = Peer(made.founder)
    peer.admit(*made.beginning)
    for event in data.draw(causal_order(events)):
        peer.admit(made.changes[event.actor, event.seq])
        name = made.names[event.actor]
        with peer.store.read() as reader:
            for pasts in (
                Pasts(),
                peer.ledger.pasts,
            ):  # pasts of a process that has just begun, and of one that took all
                assert pasts.of(reader, reader.log.heads()[name]) == made.deps(event)
            assert Pasts().through(reader, (name, event.seq)) == {**made.deps(event), name: event.seq}


@given(st.data(), histories(changes, size=12))
def test_a_walk_gives_the_past_of_each_change_independent_of_earlier_walks(data: st.DataObject, events: Events) -> None:
    made = written(events)
    peer = made.peer(events)
    order = data.draw(st.permutations(events))
    with peer.store.read() as reader:
        walk = Walk(Pasts(), reader)
        for event in order:
            assert walk.at(made.names[event.actor], event.seq) == made.deps(event)


def test_a_walk_reads_each_header_once(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    peer.admit(*(laptop.write() for _ in range(9)))
    read: list[int] = []
    headers = MemoryLog.headers

    def counted(log: MemoryLog, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        read.extend(range(first, last + 1))
        return headers(log, actor, first, last)

    monkeypatch.setattr(MemoryLog, "headers", counted)
    with peer.store.read() as reader:
        walk = Walk(Pasts(), reader)
        for seq in range(1, 11):
            walk.at(laptop.actor, seq)
    assert read == list(range(1, 11))


def test_the_caller_may_change_what_is_returned() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(), laptop.write())
    with peer.store.read() as reader:
        pasts, walk = Pasts(), Walk(Pasts(), reader)
        for _ in range(2):
            for past in (pasts.of(reader, reader.log.heads()[laptop.actor]), walk.at(laptop.actor, 3)):
                assert past == {laptop.actor: 2}
                past[b"\1" * 16] = 5


def test_pasts_beyond_those_that_are_remembered_are_gathered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    laptop, peer = founded()
    lives = [Life(LAPTOP, continues=laptop, nonce=bytes((number,)) * 16) for number in range(4)]
    for _ in range(3):
        for life in lives:
            peer.admit(life.write())
    with peer.store.read() as reader:
        for life in lives:
            found = peer.ledger.pasts.of(reader, reader.log.heads()[life.actor])
            assert found == {laptop.actor: 1, life.actor: 2}


# --- along lives ------------------------------------------------------------------------------------------------------


def test_a_life_depends_on_what_the_chain_of_lives_before_it_depended_on() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(device(PHONE, LAPTOP), device(TABLET, LAPTOP)))
    phone = Life(PHONE, continues=laptop)
    peer.admit(phone.write(), phone.write())
    tablet = Life(TABLET, continues=laptop)
    peer.admit(tablet.write(deps=[phone.dep_at(1)]), tablet.write(deps=[phone.dep_at(2)]))
    names = [phone.actor, tablet.actor]
    for number in range(5):  # each life goes on after the first change of the one before it: not at its end
        tablet = Life(TABLET, continues=tablet, nonce=bytes((number,)) * 16)
        names.append(tablet.actor)
        peer.admit(tablet.write(), tablet.write())
    with peer.store.read() as reader:
        past = Pasts().of(reader, reader.log.heads()[tablet.actor])
    assert past == {laptop.actor: 2, **dict.fromkeys(names, 2), tablet.actor: 1}


def test_a_life_may_continue_another_one_in_its_middle() -> None:
    laptop, peer = founded()
    before = Life(LAPTOP, continues=laptop)
    peer.admit(laptop.write(), laptop.write(), before.write())
    with peer.store.read() as reader:
        assert Pasts().of(reader, reader.log.heads()[before.actor]) == {laptop.actor: 1}
        assert Pasts().before(reader, before.birth) == {laptop.actor: 1}
        assert Pasts().before(reader, laptop.birth) == {}


def test_a_missing_change_that_a_life_continues_is_named_and_not_looked_into() -> None:
    """A device that has just joined writes before it has synced."""
    _, peer = founded()
    birth = Birth(PHONE.public_key, bytes(16), b"\1" * 16, 7, bytes(32))
    with peer.store.read() as reader:
        assert Pasts().before(reader, birth) == {b"\1" * 16: 7}


# --- as heads keep it -------------------------------------------------------------------------------------------------


def test_the_dependencies_of_a_head_grow_by_those_that_its_next_change_names() -> None:
    one, two = b"\1" * 16, b"\2" * 16
    stored = encode_pairs([(two, 3)])
    assert added(stored, {}) == stored
    assert added(stored, {one: 1}) == encode_pairs([(one, 1), (two, 3)])
    assert added(stored, {two: 5}) == encode_pairs([(two, 5)])
