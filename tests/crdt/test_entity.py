from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync import limits, values
from edda_sync.crdt import entity as entities
from edda_sync.crdt.entity import OWN_TIME, Entity, check_cell
from edda_sync.crdt.frontier import Frontier
from edda_sync.errors import CorruptError, InvalidValueError
from edda_sync.model import KINDS
from tests.crdt.histories import Event, causal_order, histories, part_of

ID = bytes(range(16))
TIME = "2026-03-01T09:30:00.000Z"
A, B, C = 1, 2, 3

Work = dict[str, Any] | str
"""Cells to put, or ``touch``, or ``delete``."""

cells = st.dictionaries(st.sampled_from(["title", "status", "priority"]), st.integers(0, 2), min_size=1)
works: st.SearchStrategy[Work] = cells | st.sampled_from(["touch", "delete"])


def touches(events: list[Event[Work]], past: Frontier) -> Frontier:
    """What of these events touched the entity, within a past."""
    seen: Frontier = {}
    for event in events:
        if event.work != "delete" and event.seq <= past.get(event.actor, 0):
            seen[event.actor] = max(event.seq, seen.get(event.actor, 0))
    return seen


def folded(order: list[Event[Work]], events: list[Event[Work]]) -> Entity:
    """The entity after events in an order; ``events`` are all that ever were, for what a deletion had seen."""
    entity = Entity(ID, "task")
    for event in order:
        if event.work == "delete":
            entity.delete(touches(events, event.past))
            continue
        if isinstance(event.work, dict):
            for name, value in event.work.items():
                entity.put(name, (event.actor, event.seq, event.wall_ms, value), event.past)
        entity.touch(event.actor, event.seq)
    return entity


# --- a function of the set of operations ------------------------------------------------------------------------------


@given(st.data(), histories(works))
def test_every_causal_order_of_the_operations_gives_the_same_bytes(
    data: st.DataObject, events: list[Event[Work]]
) -> None:
    order = data.draw(causal_order(events))
    assert folded(order, events).encode() == folded(events, events).encode()


@given(st.data(), histories(works, size=16))
def test_merging_two_states_is_the_fold_of_the_operations_of_both(
    data: st.DataObject, events: list[Event[Work]]
) -> None:
    ours, our_frontier = data.draw(part_of(events))
    theirs, their_frontier = data.draw(part_of(events))
    merged = folded(ours, events)
    merged.merge(our_frontier, folded(theirs, events), their_frontier)
    both = [event for event in events if event in ours or event in theirs]
    assert merged.encode() == folded(both, events).encode()
    assert merged.hidden == folded(both, events).hidden


@given(histories(works))
def test_it_is_hidden_when_some_deletion_had_seen_each_of_its_touches(events: list[Event[Work]]) -> None:
    deletions = [event for event in events if event.work == "delete"]
    unseen = [
        event
        for event in events
        if event.work != "delete" and all(event.seq > d.past.get(event.actor, 0) for d in deletions)
    ]
    assert folded(events, events).hidden == (not unseen)


def test_what_nothing_ever_touched_is_hidden() -> None:
    assert Entity(ID, "task").hidden


# --- as it is stored --------------------------------------------------------------------------------------------------


@given(histories(works))
def test_a_state_is_read_back_from_its_bytes(events: list[Event[Work]]) -> None:
    entity = folded(events, events)
    decoded = Entity.decode(ID, entity.encode())
    assert (decoded.kind, decoded.touched, decoded.deleted) == (entity.kind, entity.touched, entity.deleted)
    assert decoded.cells == entity.cells
    assert decoded.encode() == entity.encode()
    assert decoded.hidden == entity.hidden


def test_every_kind_of_value_is_read_back_as_it_was() -> None:
    entity = Entity(ID, "task")
    held = [None, True, 0, 2**53 - 1, "ü", b"\0\xff", ["done", TIME], ""]
    for number, value in enumerate(held):
        entity.put(f"metadata.{number}", (A, 1, 5, value), {A: 1})
    decoded = Entity.decode(ID, entity.encode())
    assert [decoded.value(f"metadata.{number}") for number in range(len(held))] == held
    assert type(decoded.value("metadata.1")) is bool


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda raw: msgspec.msgpack.encode(["task", raw])))
def test_bytes_that_are_no_state_are_damage(raw: bytes) -> None:
    with pytest.raises(CorruptError, match=values.id_text(ID)):
        Entity.decode(ID, raw)


def test_a_state_of_an_unknown_kind_is_damage() -> None:
    with pytest.raises(CorruptError, match=values.id_text(ID)):
        Entity.decode(ID, msgspec.msgpack.encode(["project", [], [], {}]))


def flipped(raw: bytes) -> Iterator[bytes]:
    """The same bytes, each time with one other bit."""
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def furnished(description: str | int) -> Entity:
    """A task that has a cell of every sort, and one that two devices wrote."""
    entity = Entity(ID, "task")
    held = {
        "title": "t", "description": description, "status": ["done", TIME], "priority": 2, "due_date": TIME,
        "parent_id": bytes(16), "created_at": OWN_TIME, f"tag.{values.id_text(ID)}": True,
        f"link.{values.id_text(ID)}": "see", "metadata.number": "7", "agent_context.text": '"x"',
    }  # fmt: skip
    for name, value in held.items():
        entity.put(name, (A, 1, 5, value), {A: 1})
    entity.put("title", (B, 1, 6, "other"), {B: 1})
    entity.touch(A, 1)
    entity.touch(B, 1)
    return entity


def test_an_entity_is_read_back_from_a_store() -> None:
    for description in ("plain", 77):
        entity = furnished(description)
        stored = entities.to_stored(entity.key, entity.encode())
        assert entities.state_of(entity.key, stored) == entity.encode()
        assert entities.entity_of(entity.key, stored).encode() == entity.encode()


def test_any_bit_of_a_stored_entity_that_rots_is_noticed() -> None:
    for description in ("plain", 77):
        entity = furnished(description)
        for rotten in flipped(entities.to_stored(entity.key, entity.encode())):
            with pytest.raises(CorruptError, match=f"The task {values.id_text(ID)} is damaged"):
                entities.entity_of(entity.key, rotten)


def test_a_state_under_another_key_or_too_short_is_damage() -> None:
    entity = furnished("plain")
    stored = entities.to_stored(entity.key, entity.encode())
    for key, raw in ((entities.key_of("document", ID), stored), (entity.key, stored[:5]), (entity.key, b"")):
        with pytest.raises(CorruptError, match=values.id_text(ID)):
            entities.entity_of(key, raw)


def test_one_id_has_a_key_for_each_kind_and_each_key_names_both() -> None:
    keys = {kind: entities.key_of(kind, ID) for kind in KINDS}
    assert len(set(keys.values())) == len(KINDS)
    assert {kind: entities.kind_and_id(key) for kind, key in keys.items()} == {kind: (kind, ID) for kind in KINDS}
    assert {kind: Entity(ID, kind).key for kind in KINDS} == keys


def test_the_keys_that_stores_hold_stay_what_they_are() -> None:
    numbers = {"task": b"\0", "document": b"\1", "tag": b"\2", "device": b"\3"}
    assert {kind: entities.key_of(kind, ID) for kind in KINDS} == {kind: first + ID for kind, first in numbers.items()}


@pytest.mark.parametrize("key", [b"", b"\4" + ID, b"\xff" + ID])
def test_bytes_that_are_no_key_are_damage(key: bytes) -> None:
    with pytest.raises(CorruptError):
        entities.kind_and_id(key)


def test_edited_texts_are_the_genesis_ids_among_the_siblings_of_its_text() -> None:
    entity = Entity(ID, "document")
    assert entity.edited_texts() == []
    entity.cells["content"] = [(A, 1, 5, 77), (B, 1, 6, "start"), (C, 1, 7, 33), (C, 2, 8, 77), (C, 3, 8, None)]
    entity.cells["title"] = [(A, 1, 5, 99)]
    assert entity.edited_texts() == [("content", 33), ("content", 77)]
    assert Entity(ID, "tag").edited_texts() == []


def test_the_value_of_a_cell_is_that_of_its_greatest_stamp() -> None:
    entity = Entity(ID, "task")
    entity.put("title", (A, 1, 10, "first"), {A: 1})
    entity.put("title", (B, 1, 5, "second"), {B: 1})
    assert entity.value("title") == "first"
    assert entity.value("status") is None


# --- digests ----------------------------------------------------------------------------------------------------------


def test_the_hash_of_an_entity_covers_its_id_its_state_and_each_text() -> None:
    usual = (ID, b"state", [b"one", b"two"])
    others: list[tuple[bytes, bytes, list[bytes]]] = [
        (bytes(16), b"state", [b"one", b"two"]), (ID, b"other", [b"one", b"two"]), (ID, b"state", [b"two", b"one"]),
        (ID, b"state", [b"one"]),
    ]  # fmt: skip
    hashes = [entities.hash_entity(*each) for each in (usual, *others)]
    assert len(set(hashes)) == 5
    assert {len(each) for each in hashes} == {16}


def test_the_hash_of_a_text_does_not_mind_the_order_of_its_vector() -> None:
    assert entities.hash_text("a", {1: 2, 3: 4}) == entities.hash_text("a", {3: 4, 1: 2})
    assert entities.hash_text("a", {1: 2}) != entities.hash_text("a", {1: 3}) != entities.hash_text("b", {1: 3})


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=50))
def test_every_entity_has_one_of_the_digests_buckets(ids: list[bytes]) -> None:
    assert all(0 <= entities.bucket_of(each) < limits.DIGEST_BUCKETS for each in ids)


def test_ids_made_one_after_another_fall_into_many_buckets() -> None:
    buckets = {entities.bucket_of(number.to_bytes(16, "big")) for number in range(1_000)}
    assert len(buckets) > 800


def test_a_bucket_at_zero_does_not_count_in_the_digest() -> None:
    assert entities.digest_of({1: 5, 2: 0}) == entities.digest_of({1: 5})
    assert entities.digest_of({2: 7, 1: 5}) == entities.digest_of({1: 5, 2: 7})
    assert entities.digest_of({1: 5}) != entities.digest_of({2: 5}) != entities.digest_of({})


# --- which cells there are --------------------------------------------------------------------------------------------

TAG = values.tag_id("work")
SOUND: list[tuple[str, str, Any]] = [
    ("task", "title", "t"), ("task", "description", None), ("task", "description", ""), ("task", "status", "open"),
    ("task", "status", ["done", TIME]), ("task", "priority", 0), ("task", "due_date", TIME), ("task", "due_date", None),
    ("task", "parent_id", ID), ("task", "parent_id", None), ("task", "created_at", OWN_TIME), ("task", "created_at", TIME),
    ("task", "metadata.a b", '{"b":[1,2.5,null]}'), ("task", "agent_context.x", None), ("task", "tag." + TAG, True),
    ("task", "tag." + TAG, None), ("task", "link." + TAG, "reference"), ("task", "link." + TAG, None),
    ("document", "content", "text"), ("document", "content_type", "text/plain"), ("document", "doc_type", "note"),
    ("document", "tag." + TAG, True), ("tag", "name", "work"), ("tag", "color", "#fff"), ("tag", "description", None),
    ("device", "certificate", b"der"), ("device", "name", "laptop"),
]  # fmt: skip
UNSOUND: list[tuple[str, str, Any]] = [
    ("task", "title", ""), ("task", "title", None), ("task", "title", "a" * 501), ("task", "title", "two\nlines"),
    ("task", "title", 5), ("task", "description", 5), ("task", "description", "\ud800"), ("task", "status", "later"),
    ("task", "status", ["open", TIME]), ("task", "status", ["done"]), ("task", "status", ["done", "2026-03-01"]),
    ("task", "status", ["done", None]), ("task", "priority", 5), ("task", "priority", True), ("task", "priority", 1.0),
    ("task", "due_date", "2026-03-01"), ("task", "due_date", "2026-W09-7T09:30:00.000Z"),
    ("task", "due_date", "2026-03-01 09:30:00.000Z"), ("task", "due_date", 5), ("task", "parent_id", ID[:15]),
    ("task", "parent_id", values.id_text(ID)), ("task", "created_at", 1), ("task", "created_at", None),
    ("task", "metadata.a", '{"b": 1}'), ("task", "metadata.a", '{"b":1,"a":2}'), ("task", "metadata.a", "NaN"),
    ("task", "metadata.a", '{"a":1,"a":1}'), ("task", "metadata.a", "[" * 66 + "]" * 66), ("task", "metadata.a", 5),
    ("task", "metadata.a", '"\\u00fc"'), ("task", "metadata.", "1"), ("task", "metadata." + "k" * 257, "1"),
    ("task", "tag." + TAG, False), ("task", "tag." + TAG, 1), ("task", "tag." + TAG.upper(), True),
    ("task", "tag." + TAG.replace("-", ""), True), ("task", "tag.x", True), ("task", "link." + TAG, True),
    ("task", "link." + TAG, ""), ("task", "link." + TAG.upper(), "reference"), ("task", "content", "x"),
    ("task", "color", "x"), ("task", "unheard", "x"), ("task", "", "x"), ("document", "link." + TAG, "reference"),
    ("document", "status", "open"), ("tag", "metadata.a", "1"), ("tag", "tag." + TAG, True), ("tag", "name", ""),
    ("device", "certificate", b""), ("device", "certificate", bytes(4097)), ("device", "certificate", "text"),
    ("unheard", "title", "t"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value"), SOUND)
def test_a_sound_cell_of_a_peer_is_taken(kind: str, name: str, value: Any) -> None:
    check_cell(kind, name, value)


@pytest.mark.parametrize(("kind", "name", "value"), UNSOUND)
def test_an_unsound_cell_of_a_peer_is_refused(kind: str, name: str, value: Any) -> None:
    with pytest.raises((InvalidValueError, TypeError, ValueError)):
        check_cell(kind, name, value)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    kind=st.sampled_from(["task", "document", "tag", "device"]),
    name=st.sampled_from([n for _, n, _ in SOUND]),
    value=anything,
)
def test_whatever_a_peer_writes_is_taken_or_refused_and_never_worse(kind: str, name: str, value: Any) -> None:
    try:
        check_cell(kind, name, value)
    except (InvalidValueError, TypeError, ValueError):
        return
    encoded = msgspec.msgpack.encode(value)
    check_cell(kind, name, msgspec.msgpack.decode(encoded))  # and everybody else takes it too


# --- schedules that broke earlier drafts ------------------------------------------------------------------------------


def test_counterexample_5_an_edit_that_a_deletion_with_a_fast_clock_had_not_seen_keeps_the_task_alive() -> None:
    hour_ms = 3_600_000
    for laptop_first in (True, False):
        entity = Entity(ID, "task")
        entity.put("title", (C, 1, 0, "start"), {C: 1})
        entity.touch(C, 1)

        def phone(entity: Entity = entity) -> None:
            entity.put("title", (A, 1, hour_ms, "W"), {C: 1, A: 1})
            entity.touch(A, 1)
            entity.delete({C: 1, A: 1})

        def laptop(entity: Entity = entity) -> None:
            entity.put("title", (B, 1, 1, "E"), {C: 1, B: 1})
            entity.touch(B, 1)

        for step in (laptop, phone) if laptop_first else (phone, laptop):
            step()
        assert not entity.hidden
        assert {write[3] for write in entity.cells["title"]} == {"W", "E"}  # E can be found, as a conflict


def test_counterexample_6_deleted_twice_with_the_edit_known_to_one_is_hidden() -> None:
    entity = Entity(ID, "task")
    entity.touch(A, 1)
    entity.touch(A, 2)  # the edit E
    entity.delete({A: 2})  # B had seen it
    entity.delete({A: 1})  # C had not
    assert entity.hidden
    entity.touch(A, 3)
    assert not entity.hidden
