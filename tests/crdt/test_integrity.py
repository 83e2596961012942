from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import integrity
from edda_sync.crdt.entity import Entity
from tests.crdt.histories import ACTORS


def task(number: int) -> bytes:
    return number.to_bytes(16, "big")


def with_parent(number: int, parent: int, stamp: tuple[int, bytes, int]) -> Entity:
    wall_ms, actor, seq = stamp
    made = Entity(task(number), "task")
    made.put("parent_id", (actor, seq, wall_ms, task(parent)), {actor: seq})
    return made


parents = st.integers(1, 12).flatmap(
    lambda count: st.lists(st.none() | st.integers(0, count - 1), min_size=count, max_size=count)
)


@given(parents, st.data())
def test_the_ring_above_a_task_is_found_from_everywhere_below_it(listed: list[int | None], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(listed) - 1))

    def parent_of(child: bytes) -> bytes | None:
        parent = listed[int.from_bytes(child, "big")]
        return None if parent is None else task(parent)

    ring = integrity.ring_above(task(start), parent_of)
    at: bytes | None = task(start)
    for _ in listed:  # after this many steps a walk has ended or goes round
        at = None if at is None else parent_of(at)
    if at is None:
        assert ring == []
    else:
        assert at in ring
        assert len(set(ring)) == len(ring)
        assert [parent_of(child) for child in ring] == [*ring[1:], ring[0]]


def test_a_task_that_names_itself_is_a_ring_of_one() -> None:
    assert integrity.ring_above(task(1), lambda child: child) == [task(1)]


@given(st.data(), st.integers(1, 6))
def test_a_ring_loses_the_same_edge_wherever_the_walk_began(data: st.DataObject, size: int) -> None:
    stamps = data.draw(
        st.lists(st.tuples(st.integers(0, 1), st.sampled_from(ACTORS[:2]), st.just(1)), min_size=size, max_size=size)
    )
    ring = [with_parent(number, (number + 1) % size, stamp) for number, stamp in enumerate(stamps)]
    turned = data.draw(st.integers(0, size - 1))
    found = integrity.withheld_of(ring)
    assert integrity.withheld_of(ring[turned:] + ring[:turned]) is found
    assert integrity.withheld_of(ring[::-1]) is found
    greatest = max(stamps)
    assert found.id == max(task(number) for number, stamp in enumerate(stamps) if stamp == greatest)


def test_counterexample_19_of_two_edges_with_one_stamp_that_of_the_greater_task_is_withheld() -> None:
    first, second = (10, ACTORS[0], 5), (20, ACTORS[1], 5)
    ring = [with_parent(1, 2, first), with_parent(2, 3, second), with_parent(3, 4, first), with_parent(4, 1, second)]
    assert integrity.withheld_of(ring).id == task(4)


def test_every_cell_that_refers_to_an_entity_says_of_which_kind() -> None:
    cells = {"parent_id": "task", "tag.0192": "tag", "link.0192": "document"}
    assert {cell: integrity.target_kind(cell) for cell in cells} == cells
