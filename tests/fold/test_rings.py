from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import key_of
from edda_sync.fold.entities import Entities
from edda_sync.fold.rings import Rings
from tests.crdt.authors import Peer, founded


def task(number: int) -> bytes:
    return number.to_bytes(16, "big")


def with_parents(parents: list[int | None], *, hidden: frozenset[int] = frozenset()) -> Peer:
    """A peer with tasks of these parents, each written by a change of its own, some of them in the trash."""
    laptop, peer = founded()
    for number, parent in enumerate(parents):
        parent_id = None if parent is None else task(parent)
        peer.admit(laptop.write(ops.Put("task", task(number), {"title": "t", "parent_id": parent_id})))
    for number in hidden:
        peer.admit(laptop.write(ops.Delete("task", task(number), ((laptop.actor, number + 2),))))
    return peer


parents = st.integers(1, 8).flatmap(
    lambda count: st.lists(st.none() | st.integers(0, count - 1), min_size=count, max_size=count)
)


@given(parents, st.sets(st.integers(0, 7)), st.booleans())
def test_a_ring_is_found_among_what_is_visible_whether_the_fold_holds_it_or_the_store(
    listed: list[int | None], hidden: set[int], held: bool
) -> None:
    gone = frozenset(number for number in hidden if number < len(listed))
    peer = with_parents(listed, hidden=gone)
    visible = {n: p for n, p in enumerate(listed) if n not in gone and p is not None and p not in gone}
    with peer.store.read() as reader:
        entities = Entities(reader)
        rings = Rings(reader, entities)
        if held:
            entities.load([key_of("task", task(number)) for number in range(len(listed))])
        for number in range(len(listed)):
            at, passed = number, list[int]()
            while at in visible and at not in passed:
                passed.append(at)
                at = visible[at]
            ring = {task(each) for each in passed[passed.index(at) :]} if at in passed else set()
            assert {entity.id for entity in rings.above(key_of("task", task(number)), set())} == ring
            assert rings.is_in_ring(task(number)) == (task(number) in ring)


@given(parents)
def test_of_each_ring_one_task_s_parent_is_withheld_and_of_what_hangs_on_it_none(listed: list[int | None]) -> None:
    peer = with_parents(listed)
    with peer.store.read() as reader:
        entities = Entities(reader)
        rings = Rings(reader, entities)
        found = [frozenset(e.id for e in rings.above(key_of("task", task(n)), set())) for n in range(len(listed))]
        for ring in {ring for ring in found if ring}:
            withheld = [each for each in sorted(ring) if rings.is_withheld(entities.of("task", each))]
            assert withheld == [max(ring)]  # its edge was written last
        outside = [task(n) for n in range(len(listed)) if not any(task(n) in ring for ring in found)]
        assert not any(rings.is_withheld(entities.of("task", each)) for each in outside)


def test_what_is_known_to_reach_the_top_is_not_walked_again() -> None:
    peer = with_parents([None, 0, 1, 2])
    with peer.store.read() as reader:
        settled: set[bytes] = set()
        rings = Rings(reader, Entities(reader))
        assert rings.above(key_of("task", task(3)), settled) == []
        assert settled == {key_of("task", task(number)) for number in range(4)}


@pytest.mark.parametrize("parent", [7, 3])
def test_a_parent_that_is_missing_or_itself_is_no_way_up(parent: int) -> None:
    peer = with_parents([None, None, None, parent])
    with peer.store.read() as reader:
        ring = Rings(reader, Entities(reader)).above(key_of("task", task(3)), set())
        assert [entity.id for entity in ring] == ([task(3)] if parent == 3 else [])
