from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.attribution import DeletionColumns, Deletions, InsertionColumns, Insertions, meets

ANNA, BORIS = b"A" * 16, b"B" * 16

steps = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=20)  # by how much the seq grows, units
deleted = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([-2, -1, 1, 2, 9]), st.integers(1, 2)), max_size=30
)


def test_a_change_is_met_in_the_past_of_another_and_by_itself() -> None:
    assert meets([(ANNA, 3)], (BORIS, 1), {ANNA: 3})
    assert not meets([(ANNA, 3)], (BORIS, 1), {ANNA: 2})
    assert meets([(ANNA, 3), (BORIS, 7)], (BORIS, 7), {ANNA: 2})
    assert not meets([], (BORIS, 7), {ANNA: 2})


def insertions(told: list[tuple[int, int]]) -> tuple[Insertions, list[int]]:
    """What an actor brought, and the seq of each unit."""
    made, seq = Insertions(), 1
    seqs: list[int] = []
    for further, size in told:
        seq += further if seqs else 0
        made.add(seq, size)
        seqs += [seq] * size
    return made, seqs


@given(steps)
def test_each_unit_belongs_to_the_change_that_brought_it(told: list[tuple[int, int]]) -> None:
    made, seqs = insertions(told)
    assert made.clock == len(seqs)
    assert [made.seq_of(clock) for clock in range(made.clock)] == seqs
    for seq in range(max(seqs, default=0) + 2):
        assert made.known(seq) == sum(each <= seq for each in seqs)


@given(steps, st.integers(0, 40))
def test_the_units_up_to_a_change_are_those_that_were_there_then(told: list[tuple[int, int]], seq: int) -> None:
    made, _ = insertions(told)
    then = Insertions()
    at = 1
    for number, (further, size) in enumerate(told):
        at += further if number else 0
        if at <= seq:
            then.add(at, size)
    cut = made.upto(seq)
    assert (cut.columns(), cut.seq) == (then.columns(), then.seq)
    read = Insertions.of(made.columns())
    assert (read.columns(), read.seq) == (made.columns(), made.seq)


def test_a_thousand_letters_in_a_row_are_one_step() -> None:
    made = Insertions()
    for seq in range(5, 1_005):
        made.add(seq, 1)
    assert made.columns() == ([5], [0], [1], 1_000)


@pytest.mark.parametrize(
    "columns",
    [
        ([1], [0], [1], 0),
        ([1], [0], [2], 3),
        ([0], [0], [1], 1),
        ([1, -1], [0, 1], [1, 1], 2),
        ([1, 1], [0, 0], [1, 1], 1),
        ([1], [1], [1], 2),
        ([1], [0], [0], 1),
        ([1], [0], [1, 1], 1),
        ([], [], [], 1),
        ([1, 1], [0, 5], [1, 1], 4),
    ],
)
def test_columns_of_insertions_that_make_no_sense_are_none(columns: InsertionColumns) -> None:
    with pytest.raises(ValueError, match=r"steps|step|columns"):
        Insertions.of(columns)


def deletions(told: list[tuple[int, int, int, int]], upto: int = 10**9) -> tuple[Deletions, set[tuple[int, int, int]]]:
    """What an actor deleted, and each seq with the units that it deleted."""
    made, seq, clock = Deletions(), 1, 50
    units: set[tuple[int, int, int]] = set()
    for number, (further, name, moved, size) in enumerate(told):
        seq += further if number else 0
        clock = max(0, clock + moved)
        if seq <= upto:
            made.add(seq, (name, clock, size))
            units.update((seq, name, at) for at in range(clock, clock + size))
    return made, units


@given(deleted)
def test_each_deletion_is_found_by_its_units(told: list[tuple[int, int, int, int]]) -> None:
    made, units = deletions(told)
    for name in (0, 1):
        for clock, size in ((0, 200), (49, 3), (51, 1)):
            found = {
                (seq, of, at)
                for seq, (of, first, length) in made.of_units(name, clock, size)
                for at in range(first, first + length)
            }
            assert found == {unit for unit in units if unit[1] == name and clock <= unit[2] < clock + size}
    assert made.seq == max((seq for seq, _, _ in units), default=0)
    spans = {(name, at) for name, first, size in made.ranges() for at in range(first, first + size)}
    assert spans >= {(name, at) for _, name, at in units}


@given(deleted, st.integers(0, 60))
def test_the_deletions_up_to_a_change_are_those_that_were_there_then(
    told: list[tuple[int, int, int, int]], seq: int
) -> None:
    made, _ = deletions(told)
    then, _ = deletions(told, seq)
    assert made.upto(seq).columns() == then.columns()
    assert Deletions.of(made.columns()).columns() == made.columns()
    made.rename([1, 0])
    then.rename([1, 0])
    assert made.upto(seq).columns() == then.columns()


@pytest.mark.parametrize(("way", "count"), [(1, 100), (-1, -100)])
def test_a_hundred_letters_deleted_one_after_another_are_one_step(way: int, count: int) -> None:
    made = Deletions()
    for at in range(100):
        made.add(7 + at, (0, 500 + way * at, 1))
    assert made.columns() == ([7], [count], [0], [500], [1])


@pytest.mark.parametrize(
    "columns",
    [
        ([1], [1], [0], [0], []),
        ([0], [1], [0], [0], [1]),
        ([1, -1], [1, 1], [0, 0], [0, 0], [1, 1]),
        ([1], [0], [0], [0], [1]),
        ([1], [1], [0], [0], [0]),
    ],
)
def test_columns_of_deletions_that_make_no_sense_are_none(columns: DeletionColumns) -> None:
    with pytest.raises(ValueError, match=r"steps|columns"):
        Deletions.of(columns)


@given(deleted, st.lists(st.integers(0, 220), max_size=8, unique=True))
def test_each_deletion_is_found_within_spans(told: list[tuple[int, int, int, int]], edges: list[int]) -> None:
    made, units = deletions(told)
    ends = sorted(edges)[: len(edges) // 2 * 2]
    spans = list(zip(ends[::2], ends[1::2], strict=True))
    found = [
        (seq, of, at) for seq, (of, first, length) in made.within({1: spans}) for at in range(first, first + length)
    ]
    inside = {unit for unit in units if unit[1] == 1 and any(start <= unit[2] < end for start, end in spans)}
    assert set(found) == inside
