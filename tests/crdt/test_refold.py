"""Folding anew: content is a function of the log, of all of it or of what one would have of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync import limits, values
from edda_sync.crdt import edits
from edda_sync.crdt import operation as ops
from edda_sync.crdt.drafts import Put
from edda_sync.crdt.entity import key_of
from edda_sync.crdt.fold import UNREADABLE, Fold
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.ledger import begin_life
from edda_sync.crdt.refold import verify_logged
from edda_sync.crdt.scrub import scrub_digest, scrub_entities
from edda_sync.crdt.text import TextDocument, genesis_id
from edda_sync.errors import CorruptError
from edda_sync.model import KINDS
from edda_sync.protocols import Logged, StoreWriter
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.histories import Event, causal_order, histories
from tests.crdt.works import DOCUMENT, OTHER, TABLET_ID, TAG, TAG_BYTES, TASK, Work, Written, changes, written

Events = list[Event[list[Work]]]
KEYS = [key_of(kind, entity) for kind in KINDS for entity in (TASK, DOCUMENT, OTHER, TAG_BYTES, TABLET_ID)]


def refold(peer: Peer, keys: Collection[bytes], without: Collection[Dot] = ()) -> int:
    return peer.store.transact(lambda tx: peer.ledger.refold(tx, keys, without))


def rebuild(peer: Peer) -> int:
    def no_segment(_fold: Fold, _name: bytes) -> dict[bytes, Any]:
        raise AssertionError("there is none")

    return peer.store.transact(lambda tx: peer.ledger.rebuild(tx, no_segment))


def damage(peer: Peer) -> list[str]:
    """What the scrub finds."""

    def work(tx: StoreWriter) -> list[str]:
        found, _ = scrub_entities(tx, peer.ledger.fold(tx), b"", 1_000)
        return [each.what for each in [*found, *scrub_digest(tx)]]

    return peer.store.transact(work)


def rot(peer: Peer, keys: Collection[bytes]) -> None:
    """Flip a bit in the stored state of some entities."""

    def work(tx: StoreWriter) -> None:
        for record in tx.records(keys).values():
            rotten = bytearray(record.state)
            rotten[len(rotten) // 2] ^= 1
            tx.save([record._replace(state=bytes(rotten))], {record.key: False})

    peer.store.transact(work)


# --- all that the log says --------------------------------------------------------------------------------------------


@given(histories(changes, size=12))
def test_the_whole_log_folded_anew_gives_what_was_there(events: Events) -> None:
    peer = written(events).peer(events)
    before = peer.view()
    assert rebuild(peer) == len(events) + 2
    assert peer.view() == before


@given(histories(changes, size=12), st.sets(st.sampled_from([*KEYS, UNREADABLE])), st.booleans())
def test_some_entities_folded_anew_from_the_log_are_what_a_rebuild_makes_of_them(
    events: Events, keys: set[bytes], rotten: bool
) -> None:
    peer = written(events).peer(events)
    before = peer.view()
    if rotten:
        rot(peer, keys)
    refold(peer, keys)
    assert peer.view() == before
    assert damage(peer) == []
    mentioned = peer.look(lambda reader: [list(reader.mentions(key)) for key in KEYS])
    rebuild(peer)
    assert peer.view() == before
    assert peer.look(lambda reader: [list(reader.mentions(key)) for key in KEYS]) == mentioned


def test_only_the_changes_that_are_about_an_entity_are_folded() -> None:
    laptop, peer = founded()
    for _ in range(5):
        peer.admit(laptop.write(ops.Touch("task", OTHER)))
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"})), laptop.write(ops.Touch("task", TASK)))
    assert refold(peer, [key_of("task", TASK)]) == 2
    assert refold(peer, [key_of("document", TASK)]) == 0


@pytest.mark.parametrize("kind", ["task", "document", "tag", "device"])
def test_an_entity_of_which_a_bit_rotted_is_mended_from_the_log_and_ends_no_list_until_then(kind: str) -> None:
    laptop, peer = founded()
    ids = {"task": TASK, "document": DOCUMENT, "tag": TAG_BYTES, "device": TABLET_ID}
    for operation in (
        ops.Put("tag", TAG_BYTES, {"name": "work"}), device(TABLET, LAPTOP),
        ops.Put("document", DOCUMENT, {"title": "d", "tag." + TAG: True}),
        ops.Put("task", TASK, {"title": "t", "tag." + TAG: True, "link." + values.id_text(DOCUMENT): "see"}),
        ops.Put("task", OTHER, {"title": "child", "parent_id": TASK, "description": "words"}),
    ):  # fmt: skip
        peer.admit(laptop.write(operation))
    before, key = peer.view(), key_of(kind, ids[kind])
    rot(peer, [key])
    assert f"{kind} {values.id_text(ids[kind])}" in damage(peer)
    refold(peer, [key])
    assert damage(peer) == []
    assert peer.view() == before


def test_what_waits_and_what_is_refused_is_the_same_afterwards() -> None:
    laptop, peer = founded()
    bad = ops.Put("task", TASK, {"title": ""})
    odd = ops.encode(ops.Touch("task", TASK)).replace(b"task", b"tusk")  # of a newer kind
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"}), bad))
    peer.admit(laptop.write(ops.Put("task", OTHER, {"unheard": 1}), ops.Put("task", OTHER, {"title": ""})))
    peer.admit(laptop.write(odd, bad, b"\0\0\0\1\xc1"))
    before = (peer.refused, peer.waiting, peer.view())
    assert before[:2] == (1, 5)
    for keys in ([key_of("task", TASK)], [key_of("task", OTHER)], [UNREADABLE], [*KEYS, UNREADABLE]):
        refold(peer, keys)
        assert (peer.refused, peer.waiting, peer.view()) == before
    rebuild(peer)
    assert (peer.refused, peer.waiting, peer.view()) == before


def test_a_long_change_and_one_in_parts_are_folded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)  # longer than the change that founded it
    born = Life(LAPTOP, continues=laptop, nonce=b"another nonce...")
    drafts = [Put.of("task", bytes([number]) * 16, {"title": f"task {number}"}) for number in range(60)]

    def work(tx: StoreWriter) -> None:
        begin_life(tx, born.birth)
        peer.ledger.commit(tx, drafts, 5)

    peer.store.transact(work)
    assert len(peer.look(lambda reader: list(reader.parts(2)))) == 3
    before = peer.view()
    rot(peer, [key_of("task", TASK)])
    assert refold(peer, [key_of("task", TASK)]) == 1
    assert peer.view() == before
    rebuild(peer)
    assert peer.view() == before


# --- without some changes ---------------------------------------------------------------------------------------------


def dots_of(made: Written, events: Events) -> list[Dot]:
    return [(made.names[event.actor], event.seq) for event in events]


@given(st.data(), histories(changes, size=10))
def test_what_is_left_without_some_changes_does_not_hang_on_the_order_in_which_they_came(
    data: st.DataObject, events: Events
) -> None:
    made = written(events)
    one, other = made.peer(events), made.peer(data.draw(causal_order(events)))
    without = data.draw(st.lists(st.sampled_from(dots_of(made, events)))) if events else []
    keys = data.draw(st.sets(st.sampled_from(KEYS)))
    refold(one, keys, without)
    for key in sorted(keys):  # one after another, here
        refold(other, [key], without)
    assert one.view() == other.view()
    assert damage(one) == []


@given(st.data(), histories(changes, size=10))
def test_what_was_left_out_is_back_once_nothing_is_left_out(data: st.DataObject, events: Events) -> None:
    made = written(events)
    peer = made.peer(events)
    before = peer.view()
    refold(peer, KEYS, dots_of(made, data.draw(st.lists(st.sampled_from(events)))) if events else [])
    refold(peer, KEYS)
    assert peer.view() == before


def test_without_a_change_its_writes_are_gone_and_those_that_it_had_replaced_are_back() -> None:
    laptop, peer = founded()
    peer.admit(
        laptop.write(ops.Put("task", TASK, {"title": "first"})), laptop.write(ops.Put("task", TASK, {"title": "u"}))
    )
    peer.admit(laptop.write(ops.Delete("task", TASK, ((laptop.actor, 3),)), ops.Put("task", OTHER, {"title": "other"})))
    assert [row[1] for row in peer.table("tasks")] == ["other"]
    refold(peer, [key_of("task", TASK)], [(laptop.actor, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"u", "other"}  # of the others, all is as it was
    refold(peer, [key_of("task", TASK)], [(laptop.actor, 3), (laptop.actor, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"first", "other"}
    refold(peer, [key_of("task", TASK)], [(laptop.actor, seq) for seq in (2, 3, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"other"}
    assert peer.look(lambda reader: reader.records([key_of("task", TASK)])) == {}
    assert damage(peer) == []


def test_without_the_change_that_made_a_tag_what_is_tagged_shows_it_no_more() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("tag", TAG_BYTES, {"name": "work"})))
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t", "tag." + TAG: True})))
    assert len(peer.table("entity_tags")) == 1
    refold(peer, [key_of("tag", TAG_BYTES)], [(laptop.actor, 2)])
    assert peer.table("entity_tags") == peer.table("tags") == []
    assert damage(peer) == []
    refold(peer, [key_of("tag", TAG_BYTES)])
    assert len(peer.table("entity_tags")) == 1


def test_without_an_edit_a_text_reads_as_if_that_had_never_been_made_also_in_memory() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t", "description": "milk"})))
    genesis = genesis_id(TASK, "description", "milk")
    document = TextDocument.start(genesis, "milk", [(laptop.actor, 2)])
    for seq, edit in ((3, (4, 0, " and eggs")), (4, (0, 0, "oat "))):
        made = edits.encode(document.edit((laptop.actor, seq), {laptop.actor: seq - 1}, [edit]))
        peer.admit(laptop.write(ops.Edit("task", TASK, "description", genesis, made)))
    peer.store.transact(peer.ledger.refresh)

    def reads() -> str:
        return str(peer.table("tasks")[0][2])

    before, key = peer.view(), key_of("task", TASK)
    assert reads() == "oat milk and eggs"
    refold(peer, [key], [(laptop.actor, 4)])
    assert reads() == "milk and eggs"
    assert damage(peer) == []
    refold(peer, [key], [(laptop.actor, 3), (laptop.actor, 4)])
    assert reads() == "milk"
    refold(peer, [key])
    assert reads() == "oat milk and eggs"
    assert peer.view() == before
    rebuild(peer)
    assert peer.view() == before


# --- the log itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["hash", "raw", "body"])
def test_a_change_of_the_log_that_is_not_what_was_written_is_not_folded_and_nothing_changes(field: str) -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"})), laptop.write(ops.Put("task", TASK, {"title": "u"})))
    before = peer.view()

    def rot_log(tx: Any) -> None:
        logged: Logged = tx.logged(3)
        rotten = bytearray(getattr(logged, field))
        rotten[-1] ^= 1
        changed: dict[str, Any] = {field: bytes(rotten)}
        tx._set("log", 3, logged._replace(**changed))

    peer.store.transact(rot_log)
    with pytest.raises(CorruptError, match="Change 3 of"):
        refold(peer, [key_of("task", TASK)])
    assert peer.view() == before
    assert refold(peer, [key_of("device", device(LAPTOP, LAPTOP).id)]) == 1  # what it is not about is mended


def test_every_change_that_a_peer_took_is_what_was_written() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(device(PHONE, LAPTOP)), Life(PHONE, continues=laptop).write(ops.Touch("task", TASK)))
    with peer.store.read() as reader:
        for position in (1, 2, 3):
            verify_logged(reader, reader.logged(position))
