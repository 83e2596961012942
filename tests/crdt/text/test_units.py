from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.units import Pairs, code_points, differences, pairs_of, units

texts = st.text(st.sampled_from("ab é日🙂🙃\u0301"), max_size=12)


def seconds_of(text: str, clock: int) -> list[int]:
    """The places of second units in a text, taken from its UTF-16."""
    raw = text.encode("utf-16-le")
    words = [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]
    return [clock + at for at, word in enumerate(words) if 0xDC00 <= word < 0xE000]


@given(texts, st.integers(0, 100))
def test_pairs_are_where_utf_16_has_second_units(text: str, clock: int) -> None:
    found = pairs_of(text, clock)
    assert [second for first, count in found for second in range(first, first + 2 * count, 2)] == seconds_of(
        text, clock
    )
    assert units(text) == len(text.encode("utf-16-le")) // 2
    pairs = Pairs(found)
    end = clock + units(text)
    assert [at for at in range(clock - 1, end + 3) if pairs.has(at)] == seconds_of(text, clock)
    assert pairs.seconds(clock, end) == seconds_of(text, clock)
    if found:
        assert pairs.end == seconds_of(text, clock)[-1] + 1


@given(texts, texts, st.integers(0, 100))
def test_pairs_noted_one_after_another_are_those_of_both(one: str, other: str, clock: int) -> None:
    pairs = Pairs(pairs_of(one, clock))
    pairs.extend(pairs_of(other, clock + units(one)))
    both = Pairs(pairs_of(one + other, clock))
    assert list(pairs) == list(both)
    if pairs.starts:
        assert list(Pairs.of(differences(pairs.starts), pairs.counts)) == list(pairs)


@given(texts, st.integers(0, 12))
def test_units_are_counted_back_into_code_points(text: str, count: int) -> None:
    assert code_points(text, units(text[:count])) == len(text[:count])


def test_a_thousand_characters_of_two_units_side_by_side_are_kept_as_one_span() -> None:
    assert list(Pairs(pairs_of("🙂" * 1_000 + "a🙂", 5))) == [(6, 1_000), (2_007, 1)]


@pytest.mark.parametrize(
    ("starts", "counts"), [([], []), ([1], []), ([0], [1]), ([1], [0]), ([5, 2], [1, 1]), ([5, 4], [2, 1]), ([-1], [1])]
)
def test_columns_of_pairs_that_make_no_sense_are_none(starts: list[int], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="pairs"):
        Pairs.of(starts, counts)
