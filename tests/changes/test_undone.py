"""What a large undo names beside its reason: changes come back as they were named, and what is malformed names none."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import undone
from edda_sync.words import limits

ACTORS = [bytes([number]) * 16 for number in range(3)]
A, B, _ = ACTORS


@given(st.sets(st.tuples(st.sampled_from(ACTORS), st.integers(1, 40)), max_size=60))
def test_changes_come_back_as_they_were_named(dots: set[tuple[bytes, int]]) -> None:
    raw = undone.encode(dots)
    assert raw is not None
    found = undone.decode(raw)
    assert [(actor, seq) for actor, first, last in found for seq in range(first, last + 1)] == sorted(dots)
    assert all(one[0] != other[0] or one[2] + 1 < other[1] for one, other in pairwise(found))


def test_the_bytes_are_those_of_every_version() -> None:
    raw = undone.encode([(B, 7), (A, 3), (A, 4), (A, 9), (A, 3)])
    assert raw is not None
    assert raw == msgspec.msgpack.encode([[A, [3, 2, 5, 1]], [B, [7, 1]]])
    assert undone.decode(raw) == [(A, 3, 4), (A, 9, 9), (B, 7, 7)]


def test_what_is_too_long_is_left_out() -> None:
    assert undone.encode([(A, seq) for seq in range(1, 100_000)]) is not None
    assert undone.encode([(A, seq) for seq in range(1, limits.UNDONE_BYTES_MAX - 100, 2)]) is not None
    assert undone.encode([(A, seq) for seq in range(1, 2 * limits.UNDONE_BYTES_MAX, 2)]) is None


@pytest.mark.parametrize(
    "lie",
    [
        [[A, [1]]], [[A, [0, 1]]], [[A, [1, 0]]], [[A, [-1, 1]]], [[B, [1, 1]], [A, [1, 1]]], [[A, [1, 1]], [A, [1, 1]]],
        [[A[:15], [1, 1]]], [A], {"a": 1}, None, [[A, [1, 1], 5]],
    ],
)  # fmt: skip
def test_what_is_malformed_names_nothing(lie: object) -> None:
    assert undone.decode(msgspec.msgpack.encode(lie)) == []
    assert undone.decode(b"\xc1") == undone.decode(b"") == []
