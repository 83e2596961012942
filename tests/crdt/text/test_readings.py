"""Readings of a place: what each group of changes left and wrote there. ``test_overlaps.py`` has them in whole texts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from edda_sync.crdt.text.readings import Atom, Readings, Who

BASE, ONE, OTHER, THIRD = (0, 0), (1, 1), (2, 1), (3, 1)
WORDS = {(0, 0): "cat", (0, 3): " food", (1, 0): "dog", (2, 0): "cow", (3, 0): "!"}


class Told:
    """Everybody knows the base, and nothing else but itself."""

    def text_of(self, atom: Atom) -> str:
        return WORDS[atom.name, atom.clock]

    def knows(self, group: Iterable[Who], other: Who) -> bool:
        return other == BASE or other in group


def atom(name: int, clock: int, by: Who, *deleted: Who) -> Atom:
    text = WORDS[name, clock]
    return Atom(name, clock, len(text), None if deleted else text, by, deleted)


CAT, FOOD = atom(0, 0, BASE, ONE, OTHER), atom(0, 3, BASE, OTHER)
DOG, COW, UNSEEN = atom(1, 0, ONE), atom(2, 0, OTHER), atom(3, 0, THIRD)


@pytest.mark.parametrize(
    ("number", "read"),
    [(0, "dog! food"), (1, "!cow")],
)
def test_a_reading_has_what_its_side_wrote_and_left_and_what_neither_saw(number: int, read: str) -> None:
    readings = Readings(Told(), [[ONE], [OTHER]])
    assert readings.of(number, [CAT, DOG, UNSEEN, FOOD, COW]) == (read, True)


def test_who_only_deleted_wrote_nothing_new_and_what_is_void_is_in_no_reading() -> None:
    readings = Readings(Told(), [[ONE], [OTHER]])
    void = DOG._replace(text=None)
    assert readings.of(0, [CAT, FOOD, void]) == (" food", False)
    assert readings.of(1, [CAT, FOOD, void]) == ("", False)


def test_a_place_ends_where_no_side_wrote_or_left_anything_more() -> None:
    readings = Readings(Told(), [[ONE], [OTHER]])
    assert readings.trimmed([UNSEEN, CAT, DOG, UNSEEN, COW, CAT, UNSEEN], 10) == ([DOG, UNSEEN, COW], 11)
    assert readings.trimmed([UNSEEN, CAT], 10) == ([], 10)
