"""Admission: a function of a change and its past, so all devices admit the same changes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, Change
from edda_sync.crdt import operation as ops
from edda_sync.crdt import records
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.keys import key_of
from edda_sync.ledger.admission import Admitted
from edda_sync.words.errors import RemoteProtocolError
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.histories import Event, causal_order, histories
from tests.crdt.works import TASK, Work, written
from tests.crdt.works import changes as works

TITLE = ops.Put("task", TASK, {"title": "t"})


class Three:
    """A workspace of three devices, each with a life that can go on."""

    def __init__(self) -> None:
        self.laptop, self.peer = founded()
        self.peer.admit(self.laptop.write(device(PHONE, LAPTOP), device(TABLET, LAPTOP)))
        self.phone, self.tablet = (Life(identity, continues=self.laptop) for identity in (PHONE, TABLET))

    def refused(self, change: Change, why: str) -> None:
        """Assert that a change is refused, and leaves no trace."""
        frontier, view = self.peer.frontier, self.peer.view()
        with pytest.raises(RemoteProtocolError, match=why):
            self.peer.admit(change)
        assert (self.peer.frontier, self.peer.view()) == (frontier, view)


@pytest.fixture
def three() -> Three:
    return Three()


# --- what comes early, or again ---------------------------------------------------------------------------------------


def test_a_change_waits_for_what_it_depends_on_and_is_taken_once(three: Three) -> None:
    first, second = three.phone.write(TITLE), three.phone.write(ops.Put("task", TASK, {"title": "u"}))
    dependent = three.tablet.write(TITLE, deps=[three.phone.dep])
    for early in (second, dependent):
        assert three.peer.admit(early) is Admitted.EARLY
    assert three.peer.admit(first) is Admitted.APPLIED
    assert three.peer.admit(first) is Admitted.KNOWN
    assert three.peer.admit(dependent) is Admitted.EARLY
    assert three.peer.admit(second, dependent) is Admitted.APPLIED
    assert three.peer.admit(second) is Admitted.KNOWN


def test_a_first_change_waits_for_the_change_that_its_life_continues(three: Three) -> None:
    later = three.laptop.write(TITLE)
    born = Life(LAPTOP, continues=three.laptop, nonce=b"another nonce...").write(ops.Touch("task", TASK))
    assert three.peer.admit(born) is Admitted.EARLY
    assert three.peer.admit(later, born) is Admitted.APPLIED


def test_a_change_that_depends_on_a_change_that_nobody_wrote_is_never_taken_or_refused(three: Three) -> None:
    nobody = (b"\1" * 16, 1, bytes(16))
    ahead = (three.laptop.actor, 9, bytes(16))
    for dep in (nobody, ahead):
        assert three.peer.admit(Life(PHONE, continues=three.laptop).write(deps=[dep])) is Admitted.EARLY


# --- under the hashes that it names -----------------------------------------------------------------------------------


def test_a_change_that_depends_on_a_different_change_under_a_held_dot_shows_a_fork(three: Three) -> None:
    three.peer.admit(three.phone.write(TITLE), three.phone.write())
    for seq in (1, 2):
        actor, _, digest = three.phone.dep_at(seq)
        for named, outcome in ((bytes(16), Admitted.FORKED), (digest, Admitted.APPLIED)):
            life = Life(TABLET, continues=three.laptop, nonce=bytes((seq,)) * 16)
            assert three.peer.admit(life.write(deps=[(actor, seq, named)])) is outcome


def test_a_life_that_continues_a_different_change_under_a_held_dot_shows_a_fork(three: Three) -> None:
    actor, seq, _ = three.laptop.stands
    forked = Life(PHONE, parent=actor, parent_seq=seq, parent_hash=b"\1" * 32, nonce=b"another nonce...")
    assert three.peer.admit(forked.write()) is Admitted.FORKED


def test_a_change_behind_a_different_change_than_its_actor_s_last_shows_a_fork(three: Three) -> None:
    other = Life(PHONE, continues=three.laptop)
    three.peer.admit(three.phone.write(TITLE))
    other.write()
    assert three.peer.admit(other.write()) is Admitted.FORKED
    with_itself = Life(PHONE, continues=three.laptop)
    assert three.peer.admit(with_itself.write(ops.Touch("task", TASK))) is Admitted.FORKED  # its first one is another


# --- a past that only grows, and is closed ----------------------------------------------------------------------------


def test_a_change_whose_dependencies_go_down_is_refused(three: Three) -> None:
    three.peer.admit(three.phone.write(), three.phone.write(), three.tablet.write(deps=[three.phone.dep_at(2)]))
    three.refused(three.tablet.write(deps=[three.phone.dep_at(1)]), "depends on less")


def test_a_first_change_whose_dependencies_go_below_what_its_life_continues_is_refused(three: Three) -> None:
    life = Life(PHONE, continues=three.laptop)
    three.refused(life.write(deps=[three.laptop.dep_at(1)]), "depends on less")


def test_a_change_may_name_a_dependency_again_that_earlier_ones_imply(three: Three) -> None:
    """An author who began with a segment does not know all that it may leave out."""
    three.peer.admit(three.phone.write(), three.tablet.write(deps=[three.phone.dep, three.laptop.dep]))
    assert three.peer.admit(three.tablet.write(deps=[three.phone.dep])) is Admitted.APPLIED
    assert three.peer.admit(three.tablet.write(deps=[three.phone.dep, three.laptop.dep])) is Admitted.APPLIED


def test_a_change_that_leaves_out_what_its_dependencies_depend_on_is_refused(three: Three) -> None:
    three.peer.admit(three.phone.write(TITLE))
    three.peer.admit(three.tablet.write(deps=[three.phone.dep]), three.tablet.write())
    for seq in (1, 2):  # whether that is named by it or by one of its actor's earlier changes
        other = Life(PHONE, continues=three.laptop, nonce=b"another nonce...")
        three.refused(other.write(deps=[three.tablet.dep_at(seq)]), "do not cover")
    closed = Life(PHONE, continues=three.laptop, nonce=b"another nonce...")
    assert three.peer.admit(closed.write(deps=[three.tablet.dep, three.phone.dep])) is Admitted.APPLIED


def test_a_change_that_leaves_out_what_the_lives_it_depends_on_continue_is_refused(three: Three) -> None:
    three.peer.admit(three.phone.write(TITLE))
    again = Life(PHONE, continues=three.phone, nonce=b"another nonce...")
    three.peer.admit(again.write())
    three.refused(three.tablet.write(deps=[again.dep]), "do not cover")
    closed = Life(TABLET, continues=three.laptop)
    assert three.peer.admit(closed.write(deps=[again.dep, three.phone.dep])) is Admitted.APPLIED


def test_the_same_holds_for_a_later_change(three: Three) -> None:
    three.peer.admit(three.phone.write(TITLE), three.tablet.write(deps=[three.phone.dep]))
    three.peer.admit(three.laptop.write())
    three.refused(three.laptop.write(deps=[three.tablet.dep]), "do not cover")


@pytest.mark.parametrize("at", [1, 20, 40])
@pytest.mark.parametrize("beyond", [0, 5])
def test_dependencies_of_a_long_chain_are_named_whether_its_head_or_an_earlier_change_is_named(
    three: Three, at: int, beyond: int
) -> None:
    """The tablet names the phone in one of many changes. Behind the one that is named here it may name the laptop."""
    lives = [Life(PHONE, continues=three.laptop, nonce=bytes((number,)) * 16) for number in range(2)]
    three.peer.admit(three.phone.write(TITLE))
    three.peer.admit(*(three.tablet.write(deps=[three.phone.dep] if seq == at else []) for seq in range(1, 41)))
    three.peer.admit(three.laptop.write())
    for _ in range(beyond):
        three.peer.admit(three.tablet.write(deps=[three.laptop.dep]))
    lacking, closed = lives
    three.refused(lacking.write(deps=[three.tablet.dep_at(40)]), "do not cover")
    assert three.peer.admit(closed.write(deps=[three.tablet.dep_at(40), three.phone.dep])) is Admitted.APPLIED


# --- who writes -------------------------------------------------------------------------------------------------------


def test_a_life_of_a_stranger_is_refused_and_leaves_no_trace(three: Three) -> None:
    stranger = Birth(bytes(32), bytes(16))
    life = Life(LAPTOP, public_key=stranger.public_key)
    three.refused(life.write(TITLE, deps=[three.laptop.dep]), "not a member")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_device_that_is_no_member_in_its_lifes_past_is_refused_in_every_order(order: tuple[int, ...]) -> None:
    laptop, peer = founded()
    phone = Life(PHONE, continues=laptop)  # the change that it continues did not make it a member
    early = phone.write(TITLE)
    record = laptop.write(device(PHONE, LAPTOP))
    informed = Life(PHONE, continues=laptop, nonce=b"another nonce...").write(ops.Touch("task", TASK))
    outcomes: dict[int, Any] = {}
    waiting = list(order)
    while waiting:
        for at in list(waiting):
            try:
                outcomes[at] = peer.admit((early, record, informed)[at])
            except RemoteProtocolError:
                outcomes[at] = "refused"
        waiting = [at for at in waiting if outcomes[at] is Admitted.EARLY]
    assert outcomes == {0: "refused", 1: Admitted.APPLIED, 2: Admitted.APPLIED}


# --- what a newer version says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ext", [((8, b"x"),), ((8, b""), ((1 << 32) - 2, b"y" * 100))])
def test_an_unknown_even_number_is_kept_byte_for_byte_and_ignored(three: Three, ext: Ext) -> None:
    change = three.phone.write(TITLE, ext=ext)
    assert three.peer.admit(change) is Admitted.APPLIED
    assert [row[1] for row in three.peer.table("tasks")] == ["t"]
    assert three.peer.waiting == 0
    logged = three.peer.look(lambda reader: reader.log.read(reader.log.position()))
    assert logged.raw == change.raw
    assert changes.decode_header(logged.raw).ext[-len(ext) :] == ext


@pytest.mark.parametrize("newer", [{"ext": ((7, b"x"),)}, {"level": 2}, {"level": (1 << 16) - 1, "ext": ((8, b""),)}])
def test_a_change_of_a_higher_level_or_with_an_unknown_odd_number_is_kept_and_waits(
    three: Three, newer: dict[str, Any]
) -> None:
    assert three.peer.admit(three.phone.write(TITLE, **newer)) is Admitted.APPLIED
    assert three.peer.waiting == 1
    assert three.peer.table("tasks") == []
    later = three.tablet.write(ops.Put("task", TASK, {"title": "u"}), deps=[three.phone.dep])
    assert three.peer.admit(later) is Admitted.APPLIED  # it is in the log, and others may depend on it
    assert [row[1] for row in three.peer.table("tasks")] == ["u"]
    assert three.peer.waiting == 1


@pytest.mark.parametrize("newer", [{"ext": ((7, b"x"),)}, {"level": 2}])
def test_such_a_change_waits_even_without_operations(three: Three, newer: dict[str, Any]) -> None:
    assert three.peer.admit(three.phone.write(**newer)) is Admitted.APPLIED
    assert three.peer.waiting == 1


def test_one_more_field_in_a_birth_is_kept_byte_for_byte(three: Three) -> None:
    life = Life(PHONE, continues=three.laptop, ext=((2, b"more"),))
    assert three.peer.admit(life.write(TITLE)) is Admitted.APPLIED
    head = three.peer.look(lambda reader: reader.log.heads()[life.actor])
    assert head.birth == changes.encode_birth(life.birth)
    assert changes.decode_birth(head.birth).ext == ((2, b"more"),)


def test_one_more_field_in_a_device_s_record_is_kept_byte_for_byte() -> None:
    laptop, peer = founded()
    made = device(PHONE, LAPTOP)
    raw = records.encode(msgspec.structs.replace(records.decode_device(made.cells["record"]), ext=((2, b"more"),)))
    peer.admit(laptop.write(ops.Put("device", made.id, {**made.cells, "record": raw})))
    entity = peer.look(lambda reader: reader.states.get([key_of("device", made.id)]))[key_of("device", made.id)]
    assert raw in entity.state
    assert peer.admit(Life(PHONE, continues=laptop).write(TITLE)) is Admitted.APPLIED


# --- in any order -----------------------------------------------------------------------------------------------------


@given(st.data(), histories(works, size=10))
def test_peers_that_took_the_same_changes_in_any_causal_order_hold_the_same(
    data: st.DataObject, events: list[Event[list[Work]]]
) -> None:
    made = written(events)
    one, other = made.peer(events), made.peer(data.draw(causal_order(events)))
    assert one.view() == other.view()
    assert one.frontier == other.frontier


@given(st.data(), histories(works, size=8))
def test_an_early_change_leaves_no_trace_and_is_taken_when_the_rest_is_here(
    data: st.DataObject, events: list[Event[list[Work]]]
) -> None:
    made = written(events)
    peer = Peer(made.founder)
    waiting = data.draw(st.permutations([*made.beginning, *made.changes.values()]))
    while waiting:
        before = len(waiting)
        waiting = [change for change in waiting if peer.admit(change) is Admitted.EARLY]
        assert len(waiting) < before
    assert peer.view() == made.peer(events).view()
