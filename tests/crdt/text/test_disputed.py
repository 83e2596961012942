"""Disputed units: those that several authors or rewrites deleted, compared with a count of each unit."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from edda_sync.crdt.text.attribution import Author, Range, Rewrite, Spans
from edda_sync.crdt.text.disputed import disputed, joined

ranges = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 6)), max_size=5)


def units(found: list[Range]) -> set[tuple[int, int]]:
    return {(name, at) for name, clock, size in found for at in range(clock, clock + size)}


def of_spans(spans: Spans) -> set[tuple[int, int]]:
    """Return the units of spans, which must ascend and be apart."""
    for each in spans.values():
        ends = [at for span in each for at in span]
        assert ends == sorted(set(ends))
    return {(name, at) for name, each in spans.items() for start, end in each for at in range(start, end)}


@given(st.lists(ranges, max_size=3), st.lists(ranges, max_size=2))
def test_a_unit_is_disputed_if_several_deleted_it(authors: list[list[Range]], rewrites: list[list[Range]]) -> None:
    made = [Author() for _ in authors]
    for author, told in zip(made, authors, strict=True):
        for seq, each in enumerate(told, start=1):
            author.deletions.add(seq, each)
    found = disputed(made, [Rewrite(1, each, ()) for each in rewrites])
    counts = Counter(unit for each in (*authors, *rewrites) for unit in units(each))
    assert of_spans(found) == {unit for unit, count in counts.items() if count > 1}


@given(ranges)
def test_joined_units_are_the_same_units(told: list[Range]) -> None:
    assert of_spans(joined(told)) == units(told)
