from __future__ import annotations

import itertools

import pytest

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.words import limits
from tests.crdt.text.texts import (
    ANNA,
    BORIS,
    CARLA,
    DORA,
    GENESIS,
    HERE,
    checked,
    deletes,
    inserts,
    refusal,
    start,
    ticked,
)


def test_an_author_knows_one_of_the_changes_that_started_the_text() -> None:
    edit = inserts(((1, 0), (1, 1), "x"))
    text = start()
    assert refusal(text, edit, (BORIS, 1), {}) == "its author does not know the text"
    assert refusal(text, edit, (BORIS, 1), {ANNA: 0, CARLA: 9}) == "its author does not know the text"
    text.starts.add((CARLA, 9))
    text.accept(edit, (BORIS, 1), {CARLA: 9})
    assert text.order.string() == "axbcdef"


def test_a_change_may_start_a_text_and_edit_it() -> None:
    text = start("")
    text.accept(inserts((None, None, "hi")), (ANNA, 1), {})
    assert text.order.string() == "hi"


@pytest.mark.parametrize("beside", [(1, 6), (0, 0), (0, 2), (2, 0), (2, 3), (1, limits.TEXT_CLOCK_MAX - 1)])
def test_a_block_beside_a_unit_that_nobody_wrote_is_refused(beside: tuple[int, int]) -> None:
    names = [CARLA] if beside[0] == 2 else []
    for text in (start(), start("")):
        assert "unknown" in refusal(text, inserts((beside, None, "x"), names=names), (BORIS, 1), HERE)
        assert "unknown" in refusal(text, inserts((None, beside, "x"), names=names), (BORIS, 1), HERE)
        assert "unknown" in refusal(text, deletes((*beside, 1), names=names), (BORIS, 1), HERE)


@pytest.mark.parametrize("deleted", [(1, 6, 1), (1, 5, 2), (1, 0, limits.TEXT_CLOCK_MAX)])
def test_a_deletion_that_goes_on_past_what_somebody_wrote_is_refused(deleted: tuple[int, int, int]) -> None:
    assert refusal(start(), deletes(deleted), (BORIS, 1), HERE) == "it deletes something unknown"


def test_units_that_are_here_but_not_in_the_authors_past_count_as_unknown() -> None:
    """Only what the author knows counts. Verdicts by what a device holds would differ between orders of arrival."""
    beside, deletion = inserts(((2, 0), (1, 1), "x"), names=[CARLA]), deletes((2, 0, 1), names=[CARLA])
    for text, edit in itertools.product((start("ab"), start("ab")), (beside, deletion)):
        assert "unknown" in refusal(text, edit, (BORIS, 1), HERE)
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    for edit in (beside, deletion):
        assert "unknown" in refusal(text, edit, (BORIS, 1), HERE)
        assert "unknown" in refusal(text, edit, (BORIS, 1), {**HERE, CARLA: 0})
    text.accept(beside, (BORIS, 1), {**HERE, CARLA: 1})
    assert text.order.string() == "acxb"


def test_only_the_known_part_of_an_author_is_known() -> None:
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    text.accept(inserts(((0, 0), (1, 1), "d"), clock=1), (CARLA, 2), {**HERE, CARLA: 1})
    past = {**HERE, CARLA: 1}
    assert "unknown" in refusal(text, inserts(((2, 1), (1, 1), "x"), names=[CARLA]), (BORIS, 1), past)
    text.accept(inserts(((2, 0), (1, 1), "x"), names=[CARLA]), (BORIS, 1), past)
    assert text.order.string() == "acxdb"  # Boris' name is the smaller one


def test_an_edit_may_stand_beside_and_delete_what_it_inserts_itself() -> None:
    text = start("ab")
    text.accept(
        checked(TextEdit((), 0, (((1, 0), (1, 1), "xyz"), ((0, 0), (0, 1), "-"), ((0, 0), (0, 3), "+")), ((0, 2, 2),))),
        (BORIS, 1),
        HERE,
    )
    assert text.order.string() == "ax+yb"
    late = inserts(((1, 0), (1, 1), "x"), ((0, 2), (0, 0), "y"))
    assert "unknown" in refusal(start("ab"), late, (BORIS, 1), HERE)


def test_an_author_continues_where_its_units_end_whatever_others_did() -> None:
    text = start("ab")
    first = inserts(((1, 0), (1, 1), "x🙂"))
    text.accept(first, (BORIS, 1), HERE)
    for clock in (0, 1, 2, 4, limits.TEXT_CLOCK_MAX - 1):
        again = inserts(((0, 2), (1, 1), "y"), clock=clock)
        assert refusal(text, again, (BORIS, 2), {**HERE, BORIS: 1}) == f"it starts at clock {clock}, not at 3"
    text.accept(deletes((0, 0, 1)), (BORIS, 2), {**HERE, BORIS: 1})
    text.accept(inserts(((0, 2), (1, 1), "y"), clock=3), (BORIS, 3), {**HERE, BORIS: 2})
    assert text.order.string() == "a🙂yb"


def test_an_edit_that_was_refused_uses_no_clocks() -> None:
    text = start("ab")
    assert refusal(text, inserts(((1, 1), (1, 0), "bad")), (BORIS, 1), HERE)
    text.accept(inserts(((1, 0), (1, 1), "good")), (BORIS, 2), {**HERE, BORIS: 1})
    assert text.order.string() == "agoodb"


def test_a_right_neighbour_before_the_left_one_is_refused() -> None:
    """As a Yjs update of 33 bytes: a device that took it read another text after loading it again."""
    for left, right in itertools.product(range(6), repeat=2):
        edit = inserts(((1, left), (1, right), "!"))
        if right != left + 1:
            reason = "a block's right neighbour does not stand directly after its left one"
            assert refusal(start(), edit, (BORIS, 1), HERE) == reason
        else:
            start().accept(edit, (BORIS, 1), HERE)
    for block in ((None, (1, 1), "!"), ((1, 4), None, "!"), (None, None, "!")):
        assert "directly after" in refusal(start(), inserts(block), (BORIS, 1), HERE)


def test_deleted_neighbours_count() -> None:
    text = start()
    text.accept(deletes((1, 2, 2)), (CARLA, 1), HERE)
    past = {**HERE, CARLA: 1}
    assert "directly after" in refusal(text, inserts(((1, 1), (1, 4), "x")), (BORIS, 1), past)
    text.accept(inserts(((1, 2), (1, 3), "x")), (BORIS, 1), past)
    assert text.order.string() == "abxef"


def test_insertions_of_others_between_two_neighbours_leave_all_devices_equal() -> None:
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    text.accept(inserts(((1, 0), (1, 1), "d")), (DORA, 1), HERE)
    assert "directly after" in refusal(text, inserts(((1, 0), (1, 1), "x")), (BORIS, 1), {**HERE, CARLA: 1})
    text.accept(inserts(((1, 0), (1, 1), "x")), (BORIS, 1), HERE)
    assert text.order.string() == "axcdb"


def test_the_earlier_blocks_of_an_edit_stand_between_its_later_ones() -> None:
    between = ((1, 0), (1, 1), "x")
    assert "directly after" in refusal(start("ab"), inserts(between, between), (BORIS, 1), HERE)
    text = start("ab")
    text.accept(inserts(between, ((1, 0), (0, 0), "w")), (BORIS, 1), HERE)
    assert text.order.string() == "awxb"


def test_no_edit_may_refer_to_the_inside_of_a_character() -> None:
    text = start("x🙂y")
    assert refusal(text, inserts(((1, 1), (1, 2), "!")), (BORIS, 1), HERE) == "a block stands inside a character"
    for half in ((1, 1, 1), (1, 2, 1), (1, 0, 2), (1, 2, 2)):
        assert refusal(text, deletes(half), (BORIS, 1), HERE) == "it deletes half a character"
    own = inserts(((1, 0), (1, 1), "🙃"), ((0, 0), (0, 1), "!"))
    assert refusal(text, own, (BORIS, 1), HERE) == "a block stands inside a character"
    half_of_its_own = checked(TextEdit((), 0, (((1, 0), (1, 1), "🙃"),), ((0, 0, 1),)))
    assert refusal(text, half_of_its_own, (BORIS, 1), HERE) == "it deletes half a character"
    text.accept(checked(TextEdit((), 0, (((1, 0), (1, 1), "🙃"),), ((0, 0, 2), (1, 1, 2)))), (BORIS, 1), HERE)
    assert text.order.string() == "xy"


def test_an_actor_has_one_limit_for_edits_and_rewrites_together(monkeypatch: pytest.MonkeyPatch) -> None:
    long, rewrite = inserts(((0, 6), (1, 1), "1234"), clock=7), inserts((None, (1, 0), "1234"), clock=None)
    text = start("ab")
    monkeypatch.setattr(limits, "TEXT_CLOCK_MAX", 10)
    text.accept(inserts(((1, 0), (1, 1), "12345🙂")), (BORIS, 1), HERE)
    text.accept(deletes((0, 0, 7)), (BORIS, 2), {**HERE, BORIS: 1})
    past = {**HERE, BORIS: 2}
    for edit in (long, rewrite):
        assert refusal(text, edit, (BORIS, 3), past) == "its author has written too much into the text"
    text.accept(rewrite, (CARLA, 1), HERE)  # another one has its own measure
    text.accept(inserts(((1, 1), None, "12"), clock=None), (BORIS, 3), past)
    past = {**HERE, BORIS: 3}
    assert "too much" in refusal(text, inserts(((0, 6), (1, 1), "🙂"), clock=7), (BORIS, 4), past)
    text.accept(inserts(((0, 6), (1, 1), "1"), clock=7), (BORIS, 4), past)
    assert text.written(BORIS) == 10
    assert TextDocument.load(TextDocument(text).state())._text.written(BORIS) == 10


def test_a_name_that_needs_no_table_is_refused_in_one() -> None:
    for name in (GENESIS, BORIS):
        edit = inserts(((2, 0), (1, 1), "x"), names=[name])
        assert refusal(start(), edit, (BORIS, 1), HERE) == "it names in its table what needs no table"


def test_a_rewrite_is_judged_by_the_past_of_each_change_that_makes_it() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    text = start("- [ ] milk\n")
    assert refusal(text, rewrite, (CARLA, 1), {}) == "its author does not know the text"
    text.accept(inserts(((1, 3), (1, 4), "o")), (DORA, 1), HERE)
    assert "directly after" in refusal(text, rewrite, (CARLA, 1), {**HERE, DORA: 1})
    text.accept(rewrite, (BORIS, 2), HERE)
    assert "directly after" in refusal(text, rewrite, (CARLA, 1), {**HERE, DORA: 1})
    assert refusal(text, rewrite, (CARLA, 1), {**HERE, BORIS: 2}) == "its author knows this very rewrite"
    assert refusal(text, rewrite, (BORIS, 2), HERE) == "its author knows this very rewrite"
    beside = inserts(((2, 0), (1, 4), "!"), names=[codec.rewrite_name(GENESIS, rewrite)])
    assert "unknown" in refusal(text, beside, (CARLA, 1), HERE)
    text.accept(rewrite, (CARLA, 1), HERE)
    text.accept(beside, (CARLA, 2), {**HERE, CARLA: 1})


def test_no_edit_continues_under_the_name_of_a_rewrite() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    text = start("- [ ] milk\n")
    text.accept(rewrite, (BORIS, 2), HERE)
    past = {**HERE, BORIS: 2}
    more = inserts(((2, 0), (1, 4), "y"), clock=1, names=[codec.rewrite_name(GENESIS, rewrite)])
    assert refusal(text, more, (BORIS, 3), past) == "it starts at clock 1, not at 0"
