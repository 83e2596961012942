"""All lives together can write only so much into one entity: beyond the limit its state is the same in every order."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation as ops
from edda_sync.crdt import state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.schema import check_state
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.crdt.text.edits import GENESIS, TextEdit
from edda_sync.fold.budget import size_of
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, InvalidValueError
from edda_sync.words.model import KINDS
from tests.crdt import works
from tests.crdt.authors import LAPTOP, Life, Peer, device, founded
from tests.crdt.histories import ACTORS, Event, causal_order, histories
from tests.crdt.works import DOCUMENT, OTHER, TASK, Work, written
from tests.ledger.test_refold import KEYS, damage, dots_of, rebuild, refold

Events = list[Event[list[Work]]]
A, B = ACTORS[:2]
ROOM = 260  # a title of one letter counts 70 bytes

PUBLISHED = "95a47461736b909090919203c400"


def overfull(kind: str = "task", entity_id: bytes = TASK) -> Entity:
    entity = Entity(entity_id, kind)
    entity.overfill()
    return entity


def is_overfull(peer: Peer, kind: str = "task", entity_id: bytes = TASK) -> bool:
    key = key_of(kind, entity_id)
    record = peer.look(lambda reader: reader.states.get([key])).get(key)
    return record is not None and state.is_overfull(key, record.state)


def read(peer: Peer) -> Peer:
    """The same peer, with the hashes of its texts brought up to date."""
    peer.store.transact(peer.ledger.refresh)
    return peer


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ENTITY_BYTES_MAX", ROOM)


# --- the state --------------------------------------------------------------------------------------------------------


def test_an_overfull_entity_has_its_published_bytes_and_hashes() -> None:
    """Worked out from PROTOCOL.md alone, as all vectors: other implementations must find the same."""
    assert state.encode(overfull()).hex() == PUBLISHED
    assert state.decode(TASK, bytes.fromhex(PUBLISHED)) == overfull()
    assert state.overfull("task") == bytes.fromhex(PUBLISHED)
    assert overfull().hidden
    assert state.hash_entity(key_of("task", TASK), bytes.fromhex(PUBLISHED), []).hex() == (
        "f205de75ceaaff737c06151f97fc24e7d2ee7938b9d4f8097481747c1bf0bf80"
    )


def test_all_overfull_entities_are_the_same_whatever_was_in_them() -> None:
    entity = Entity(TASK, "task")
    entity.put("title", (A, 1, 5, "t"), {A: 1})
    entity.touch(A, 1)
    entity.charge((A,), 1, 6)
    entity.delete({B: 3})
    entity.refuse(B, 4, 1)
    entity.ext = ((2, b"even"),)
    entity.overfill()
    assert entity == overfull()
    assert entity.edited_texts() == []


@pytest.mark.parametrize(
    "state_of",
    [
        ["task", [[A, 1, 0, 0]], [], [], [[3, b""]]],
        ["task", [], [[A, 1]], [], [[3, b""]]],
        ["task", [], [], [[A, 1, 5, {"title": "t"}]], [[3, b""]]],
        ["task", [], [], [], [[1, bytes(7) + b"\1" + bytes(32)], [3, b""]]],
        ["task", [], [], [], [[2, b""], [3, b""]]],
        ["task", [], [], [], [[3, b"x"]]],
        ["device", [], [], [], [[3, b""]]],
        ["workspace", [], [], [], [[3, b""]]],
    ],
)
def test_an_overfull_entity_that_still_has_cells_or_ends_a_membership_is_damage(state_of: object) -> None:
    encode = state._encoder.encode
    with pytest.raises(CorruptError):
        state.decode(TASK, encode(state_of))


def test_no_device_makes_a_state_that_says_more_was_written_than_an_entity_may_hold() -> None:
    entity = Entity(TASK, "task")
    entity.touch(A, 1)
    entity.charge((A,), 0, limits.ENTITY_LIFE_BYTES_MAX)
    check_state(state.decode(TASK, state.encode(entity)), {A: 1, B: 1})
    entity.touch(B, 1)
    entity.charge((B,), 0, limits.ENTITY_LIFE_BYTES_MAX)
    with pytest.raises(InvalidValueError, match="more than an entity may hold"):
        check_state(state.decode(TASK, state.encode(entity)), {A: 1, B: 1})


def test_the_count_of_a_refused_edit_is_taken_back() -> None:
    one, other = Entity(TASK, "task"), Entity(TASK, "task")
    one.charge((A,), 2, 30)
    one.refund(A, 2, 30)
    assert one == other
    one.charge((A,), 1, 5)
    other.charge((A,), 1, 5)
    one.charge((A,), 2, 30)
    one.refund(A, 2, 30)
    assert one == other


# --- how large a state can be -----------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["title", "status", "metadata.k", "metadata.\1\2", "tag.x"]),
            st.none() | st.booleans() | st.integers(0, 2**53) | st.text(max_size=20) | st.binary(max_size=20)
            | st.just(["done", "2026-03-01T09:30:00.000Z"]),
            st.integers(0, 9),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_a_state_is_less_than_twice_what_was_counted(writes: list[tuple[str, object, int]]) -> None:
    """Nobody has seen the writes of the others, so all of them stay; a mere touch takes little room."""
    entity = Entity(TASK, "task")
    for number, (name, value, actor) in enumerate(writes):
        name_of = bytes((actor,)) * 16
        entity.put(name, (name_of, 2**52 - 100 + number, limits.WALL_MS_MAX, value), {})
        entity.touch(name_of, 2**52 - 100 + number)
        entity.charge((name_of,), 1, size_of({name: value}))
    assert len(state.encode(entity)) < 2 * entity.weight + 60


NAMES = st.integers(0, 3).map(lambda number: bytes((number,)) * 16)


@given(st.lists(st.tuples(NAMES, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 3), st.sampled_from(
    ["", "a", "ü", "😀b", "words"])), min_size=1, max_size=5), st.booleans()), max_size=25))  # fmt: skip
def test_a_text_s_state_is_less_than_twice_what_was_counted(
    made: list[tuple[bytes, list[tuple[int, int, str]], bool]],
) -> None:
    start = "a text to begin with"
    document = TextDocument.start(b"g" * 16, start, [(A, 1)])
    past, weight = {A: 1}, limits.ENTITY_CELL_BYTES + len("content") + len(start)
    for actor, changes, whole in made:
        length = len(document.string())
        bounded = []
        for at, gone, words in changes:
            at = min(at, length)
            gone = min(gone, length - at)
            bounded.append((at, gone, words))
            length += len(words) - gone
        dot = actor, past.get(actor, 0) + 1
        edit = document.rewrite(dot, past, bounded) if whole else document.edit(dot, past, bounded)
        past[actor] = dot[1]
        weight += len(edits.encode(edit)) + limits.ENTITY_CELL_BYTES * edit.pieces
    assert len(document.state()) < 2 * weight


@pytest.mark.parametrize("apart", [1, 2])
def test_a_text_with_every_other_letter_deleted_or_written_last_is_less_than_twice_what_was_counted(
    apart: int,
) -> None:
    document, many = TextDocument.start(b"g" * 16, "ab" * 2_000, [(A, 1)]), 2_000
    changes = [(at, 1, "") for at in range(many)] if apart == 1 else [(2 * at + 1, 0, "c") for at in range(many)]
    edit = document.edit((A, 2), {A: 1}, changes)
    weight = 64 + 2 * many + len(edits.encode(edit)) + limits.ENTITY_CELL_BYTES * edit.pieces
    assert edit.pieces == many
    assert len(document.state()) < weight


def test_a_limit_that_is_reached_leaves_a_state_far_below_what_sqlite_takes() -> None:
    assert limits.ENTITY_LIFE_BYTES_MAX < limits.ENTITY_BYTES_MAX
    assert 2 * (limits.ENTITY_BYTES_MAX + limits.OPERATION_BYTES_MAX) < 1_000_000_000


# --- a function of the set of operations ------------------------------------------------------------------------------


ONE = genesis_id(TASK, "description", "one")
EDITS = [
    TextEdit((), 0, ((None, (GENESIS, 0), "before "),), ()),
    TextEdit((), None, (((GENESIS, 2), None, " after"),), ()),
    TextEdit((), None, (), ((GENESIS, 0, 1),)),
    TextEdit((), None, (), ()),
]
more: st.SearchStrategy[Work] = st.sampled_from(
    [
        ops.Put("task", TASK, {"description": "one"}),
        *(ops.Edit("task", TASK, "description", ONE, edits.encode(edit)) for edit in EDITS),
        ops.Edit("task", TASK, "description", ONE, b"no edit"),
        ops.Put("task", TASK, {"unheard": 1}),  # a newer version's
        ops.Put("task", TASK, {"unheard": 2, "title": "t"}),
        ops.Put("task", TASK, {"title": 5}),
    ]
)
changes: st.SearchStrategy[list[Work]] = st.lists(works.puts | works.others | more | more, min_size=1, max_size=4)


@pytest.mark.usefixtures("_small")
@given(st.data(), histories(changes, actors=3, size=12))
def test_every_causal_order_of_changes_that_overfill_entities_gives_the_same_result(
    data: st.DataObject, events: Events
) -> None:
    made = written(events)
    peer, other = read(made.peer(events)), read(made.peer(data.draw(causal_order(events))))
    assert other.view() == peer.view()
    assert damage(peer) == damage(other) == []
    before = peer.view()
    refold(peer, data.draw(st.sets(st.sampled_from([*KEYS, UNREADABLE]))))
    assert peer.view() == before
    rebuild(peer)
    assert peer.view() == before
    for kind in KINDS:
        if is_overfull(peer, kind):
            key = key_of(kind, TASK)
            assert key not in [entity for entity, _ in before["unapplied"]]
            assert kind not in ("device", "workspace")


@pytest.mark.usefixtures("_small")
@given(st.data(), histories(changes, actors=3, size=10))
def test_without_some_changes_the_order_does_not_matter_either_and_with_them_the_entity_is_back(
    data: st.DataObject, events: Events
) -> None:
    made = written(events)
    one, other = read(made.peer(events)), read(made.peer(data.draw(causal_order(events))))
    before = one.view()
    without = data.draw(st.lists(st.sampled_from(dots_of(made, events)))) if events else []
    refold(one, KEYS, without)
    refold(other, KEYS, without)
    assert one.view() == other.view()
    refold(one, KEYS)
    assert one.view() == before


@pytest.mark.usefixtures("_small")
def test_all_orders_of_four_writers_end_in_the_same_state_and_hash() -> None:
    first = Life(LAPTOP)
    beginning = [first.write(device(LAPTOP, LAPTOP, "laptop"))]
    made = []
    for number in range(4):
        life = Life(LAPTOP, continues=first, nonce=bytes((number,)) * 16)
        start = ops.Put("task", TASK, {"title": f"{number}", "description": "one"})
        unheard = ops.Put("task", TASK, {"unheard": number})
        edit = ops.Edit("task", TASK, "description", ONE, edits.encode(EDITS[0]))
        beside = ops.Put("task", bytes((9, number)) * 8, {"title": "beside"})
        hide = ops.Delete("task", TASK, ((life.actor, 1),))
        made.append((life.write(start, edit, unheard, ops.Put("task", TASK, {"title": 5})), life.write(beside, hide)))
    seen = []
    for order in permutations(made):
        peer = Peer(first)
        peer.admit(*beginning)
        reached = []
        for one, other in order:
            peer.admit(one)
            peer.admit(other)
            reached.append(is_overfull(peer))
        assert reached == [False, True, True, True]
        assert (peer.refused, peer.waiting) == (0, 0)
        assert len(peer.look(lambda reader: reader.mentions.of(key_of("task", TASK)))) == 8
        assert [row[1] for row in peer.table("tasks")] == ["beside"] * 4
        found = peer.view()
        found["records"] = [(each.key, each.hash, each.state) for each in found["records"]]
        seen.append(found)
    assert all(each == seen[0] for each in seen)
    key = key_of("task", TASK)
    (hashed,) = [digest for found, digest, _ in seen[0]["records"] if found == key]
    assert hashed == state.hash_entity(key, state.overfull("task"), [])


@pytest.mark.usefixtures("_small")
def test_without_a_change_the_entity_is_small_enough_again_and_all_that_others_wrote_is_shown() -> None:
    laptop, peer = founded()
    phone = Life(LAPTOP, continues=laptop, nonce=b"p" * 16)
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "kept", "description": "one"})))
    peer.admit(phone.write(ops.Put("task", TASK, {f"metadata.k{number}": "1" for number in range(4)})))
    assert peer.table("tasks") == []
    peer.admit(laptop.write(ops.Edit("task", TASK, "description", ONE, edits.encode(EDITS[0]))))
    refold(peer, [key_of("task", TASK)], [(phone.actor, 1)])
    (row,) = peer.table("tasks")
    assert row[1:3] == ("kept", "before one")
    refold(peer, [key_of("task", TASK)])
    assert peer.table("tasks") == []
    assert damage(peer) == []


@pytest.mark.usefixtures("_small")
def test_an_entity_that_refers_to_it_is_shown_without_the_reference() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "parent"})))
    peer.admit(laptop.write(ops.Put("task", OTHER, {"title": "child", "parent_id": TASK})))
    assert [row[9] for row in peer.table("tasks") if row[1] == "child"] != [None]
    peer.admit(laptop.write(ops.Put("task", TASK, {f"metadata.k{number}": "1" for number in range(4)})))
    (child,) = peer.table("tasks")
    assert child[1] == "child"
    assert child[9] is None
    assert damage(peer) == []
    rebuild(peer)
    assert peer.table("tasks") == [child]


@pytest.mark.usefixtures("_small")
def test_no_device_loses_its_membership_because_others_write_into_its_entity() -> None:
    laptop, peer = founded()
    for number in range(6):
        peer.admit(laptop.write(ops.Put("device", DOCUMENT, {"name": f"{number}" * 60})))
    key = key_of("device", DOCUMENT)
    entity = state.entity_of(key, peer.look(lambda reader: reader.states.get([key]))[key].state)
    assert entity.weight > ROOM
    assert entity.value("name") == "5" * 60
    assert peer.refused == 0
