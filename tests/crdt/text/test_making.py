from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text import edits, making
from edda_sync.crdt.text.edits import GENESIS, OWN
from edda_sync.crdt.text.hunks import Hunk
from edda_sync.crdt.text.making import merged
from edda_sync.crdt.text.sequence import TextSequence

ANNA, BORIS = b"a" * 16, b"b" * 16
HERE = {ANNA: 1}
spans = st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 5))


def text(string: str = "abcdef") -> TextSequence:
    return TextSequence(b"g" * 16, string, [(ANNA, 1)])


@st.composite
def changed(draw: st.DrawFn, string: str) -> tuple[list[Hunk], str]:
    """Hunks of a text, ascending and apart, and how it reads after them."""
    hunks: list[Hunk] = []
    reads, at = "", 0
    while at < len(string) and draw(st.booleans()):
        start = draw(st.integers(at, len(string)))
        end = draw(st.integers(start, len(string)))
        new = draw(st.text("xyz🙂", max_size=3))
        if new or end > start:
            hunks.append((start, end, new))
        reads, at = reads + string[at:start] + new, end
        if at < len(string):  # one character stays between two hunks
            reads, at = reads + string[at], at + 1
    return hunks, reads + string[at:]


@given(changed("ab🙂def"), st.booleans())
def test_an_edit_made_of_hunks_is_accepted_and_gives_the_text_that_they_describe(
    case: tuple[list[Hunk], str], whole: bool
) -> None:
    hunks, reads = case
    sequence = text("ab🙂def")
    edit = making.make(sequence, BORIS, hunks, whole=whole)
    assert edits.decode(edits.encode(edit)) == edit, "it is in its one form"
    sequence.accept(edit, (BORIS, 1), HERE)
    assert sequence.order.string() == reads


def test_making_an_edit_does_not_change_the_text() -> None:
    sequence = text()
    making.make(sequence, BORIS, [(1, 3, "!")], whole=False)
    assert sequence.order.string() == "abcdef"
    assert sequence.names == [sequence.genesis]


def test_a_replacement_goes_behind_what_it_replaces_so_that_another_insertion_there_comes_before_it() -> None:
    edit = making.make(text(), BORIS, [(1, 3, "!")], whole=False)
    assert edit.blocks == (((GENESIS, 2), (GENESIS, 3), "!"),)
    assert edit.deletions == ((GENESIS, 1, 2),)
    assert edit.clock == 0


def test_an_author_continues_where_its_units_end() -> None:
    sequence = text()
    for clock, word in enumerate("xyz"):
        edit = making.make(sequence, BORIS, [(0, 0, word)], whole=False)
        assert edit.clock == clock
        sequence.accept(edit, (BORIS, 1 + clock), HERE)


def test_a_rewrite_has_no_clock_and_a_deletion_is_none() -> None:
    assert making.make(text(), BORIS, [(0, 1, "x")], whole=True).is_rewrite
    assert not making.make(text(), BORIS, [(0, 1, "")], whole=True).is_rewrite


def test_units_of_others_are_named_in_a_table_and_its_own_are_not() -> None:
    sequence = text("")
    sequence.accept(making.make(sequence, ANNA, [(0, 0, "ab")], whole=False), (ANNA, 2), HERE)
    beside = making.make(sequence, BORIS, [(1, 1, "-")], whole=False)
    assert (beside.names, beside.blocks) == ((ANNA,), (((2, 0), (2, 1), "-"),))
    own = making.make(sequence, ANNA, [(1, 1, "-")], whole=False)
    assert (own.names, own.blocks) == ((), (((OWN, 0), (OWN, 1), "-"),))


@given(st.lists(spans, max_size=8))
def test_merged_deletions_are_as_few_as_possible(given_spans: list[tuple[int, int, int]]) -> None:
    apart = [span for at, span in enumerate(given_spans) if not any(_meet(span, other) for other in given_spans[:at])]
    found = merged(apart)
    assert found == sorted(found)
    assert _units(found) == _units(apart)
    assert not any(a[0] == b[0] and a[1] + a[2] == b[1] for a, b in itertools.pairwise(found))


def _meet(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return bool(_units([one]) & _units([other]))


def _units(spans: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    return {(name, at) for name, clock, length in spans for at in range(clock, clock + length)}
