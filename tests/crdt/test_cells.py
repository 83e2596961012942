from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import cells
from edda_sync.crdt.cells import Siblings, Write
from edda_sync.crdt.frontier import Frontier, join
from tests.crdt.histories import ACTORS, Event, causal_order, histories

values = st.sampled_from(["x", "y", "z", None])
A, B, D, OTHER = ACTORS[:4]  # in ascending order


def write_of(event: Event[str | None]) -> Write:
    return event.actor, event.seq, event.wall_ms, event.work


def folded(events: list[Event[str | None]]) -> Siblings:
    siblings: Siblings = []
    for event in events:
        siblings = cells.written(siblings, write_of(event), event.past)
    return siblings


def frontier_of(events: list[Event[str | None]]) -> Frontier:
    held: Frontier = {}
    for event in events:
        held = join(held, event.past)
    return held


# --- a function of the set of writes ----------------------------------------------------------------------------------


@given(st.data(), histories(values))
def test_every_causal_order_of_the_writes_gives_the_same_cell(
    data: st.DataObject, events: list[Event[str | None]]
) -> None:
    assert folded(data.draw(causal_order(events))) == folded(events)


@given(histories(values))
def test_a_cell_keeps_the_writes_that_no_other_write_had_seen(events: list[Event[str | None]]) -> None:
    def is_replaced(event: Event[str | None]) -> bool:
        return any(other is not event and other.past.get(event.actor, 0) >= event.seq for other in events)

    assert folded(events) == sorted(write_of(event) for event in events if not is_replaced(event))


@given(histories(values), values)
def test_an_informed_write_leaves_only_itself(events: list[Event[str | None]], value: str | None) -> None:
    held = frontier_of(events)
    write = (OTHER, 1, 0, value)
    assert cells.written(folded(events), write, {**held, OTHER: 1}) == [write]


@given(
    st.dictionaries(st.tuples(st.sampled_from(ACTORS), st.integers(1, 4)), values, max_size=9),
    st.dictionaries(st.sampled_from(ACTORS), st.integers(1, 4), max_size=9),
)
def test_a_past_holds_the_same_writes_whichever_of_the_two_is_longer(
    writes: dict[tuple[bytes, int], str | None], past: Frontier
) -> None:
    siblings: Siblings = [(*dot, 0, writes[dot]) for dot in sorted(writes)]
    unseen = [write for write in siblings if write[1] > past.get(write[0], 0)]
    assert cells.unseen(siblings, past) == unseen
    for actor in past:
        one = {actor: past[actor]}
        assert cells.unseen(siblings, one) == [write for write in siblings if write[1] > one.get(write[0], 0)]


# --- what is shown, and what is kept ----------------------------------------------------------------------------------


@given(histories(values))
def test_the_greatest_stamp_is_shown_and_each_other_value_is_kept_once(events: list[Event[str | None]]) -> None:
    siblings = folded(events)
    if not siblings:
        return
    shown, kept = cells.visible(siblings), cells.conflicts(siblings)
    assert shown == max(siblings, key=cells.rank)
    assert {write[3] for write in kept} == {write[3] for write in siblings} - {shown[3]}
    assert len(kept) == len({write[3] for write in kept})
    assert kept == sorted(kept, key=cells.rank, reverse=True)
    assert all(write in siblings for write in kept)


def test_equal_values_are_no_conflict_and_the_later_of_them_is_shown() -> None:
    siblings = [(A, 1, 10, "same"), (B, 1, 20, "same")]
    assert cells.visible(siblings) == (B, 1, 20, "same")
    assert cells.conflicts(siblings) == []


def test_a_value_that_several_wrote_is_kept_once_with_its_greatest_stamp() -> None:
    siblings = [(A, 1, 10, "kept"), (A, 2, 15, "kept"), (B, 1, 20, "shown"), (D, 1, 5, "other"), (D, 2, 20, "shown")]
    assert cells.conflicts(siblings) == [(A, 2, 15, "kept"), (D, 1, 5, "other")]


def test_a_value_that_was_cleared_is_a_value_like_any_other() -> None:
    siblings = [(A, 1, 10, "1"), (B, 1, 20, 1), (D, 1, 30, None)]
    assert cells.visible(siblings)[3] is None
    assert [write[3] for write in cells.conflicts(siblings)] == [1, "1"]


def test_writes_of_one_time_are_ranked_by_their_dots() -> None:
    assert cells.visible([(A, 5, 10, "a"), (B, 1, 10, "b")])[3] == "b"


# --- schedules that broke earlier drafts ------------------------------------------------------------------------------


def test_counterexample_2_three_writes_in_two_orders_show_one_value_and_keep_one_conflict() -> None:
    first, second = (A, 1, 10, "A"), (B, 1, 20, "B")
    third = (D, 1, 11, "D")  # has seen A, and not B
    saw_first = {A: 1, D: 1}
    in_one_order = cells.written(cells.written([first], second, {B: 1}), third, saw_first)
    in_the_other = cells.written(cells.written([first], third, saw_first), second, {B: 1})
    assert in_one_order == in_the_other
    assert cells.visible(in_one_order) == second
    assert cells.conflicts(in_one_order) == [third]


def test_counterexample_3_a_clock_that_was_a_year_ahead_does_no_harm_once_it_is_right_again() -> None:
    year_ms = 365 * 24 * 3600 * 1000
    cell = cells.written([(B, 1, 1_000, "theirs")], (A, 1, year_ms, "ahead"), {A: 1})
    assert cells.visible(cell)[3] == "ahead"  # it wins against what it did not see
    for edit in range(50):
        cell = cells.written(cell, (A, 2 + edit, 2_000 + edit, f"edit {edit}"), {A: 2 + edit, B: 1})
    later = (B, 2, 3_000, "later")  # which has seen the one that was ahead, and none of the edits
    cell = cells.written(cell, later, {A: 1, B: 2})
    assert cells.visible(cell) == later
    assert [write[3] for write in cells.conflicts(cell)] == ["edit 49"]


def test_counterexample_4_concurrent_transactions_over_the_same_cells_do_not_tear() -> None:
    year_ms = 365 * 24 * 3600 * 1000
    before = {"x": [(D, 1, year_ms, "old")], "y": [(D, 2, 5, "old")]}  # x was written by a clock a year ahead
    transactions = {A: 10, B: 20}
    for order in ((A, B), (B, A)):
        after = dict(before)
        for actor in order:
            for cell in after:
                write = (actor, 1, transactions[actor], actor)
                after[cell] = cells.written(after[cell], write, {D: 2, actor: 1})
        assert {cells.visible(siblings)[3] for siblings in after.values()} == {B}
