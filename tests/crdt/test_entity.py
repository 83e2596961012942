from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import state
from edda_sync.crdt.entity import Entity, Refused
from edda_sync.crdt.frontier import Frontier
from tests.crdt.histories import ACTORS, Event, causal_order, histories

ID = bytes(range(16))
A, B, C = ACTORS[:3]  # in ascending order

Work = dict[str, Any] | str
"""Cells to put, or ``touch``, or ``delete``, or ``refuse``."""

cells = st.dictionaries(st.sampled_from(["title", "status", "priority"]), st.integers(0, 2), min_size=1)
works: st.SearchStrategy[Work] = cells | st.sampled_from(["touch", "delete", "refuse"])


def touches(events: list[Event[Work]], past: Frontier) -> Frontier:
    """The events within a past that touched the entity."""
    seen: Frontier = {}
    for event in events:
        if event.work not in ("delete", "refuse") and event.seq <= past.get(event.actor, 0):
            seen[event.actor] = max(event.seq, seen.get(event.actor, 0))
    return seen


def folded(order: list[Event[Work]], events: list[Event[Work]]) -> Entity:
    """The entity after events in an order; ``events`` are all events, which say what a deletion had seen."""
    entity = Entity(ID, "task")
    for event in order:
        if event.work == "delete":
            entity.delete(touches(events, event.past))
            continue
        if event.work == "refuse":
            entity.refuse(event.actor, event.seq, 1)
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
    order = folded(data.draw(causal_order(events)), events)
    assert order == folded(events, events)
    assert state.encode(order) == state.encode(folded(events, events))


@given(histories(works))
def test_it_is_hidden_when_some_deletion_had_seen_each_of_its_touches(events: list[Event[Work]]) -> None:
    deletions = [event for event in events if event.work == "delete"]
    unseen = [
        event
        for event in events
        if event.work not in ("delete", "refuse") and all(event.seq > d.past.get(event.actor, 0) for d in deletions)
    ]
    assert folded(events, events).hidden == (not unseen)


def test_an_entity_that_nothing_ever_touched_is_hidden() -> None:
    assert Entity(ID, "task").hidden
    refused = Entity(ID, "task")
    refused.refuse(A, 1, 1)
    assert refused.hidden


def test_a_tag_that_nobody_has_named_is_hidden() -> None:
    tag = Entity(ID, "tag")
    tag.touch(A, 1)
    assert tag.hidden
    tag.put("name", (A, 2, 0, "work"), {A: 2})
    assert not tag.hidden


def test_a_touch_of_something_older_changes_nothing() -> None:
    entity = Entity(ID, "task")
    entity.touch(A, 3)
    entity.touch(A, 2)
    assert entity.touched == {A: 3}


# --- what is refused --------------------------------------------------------------------------------------------------

X, Y = b"\x0a" * 16, b"\x0b" * 16
operations = st.tuples(st.sampled_from([A, B]), st.integers(1, 3), st.integers(1, 3))


def refused(some: list[tuple[bytes, int, int]]) -> Refused:
    found = Refused()
    for actor, seq, number in some:
        found = found.with_one(actor, seq, number)
    return found


def test_refused_operations_have_their_published_bytes() -> None:
    """Worked out from PROTOCOL.md alone: other implementations must find the same."""
    assert refused([(X, 5, 2), (Y, 1, 1)]).encode().hex() == (
        "000000000000000254b65cc0c850178fd40210b3c127cacbdd7abc0d46086dcceea446806bc0b802"
    )


@given(st.sets(operations, max_size=6), st.sets(operations, max_size=6), st.randoms(use_true_random=False))
def test_refused_operations_are_identified_as_a_set_and_not_by_their_order(
    some: set[tuple[bytes, int, int]], others: set[tuple[bytes, int, int]], chance: Any
) -> None:
    listed = sorted(some)
    chance.shuffle(listed)
    assert (refused(listed) == refused(sorted(others))) == (some == others)
    assert refused(listed).size == len(some)


@given(st.sets(operations, min_size=1, max_size=6))
def test_refused_operations_are_read_back_from_their_bytes(some: set[tuple[bytes, int, int]]) -> None:
    assert Refused.decode(refused(sorted(some)).encode()) == refused(sorted(some))


@pytest.mark.parametrize("encoded", [b"", bytes(40), bytes(7) + b"\1" + bytes(31), bytes(7) + b"\1" + bytes(33)])
def test_an_empty_set_or_one_of_another_length_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="no set"):
        Refused.decode(encoded)


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_edited_texts_are_the_geneses_among_the_siblings_of_its_text() -> None:
    entity = Entity(ID, "document")
    assert entity.edited_texts() == []
    one, other = b"\x33" * 16, b"\x77" * 16
    entity.cells["content"] = [(A, 1, 5, other), (B, 1, 6, "start"), (C, 1, 7, one), (C, 2, 8, other), (C, 3, 8, None)]
    entity.cells["title"] = [(A, 1, 5, b"\x99" * 16)]
    assert entity.edited_texts() == [("content", one), ("content", other)]
    assert Entity(ID, "tag").edited_texts() == []


def test_the_value_of_a_cell_is_that_of_its_greatest_stamp() -> None:
    entity = Entity(ID, "task")
    entity.put("title", (A, 1, 10, "first"), {A: 1})
    entity.put("title", (B, 1, 5, "second"), {B: 1})
    assert entity.value("title") == "first"
    assert entity.value("status") is None


def test_two_entities_are_equal_when_all_that_is_known_of_them_is() -> None:
    def entity() -> Entity:
        made = Entity(ID, "task")
        made.put("title", (A, 1, 10, "t"), {A: 1})
        return made

    different = [entity() for _ in range(5)]
    different[0].put("title", (A, 2, 10, "t"), {A: 2})
    different[1].touch(A, 1)
    different[2].delete({A: 1})
    different[3].refuse(A, 1, 1)
    different[4].ext = ((2, b""),)
    assert entity() == entity()
    assert hash(entity()) == hash(entity())
    assert all(one != entity() for one in different)
    assert Entity(ID, "task") != Entity(ID, "document")


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
    for order in permutations([{A: 2}, {A: 1}]):  # B had seen the edit, A's second change; C had not
        entity = Entity(ID, "task")
        entity.touch(A, 1)
        entity.touch(A, 2)
        for seen in order:
            entity.delete(seen)
        assert entity.hidden
        entity.touch(A, 3)
        assert not entity.hidden
