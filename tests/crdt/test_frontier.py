from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.frontier import (
    ACTOR_BYTES,
    SEQ_MAX,
    Actor,
    Dot,
    Frontier,
    Seq,
    covers,
    difference,
    from_pairs,
    join,
    lacking,
    to_pairs,
)

ACTORS = (bytes(16), bytes(15) + b"\1", b"\1" + bytes(15), b"\xff" * 16)
A, B = ACTORS[1:3]
frontiers = st.dictionaries(st.sampled_from(ACTORS), st.integers(1, 5))


# --- a join-semilattice -----------------------------------------------------------------------------------------------


@given(frontiers, frontiers, frontiers)
def test_join_does_not_depend_on_grouping_order_or_repetition(a: Frontier, b: Frontier, c: Frontier) -> None:
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
def test_join_does_not_change_its_arguments(a: Frontier, b: Frontier) -> None:
    kept = dict(a), dict(b)
    join(a, b)[b"another actor..."] = 1
    assert (a, b) == kept


def test_an_absent_actor_is_at_zero() -> None:
    assert covers({}, {A: 0})
    assert not covers({}, {A: 1})
    assert join({}, {A: 0}) == {}


# --- what is missing --------------------------------------------------------------------------------------------------


@given(frontiers, frontiers)
def test_a_frontier_is_made_again_from_its_difference(earlier: Frontier, more: Frontier) -> None:
    later = join(earlier, more)
    changed = difference(later, earlier)
    assert {**earlier, **changed} == later
    assert all(earlier.get(actor, 0) < seq for actor, seq in changed.items())


@given(frontiers, frontiers)
def test_lacking_counts_the_changes_that_are_on_one_side_only(a: Frontier, b: Frontier) -> None:
    def changes(frontier: Frontier) -> set[tuple[bytes, int]]:
        return {(actor, seq) for actor, last in frontier.items() for seq in range(1, last + 1)}

    assert lacking(a, b) == len(changes(b) - changes(a))
    assert (lacking(a, b) == 0) == covers(a, b)


# --- as it travels ----------------------------------------------------------------------------------------------------


@given(frontiers)
def test_pairs_are_sorted_and_lead_back_to_the_frontier(frontier: Frontier) -> None:
    pairs = to_pairs(frontier)
    assert pairs == sorted(pairs)
    assert from_pairs(pairs) == frontier


def test_an_actor_at_zero_is_not_sent() -> None:
    assert to_pairs({B: 0, A: 2}) == [(A, 2)]


@pytest.mark.parametrize(
    "pairs", [[(B, 1), (A, 1)], [(A, 1), (A, 1)], [(A, 1), (A, 2)]], ids=["unsorted", "twice", "at-two"]
)
def test_pairs_that_are_not_canonical_are_refused(pairs: list[tuple[bytes, int]]) -> None:
    with pytest.raises(ValueError, match="not canonical"):
        from_pairs(pairs)


def test_no_frontier_is_too_long() -> None:
    many = [(number.to_bytes(16, "big"), 1) for number in range(10_000)]
    assert to_pairs(from_pairs(many)) == many


@pytest.mark.parametrize("seq", [0, -1, SEQ_MAX + 1, 1.0, True, "1", b"\1", None])
def test_an_invalid_seq_is_refused_and_never_taken_for_a_valid_one(seq: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(seq), type=Seq)


@pytest.mark.parametrize("actor", [b"", bytes(15), bytes(17), "sixteen letters.", 5, None, list(bytes(16))])
def test_an_invalid_actor_is_refused(actor: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(actor), type=Actor)


def test_a_dot_is_an_actor_of_16_bytes_and_a_seq_of_48_bits() -> None:
    assert (ACTOR_BYTES, SEQ_MAX) == (16, (1 << 48) - 1)
    for dot in ((ACTORS[0], 1), (ACTORS[-1], SEQ_MAX)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(dot), type=Dot) == dot
