from __future__ import annotations

from itertools import permutations

import pytest

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.crdt import operation as ops
from edda_sync.crdt import records
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreWriter
from edda_sync.words.errors import CorruptError, RemoteProtocolError
from edda_sync.workspace import authority
from edda_sync.workspace.authority import is_founder, is_member_in
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.histories import ACTORS

A, B, C = ACTORS[:3]
FIRST = Birth(LAPTOP.public_key, bytes(16))
RAW = changes.encode_birth(FIRST)
WORKSPACE = changes.workspace_of(RAW)


# --- who founded it, and who was added --------------------------------------------------------------------------------


def test_a_workspace_is_founded_by_the_birth_that_gives_its_name_and_that_has_no_past() -> None:
    assert is_founder(FIRST, RAW, {}, WORKSPACE)
    assert not is_founder(FIRST, RAW, {}, bytes(16))
    assert not is_founder(FIRST, RAW, {A: 1}, WORKSPACE)
    child = Birth(LAPTOP.public_key, bytes(16), A, 1, bytes(32))
    raw = changes.encode_birth(child)
    assert not is_founder(child, raw, {}, changes.workspace_of(raw))


def added(*dots: tuple[bytes, int]) -> Entity:
    entity = Entity(bytes(16), "device")
    entity.cells["record"] = [(actor, seq, 5, b"record") for actor, seq in sorted(dots)]
    return entity


def test_a_device_is_a_member_in_every_past_with_a_change_that_made_it_one() -> None:
    both = added((A, 3), (B, 2))
    for past, is_member in (({}, False), ({A: 2, B: 1}, False), ({A: 3}, True), ({B: 2}, True), ({C: 9}, False)):
        assert is_member_in(both, past) is is_member


def test_a_device_without_a_record_is_unknown() -> None:
    named = Entity(bytes(16), "device")
    named.put("name", (A, 1, 5, "ghost"), {A: 1})
    for device_ in (None, named, Entity(bytes(16), "device")):
        assert not is_member_in(device_, {A: 9})


# --- in a workspace ---------------------------------------------------------------------------------------------------


def test_a_stranger_is_refused_in_every_order_of_the_changes_about_it() -> None:
    """Only the past of its birth says whether it is a member; other changes that are here do not count."""
    for with_record in (False, True):
        laptop, peer = founded()
        before = laptop.dep
        record = laptop.write(device(PHONE, LAPTOP))
        stranger = Life(PHONE, parent=before[0], parent_seq=before[1], parent_hash=laptop_hash(peer))
        early = stranger.write(ops.Touch("task", bytes(16)))
        if with_record:
            peer.admit(record)
        frontier, view = peer.frontier, peer.view()
        with pytest.raises(RemoteProtocolError, match="not a member"):
            peer.admit(early)
        assert (peer.frontier, peer.view()) == (frontier, view)


def laptop_hash(peer: Peer) -> bytes:
    return peer.look(lambda reader: next(iter(reader.log.heads().values())).hash)


def test_a_life_without_a_parent_belongs_to_a_member_if_its_dependencies_made_it_one() -> None:
    laptop, peer = founded()
    record = laptop.write(device(PHONE, LAPTOP))
    peer.admit(record)
    alone, informed = Life(PHONE), Life(PHONE, nonce=b"another nonce...")
    with pytest.raises(RemoteProtocolError, match="not a member"):
        peer.admit(alone.write())
    assert peer.admit(informed.write(deps=[laptop.dep])) is Admitted.APPLIED


def test_a_second_founding_is_refused() -> None:
    _, peer = founded()
    for founder in (Life(LAPTOP, nonce=b"another nonce..."), Life(PHONE)):
        with pytest.raises(RemoteProtocolError, match="not a member"):
            peer.admit(founder.write(device(founder.identity, founder.identity)))


def test_a_device_whose_record_was_refused_is_no_member() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(device(PHONE, TABLET)))  # in the name of somebody else
    assert peer.refused == 1
    with pytest.raises(RemoteProtocolError, match="not a member"):
        peer.admit(Life(PHONE, continues=laptop).write())


def test_a_member_that_was_added_by_a_member_may_add_another() -> None:
    laptop, peer = founded()
    first = laptop.write(device(PHONE, LAPTOP))
    phone = Life(PHONE, continues=laptop)
    second = phone.write(device(TABLET, PHONE))
    third = Life(TABLET, continues=phone).write(ops.Touch("task", bytes(16)))
    for order in permutations((first, second, third)):
        again = Peer(laptop)
        waiting = [Life(LAPTOP).write(device(LAPTOP, LAPTOP, "laptop")), *order]
        while waiting:
            waiting = [change for change in waiting if again.admit(change) is Admitted.EARLY]
        assert [record.signing_key for _, record in again.look(lambda r: list(authority.members(r)))] == sorted(
            (LAPTOP.public_key, PHONE.public_key, TABLET.public_key), key=records.device_entity
        )
    assert peer.admit(first, second, third) is Admitted.APPLIED


# --- as they are stored -----------------------------------------------------------------------------------------------


def test_a_device_is_found_by_its_key() -> None:
    _, peer = founded()
    found = peer.look(lambda reader: authority.device_of(reader, LAPTOP.public_key))
    assert found is not None
    assert found.value("name") == "laptop"
    assert peer.look(lambda reader: authority.device_of(reader, PHONE.public_key)) is None


def test_an_unreadable_device_raises_damage_when_asked_for_and_is_left_out_of_lists() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(device(PHONE, LAPTOP, "phone"), device(TABLET, LAPTOP, "tablet")))
    key = key_of("device", records.device_entity(PHONE.public_key))

    def rot(tx: StoreWriter) -> None:
        (record,) = tx.states.get([key]).values()
        tx.states.put([record._replace(state=record.state[:-1] + bytes([record.state[-1] ^ 1]))], {key: False})

    peer.store.transact(rot)
    listed = peer.look(lambda reader: list(authority.members(reader)))
    assert sorted(entity.value("name") for entity, _ in listed) == ["laptop", "tablet"]
    with pytest.raises(CorruptError):
        peer.look(lambda reader: authority.device_of(reader, PHONE.public_key))


def test_other_writes_about_a_device_without_a_record_make_it_no_member() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("device", records.device_entity(PHONE.public_key), {"name": "ghost"})))
    assert [entity.value("name") for entity, _ in peer.look(lambda reader: list(authority.members(reader)))] == [
        "laptop"
    ]
