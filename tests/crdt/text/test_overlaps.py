"""
Overlaps: which places of a text concurrent changes replaced, and what each made of them.

``docs/merging.md`` has the simple pairs. Here are three writers, later edits, and random ones in every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from edda_sync.crdt.text import state
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.overlaps import Overlap, overlaps
from tests.costs import GROWS, Counter
from tests.crdt.text.writers import Change, Writers, one_place

DOSE = "The dose is 10 mg."


def dosed(*values: str) -> Writers:
    """Writers who replaced one value at once, and then met."""
    writers = Writers(DOSE, max(3, len(values)))
    for who, value in enumerate(values):
        writers.replace(who, "10", value)
    writers.meet()
    return writers


def test_two_replacements_of_a_word_are_listed_with_both_readings_until_somebody_who_saw_both_edits_there() -> None:
    writers = dosed("15", "20")
    place = one_place(writers.overlaps())
    assert sorted(place.shown[at : at + 2] for at in (0, 2)) == ["15", "20"]
    assert writers.documents[0].string()[place.position :].startswith(place.shown)
    assert {side.text: [seq for _, seq in side.dots] for side in place.sides} == {"15": [2], "20": [1]}
    writers.replace(2, place.shown, "17")
    writers.meet()
    assert writers.listed() == []
    assert writers.documents[1].string() == "The dose is 17 mg."


def test_three_readings_stay_until_one_change_saw_all_of_them() -> None:
    writers = Writers(DOSE, 4)
    for who, value in enumerate(("15", "20", "25")):
        writers.replace(who, "10", value)
    writers.hear(3, 0)
    writers.hear(3, 1)
    ((shown, readings),) = writers.listed(3)
    assert readings == ["15", "20"]
    writers.replace(3, shown, "17")
    assert writers.listed(3) == []
    writers.meet()
    ((shown, readings),) = writers.listed()
    assert len(shown) == 4
    assert readings == ["17", "25"], "who settled two of them wrote a third one, which knows nothing of the fourth"


def test_an_edit_by_somebody_who_saw_only_one_side_is_a_part_of_its_reading_and_settles_nothing() -> None:
    writers = Writers(DOSE)
    writers.replace(0, "10", "15")
    writers.replace(1, "10", "20")
    writers.hear(2, 0)
    writers.replace(2, "15", "15 or 16")
    writers.meet()
    ((_, readings),) = writers.listed()
    assert readings == ["15 or 16", "20"]


def test_what_is_settled_stays_so_whatever_somebody_who_saw_one_side_wrote_there_meanwhile() -> None:
    writers = Writers(DOSE, 4)
    writers.replace(0, "10", "15")
    writers.replace(1, "10", "20")
    for who, other in ((2, 0), (3, 0), (3, 1)):
        writers.hear(who, other)
    writers.write(2, (14, 0, "+"), whole=False)
    ((shown, _),) = writers.listed(3)
    writers.replace(3, shown, "17")
    writers.meet()
    assert writers.listed() == []
    assert "17" in writers.documents[0].string()


def test_a_word_that_is_deleted_first_and_typed_letter_by_letter_afterwards_is_listed_whole() -> None:
    writers = Writers(DOSE)
    for who, word in enumerate(("15", "20")):
        writers.write(who, (12, 2, ""), whole=False)
        for at, letter in enumerate(word):
            writers.write(who, (12 + at, 0, letter), whole=False)
    writers.meet()
    assert [readings for _, readings in writers.listed()] == [["15", "20"]]


@pytest.mark.parametrize(("old", "new"), [("The", "A"), ("mg", "g"), (" is", " was")])
def test_an_edit_of_another_place_settles_nothing(old: str, new: str) -> None:
    writers = dosed("15", "20")
    listed = writers.listed()
    writers.replace(2, old, new)
    writers.meet()
    assert writers.listed() == listed


def test_a_rewrite_of_another_place_by_one_of_the_two_changes_settles_and_lists_nothing() -> None:
    writers = Writers("one two three four five")
    writers.write(0, (0, 3, "1"), (17, 4, "5"))
    writers.replace(1, "five", "cinq")
    writers.meet()
    assert [readings for _, readings in writers.listed()] == [["5", "cinq"]]
    writers.replace(0, "1", "I")
    writers.meet()
    assert len(writers.listed()) == 1


def test_two_places_of_the_same_two_changes_are_settled_one_by_one() -> None:
    writers = Writers("one two three four five")
    writers.write(0, (0, 3, "1"), (17, 4, "5"))
    writers.write(1, (0, 3, "I"), (17, 4, "V"))
    writers.meet()
    first, second = writers.overlaps()
    assert first.position < second.position
    writers.replace(2, second.shown, "five")
    writers.meet()
    assert writers.overlaps() == [first]


def test_words_that_several_people_had_typed_are_one_place() -> None:
    writers = Writers("a  b")
    writers.write(0, (2, 0, "ca"), whole=False)
    writers.hear(1, 0)
    writers.write(1, (4, 0, "t"), whole=False)
    writers.meet()
    assert writers.documents[2].string() == "a cat b"
    writers.replace(0, "cat", "dog")
    writers.replace(2, "cat", "cow")
    writers.meet()
    assert [readings for _, readings in writers.listed()] == [["cow", "dog"]]


def test_what_a_third_one_wrote_unseen_at_the_place_stays_in_every_reading() -> None:
    writers = Writers("a big cat here")
    writers.replace(0, "cat", "dog")
    writers.replace(1, "big cat", "cow")
    writers.write(2, (3, 0, "++"), whole=False)
    writers.meet()
    ((shown, readings),) = writers.listed()
    assert readings == ["++cow", "b++ig dog"]
    assert "++" in shown


def test_characters_of_two_units_are_read_back_from_the_log() -> None:
    writers = Writers("🙂 eat 🍎🍏 now")
    writers.replace(0, "eat 🍎🍏", "🍇")
    writers.replace(1, "🍎🍏", "🍌")
    writers.meet()
    place = one_place(writers.overlaps())
    assert sorted(side.text for side in place.sides) == ["eat 🍌", "🍇"]
    assert writers.documents[2].string()[place.position :].startswith(place.shown)


@pytest.mark.parametrize("both", ["", "15"])
def test_what_both_made_the_same_is_not_listed(both: str) -> None:
    assert dosed(both, both).listed() == []


def test_a_unit_that_one_author_deletes_twice_is_no_overlap() -> None:
    writers = Writers("abc", 2)
    writers.write(0, (0, 1, "x"), whole=False)
    edit = writers.changes[0].edit
    lie = type(edit)(edit.names, None, (), edit.deletions)
    for document in writers.documents[:1]:
        document.apply(lie, (b"A" * 16, 3), {b"A" * 16: 2})
    assert overlaps(writers.documents[0].sequence, writers) == []


class Write(NamedTuple):
    who: int
    at: int
    deleted: int
    inserted: str
    whole: bool


class Hear(NamedTuple):
    who: int
    other: int


Steps = list[Write | Hear]

writers_ = st.integers(0, 2)
words = st.sampled_from(["", "x", "yz", " ", "🙂"])
steps = st.lists(
    st.builds(Write, writers_, st.integers(0, 8), st.integers(0, 4), words, st.booleans())
    | st.builds(Hear, writers_, writers_),
    max_size=14,
)


def lived(told: Steps) -> Writers:
    """What three writers did, who heard of each other now and then."""
    writers = Writers("ab cd ef")
    for step in told:
        if isinstance(step, Hear):
            writers.hear(*step)
            continue
        length = len(writers.documents[step.who].string())
        at = min(step.at, length)
        writers.write(step.who, (at, min(step.deleted, length - at), step.inserted), whole=step.whole)
    writers.meet()
    return writers


@given(steps, st.randoms(use_true_random=False))
def test_every_order_of_delivery_lists_the_same(told: Steps, chance: Random) -> None:
    writers = lived(told)
    listed = writers.overlaps()
    assert listed == writers.overlaps(1) == writers.overlaps(2)
    for _ in range(3):
        order = list(range(len(writers.changes)))
        chance.shuffle(order)
        document = writers.told(order)
        assert overlaps(document.sequence, writers) == listed
        assert overlaps(state.decode(document.state()), writers) == listed, "a text from a segment lists the same"


@given(steps)
def test_a_place_has_sides_that_knew_nothing_of_each_other_and_is_settled_by_any_of_its_readings(
    told: Steps,
) -> None:
    writers = lived(told)
    text, listed = writers.documents[0].string(), writers.overlaps()
    behind = -1
    for place in listed:
        assert place.position > behind
        assert text[place.position : place.position + len(place.shown)] == place.shown != ""
        assert any(side.text != place.shown for side in place.sides)
        behind = place.position + len(place.shown) - 1
        for side in place.sides:
            others = [each for each in place.sides if each != side]
            assert all(not writers.knows(mine, its) for mine in side.dots for each in others for its in each.dots)
    for place in reversed(listed):
        for reading in {place.sides[0].text, place.shown}:
            settled, dot, past = TextDocument.load(writers.documents[0].state()), (b"Z" * 16, 1), writers.known[0]
            edit = settled.rewrite(dot, past, [(place.position, len(place.shown), reading)])
            writers.changes.append(Change(dot, past, edit))
            assert overlaps(settled.sequence, writers) == _without(listed, place, len(reading) - len(place.shown))
            writers.changes.pop()


def _without(listed: Sequence[Overlap], one: Overlap, more: int) -> list[Overlap]:
    """Return places without one of them, whose text becomes longer."""
    moved = [each._replace(position=each.position + more * (each.position > one.position)) for each in listed]
    return [each for each, before in zip(moved, listed, strict=True) if before != one]


def crowded(places: int) -> Writers:
    writers = Writers(" ".join(f"word{at:05}" for at in range(places)), 2)
    for who, word in enumerate(("one", "other")):
        writers.write(who, *[(at * (len(word) + 1), 9, word) for at in range(places)])
    writers.meet()
    return writers


def many_sides(sides: int) -> Writers:
    """Two writers, each with many changes, and one place for each pair of these."""
    writers = Writers(" ".join(f"word{at:05}" for at in range(sides)), 2)
    for at in range(sides):
        for who, word in enumerate(("one", "other")):
            writers.write(who, (at * (len(word) + 1), 9, word))
    writers.meet()
    return writers


@pytest.mark.parametrize("made", [crowded, many_sides])
def test_twice_as_many_places_cost_twice_as_much(made: Callable[[int], Writers]) -> None:
    counter = Counter()
    half, whole = made(40), made(80)
    assert (len(half.listed()), len(whole.listed())) == (40, 80)
    less, more = counter.of(half.overlaps).lines, counter.of(whole.overlaps).lines
    assert more < GROWS * less
