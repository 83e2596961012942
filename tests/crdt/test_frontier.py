from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync import limits
from edda_sync.crdt.frontier import Frontier, covers, difference, from_pairs, join, lacking, to_pairs

ACTORS = (0, 1, 2, (1 << limits.ACTOR_BITS) - 1)
frontiers = st.dictionaries(st.sampled_from(ACTORS), st.integers(1, 5))


# --- a join-semilattice -----------------------------------------------------------------------------------------------


@given(frontiers, frontiers, frontiers)
def test_join_does_not_mind_grouping_order_or_repetition(a: Frontier, b: Frontier, c: Frontier) -> None:
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, b) == join(b, a)
    assert join(a, a) == a
    assert join(a, {}) == a


@given(frontiers, frontiers, frontiers)
def test_join_is_the_least_frontier_that_covers_both(a: Frontier, b: Frontier, c: Frontier) -> None:
    joined = join(a, b)
    assert covers(joined, a)
    assert covers(joined, b)
    if covers(c, a) and covers(c, b):
        assert covers(c, joined)


@given(frontiers, frontiers)
def test_covers_is_the_order_of_the_join(a: Frontier, b: Frontier) -> None:
    assert covers(a, b) == (join(a, b) == a)
    assert covers(a, a)
    if covers(a, b) and covers(b, a):
        assert a == b


@given(frontiers, frontiers)
def test_join_leaves_what_it_was_given_alone(a: Frontier, b: Frontier) -> None:
    kept = dict(a), dict(b)
    join(a, b)[99] = 1
    assert (a, b) == kept


def test_an_absent_actor_is_at_zero() -> None:
    assert covers({}, {1: 0})
    assert not covers({}, {1: 1})
    assert join({}, {1: 0}) == {}


# --- what is missing --------------------------------------------------------------------------------------------------


@given(frontiers, frontiers)
def test_a_frontier_is_made_again_from_its_difference(earlier: Frontier, more: Frontier) -> None:
    later = join(earlier, more)
    changed = difference(later, earlier)
    assert {**earlier, **changed} == later
    assert all(earlier.get(actor, 0) < seq for actor, seq in changed.items())


@given(frontiers, frontiers)
def test_lacking_counts_the_changes_that_are_on_one_side_only(a: Frontier, b: Frontier) -> None:
    def changes(frontier: Frontier) -> set[tuple[int, int]]:
        return {(actor, seq) for actor, last in frontier.items() for seq in range(1, last + 1)}

    assert lacking(a, b) == len(changes(b) - changes(a))
    assert (lacking(a, b) == 0) == covers(a, b)


# --- as it travels ----------------------------------------------------------------------------------------------------


@given(frontiers)
def test_pairs_are_sorted_and_lead_back_to_the_frontier(frontier: Frontier) -> None:
    pairs = to_pairs(frontier)
    assert pairs == sorted(pairs)
    assert from_pairs(pairs) == frontier


def test_an_actor_at_zero_does_not_travel() -> None:
    assert to_pairs({5: 0, 1: 2}) == [(1, 2)]


@pytest.mark.parametrize(
    "pairs",
    [
        [(2, 1), (1, 1)],
        [(1, 1), (1, 1)],
        [(1, 0)],
        [(1, -1)],
        [(-1, 1)],
        [(1 << limits.ACTOR_BITS, 1)],
        [(1, 1 << 48)],
    ],
    ids=["unsorted", "twice", "at-zero", "below-zero", "actor-below-zero", "actor-too-large", "seq-too-large"],
)
def test_pairs_that_are_not_canonical_are_refused(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="not canonical"):
        from_pairs(pairs)


def test_more_actors_than_a_frontier_may_name_are_refused() -> None:
    most = [(actor, 1) for actor in range(limits.ACTORS_MAX)]
    assert len(from_pairs(most)) == limits.ACTORS_MAX
    with pytest.raises(ValueError, match="4097 actors"):
        from_pairs([*most, (limits.ACTORS_MAX, 1)])
