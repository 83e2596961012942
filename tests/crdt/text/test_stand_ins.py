"""What an undo brought back stands for what had been deleted: it stays, or goes with it, whatever stands between."""

from __future__ import annotations

import pytest

from edda_sync.crdt.text.stand_ins import Piece, Turned, turned

A, B, C = b"a", b"b", b"c"
DIRECT = [
    Piece(A, 0, "kept ", "kept ", "kept ", "kept "),
    Piece(A, 5, "brought", None, "brought", None),
    Piece(A, 12, None, "deleted", None, "deleted"),
    Piece(A, 19, None, None, None, None),
]


def shown(pieces: list[Piece]) -> str:
    return "".join(each.wanted or "" for each in turned(pieces))


def test_where_nothing_stands_for_anything_the_text_reads_as_without_the_changes() -> None:
    assert list(turned(DIRECT)) == [Turned(each.name, each.clock, each.now, each.then) for each in DIRECT]


@pytest.mark.parametrize("is_behind", [True, False])
@pytest.mark.parametrize(("after", "stays"), [("milk ", True), (None, False)])
def test_a_stand_in_stays_where_it_is_unless_what_it_stands_for_goes(
    is_behind: bool, after: str | None, stays: bool
) -> None:
    original = Piece(A, 0, None, None, "milk ", after)
    stand_in = Piece(B, 0, "milk ", "milk ", None, None)
    between = Piece(C, 0, "eggs ", "eggs ", "eggs ", "eggs ")
    pieces = [original, between, stand_in] if is_behind else [stand_in, between, original]
    expected = [each.now for each in pieces if each.now is not None and (stays or each is not stand_in)]
    assert shown(pieces) == "".join(expected)


def test_of_two_stand_ins_alike_each_stands_for_the_original_in_its_place() -> None:
    pieces = [
        Piece(A, 0, None, None, "milk ", "milk "),
        Piece(B, 0, "milk ", "milk ", None, None),
        Piece(C, 0, "eggs ", "eggs ", "eggs ", "eggs "),
        Piece(A, 5, None, None, "milk ", None),
        Piece(B, 5, "milk ", "milk ", None, None),
    ]
    assert shown(pieces) == "milk eggs "


def test_what_was_deleted_after_it_had_been_brought_back_does_not_return() -> None:
    pieces = [Piece(A, 0, None, None, "milk ", "milk "), Piece(B, 0, None, None, None, None)]
    assert shown(pieces) == ""


def test_a_stand_in_that_the_changes_deleted_returns_and_what_it_stands_for_does_not() -> None:
    pieces = [Piece(A, 0, None, None, "milk ", "milk "), Piece(B, 0, None, "milk ", None, None)]
    assert [(each.name, each.wanted) for each in turned(pieces) if each.wanted] == [(B, each) for each in "milk "]


def test_what_the_changes_and_one_that_was_taken_back_had_both_deleted_returns() -> None:
    assert shown([Piece(A, 0, None, None, None, "milk ")]) == "milk "


def test_a_stand_in_of_what_others_deleted_too_stays() -> None:
    assert shown([Piece(A, 0, None, None, None, None), Piece(B, 0, "milk ", "milk ", None, None)]) == "milk "


def test_characters_of_two_units_are_counted_as_two() -> None:
    pieces = [Piece(A, 3, None, None, None, "🥚🥛")]
    assert list(turned(pieces)) == [Turned(A, 3, None, "🥚"), Turned(A, 5, None, "🥛")]
