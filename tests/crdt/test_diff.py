from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edda_sync import limits
from edda_sync.crdt.diff import Edit, apply_edits, diff, rebase
from edda_sync.errors import InvalidValueError

lines = st.lists(st.sampled_from(["one\n", "two words\n", "\n", "tail", "é🙂 日本語\r\n", "}\n"]), max_size=30).map(
    "".join
)
texts = st.one_of(st.text(max_size=40), lines, st.text(st.sampled_from("ab \n"), max_size=60))


@st.composite
def edited(draw: st.DrawFn, length: int, alphabet: str = "xyz🙂") -> list[Edit]:
    """Edits in any order, also over each other, of a text of some length."""
    edits: list[Edit] = []
    for _ in range(draw(st.integers(0, 5))):
        position = draw(st.integers(0, length))
        deleted = draw(st.integers(0, min(5, length - position)))
        inserted = draw(st.text(st.sampled_from(alphabet), max_size=4))
        edits.append((position, deleted, inserted))
        length += len(inserted) - deleted
    return edits


def naive(text: str, edits: Sequence[Edit]) -> str:
    for position, deleted, inserted in edits:
        text = text[:position] + inserted + text[position + deleted :]
    return text


def article(number: int) -> str:
    return f"Line {number} has its own words, like w{number * 7919 % 10_007} and v{number * 31 % 997}.\n"


# --- diff -------------------------------------------------------------------------------------------------------------


@given(texts, texts, st.sampled_from([limits.DIFF_STEPS_MAX, 2_000, 100, 0]))
def test_edits_lead_from_one_text_to_the_other_however_little_work_is_allowed(old: str, new: str, steps: int) -> None:
    assert naive(old, diff(old, new, steps)) == new


@given(st.data())
def test_edits_of_a_long_text_are_exact_and_delete_little_more_than_was_deleted(data: st.DataObject) -> None:
    old = "".join(map(article, range(400)))
    edits = data.draw(edited(len(old)))
    new = naive(old, edits)
    found = diff(old, new)
    assert naive(old, found) == new
    assert sum(deleted for _, deleted, _ in found) <= sum(deleted for _, deleted, _ in edits) + 80 * len(edits)


@given(texts)
def test_equal_texts_need_no_edits(text: str) -> None:
    assert diff(text, text) == []


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("", "all", [(0, 0, "all")]),
        ("all", "", [(0, 3, "")]),
        ("Buy milk", "Buy oat milk", [(4, 0, "oat ")]),
        ("colour", "color", [(4, 1, "")]),
        ("aaa", "aaaa", [(3, 0, "a")]),
        ("one two three four", "one 2 three 4", [(4, 3, "2"), (12, 4, "4")]),
        ("a\nb\nc\n", "a\nB\nc\nd\n", [(2, 1, "B"), (6, 0, "d\n")]),
        ("🙂🙃", "🙂x🙃", [(1, 0, "x")]),
        ("牛乳を買う", "豆乳を買った", [(0, 1, "豆"), (4, 1, "った")]),
    ],
)
def test_small_changes_become_small_edits(old: str, new: str, edits: list[Edit]) -> None:
    assert diff(old, new) == edits


def test_scattered_changes_of_a_long_text_are_found_one_by_one() -> None:
    old = [article(number) for number in range(20_000)]
    new = list(old)
    for at in range(100, 20_000, 200):
        new[at] = new[at].replace("own", "very own")
    edits = diff("".join(old), "".join(new))
    assert [edit[1:] for edit in edits] == [(0, "very ")] * 100
    assert apply_edits("".join(old), edits) == "".join(new)


@pytest.mark.parametrize("count", [5, 30, 300, 3_000])
def test_lines_put_in_or_taken_out_at_two_places_are_two_edits(count: int) -> None:
    old = [article(number) for number in range(10_000)]
    more = [article(number) for number in range(20_000, 20_000 + count)]
    new = [*old[:500], *more, *old[500:9_000], *more, *old[9_000:]]
    before, after, inserted = "".join(old), "".join(new), "".join(more)
    for edits in (diff(before, after), diff(after, before)):
        assert len(edits) == 2
    assert sum(len(edit[2]) for edit in diff(before, after)) == 2 * len(inserted)
    assert sum(edit[1] for edit in diff(after, before)) == 2 * len(inserted)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\x0c"])
def test_lines_may_end_as_they_like(end: str) -> None:
    old = [article(number).replace("\n", end) for number in range(2_000)]
    new = [*old[:700], "new" + end, *old[700:1_500], *old[1_501:]]
    at = len("".join(old[:700]))
    cut = len("".join(new[:1_501]))
    assert diff("".join(old), "".join(new)) == [(at, 0, "new" + end), (cut, len(old[1_500]), "")]


def test_changes_far_apart_in_one_long_line_are_found() -> None:
    old = "".join(map(article, range(20_000))).replace("\n", " ")
    near, far = old.index("words", 100), old.index("words", 1_000_000)
    new = old[:near] + "near " + old[near:far] + "far " + old[far:]
    assert diff(old, new) == [(near, 0, "near "), (far + 5, 0, "far ")]


def test_past_its_work_a_diff_replaces_the_rest_at_once() -> None:
    old = "".join(map(article, range(30_000)))
    new = old.replace("its", "their")
    edits = diff(old, new)
    assert 100 < len(edits) < 3_000
    assert apply_edits(old, edits) == new
    assert len(diff(old, new, steps=0)) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a" * 1_000_000 + "b", "b" + "a" * 1_000_000),
        ("\n" * 500_000, "x" + "\n" * 300_000 + "y\n" * 200_000 + "x"),
        ("\n".join(map(str, range(100_000))), "\n".join(map(str, range(100_000, 0, -1)))),
        ("a b " * 100_000, "b a " * 100_001),
    ],
    ids=["one letter", "blank lines", "backwards", "two words"],
)
def test_texts_that_repeat_themselves_are_still_exact(old: str, new: str) -> None:
    assert apply_edits(old, diff(old, new)) == new


# --- apply_edits ------------------------------------------------------------------------------------------------------


@given(st.data())
def test_edits_in_any_order_are_made_one_after_another(data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=30))
    edits = data.draw(edited(len(text)))
    assert apply_edits(text, edits) == naive(text, edits)


@pytest.mark.parametrize("edit", [(-1, 0, "x"), (4, 0, "x"), (2, 2, ""), (0, -1, "x")])
def test_an_edit_outside_the_text_is_refused(edit: Edit) -> None:
    for edits in ([edit], [(0, 1, "a"), edit]):
        with pytest.raises(InvalidValueError):
            apply_edits("abc", edits)
        with pytest.raises(InvalidValueError):
            rebase(edits, "abc", "abcd")


# --- rebase -----------------------------------------------------------------------------------------------------------


def merged(base: str, current: str, new: str) -> str:
    return apply_edits(current, rebase(diff(base, new), base, current))


@pytest.mark.parametrize(
    ("base", "current", "new", "result"),
    [
        ("Buy milk", "Buy milk and eggs", "Buy oat milk", "Buy oat milk and eggs"),
        ("Buy oat milk", "Buy milk", "Buy oat milk!", "Buy milk!"),
        ("", "hello", "hello", "hello"),
        ("", "one\n", "two\n", "one\ntwo\n"),
        ("list:\n", "list:\n- a\n", "list:\n- b\n", "list:\n- a\n- b\n"),
        ("one two three", "one 2 three", "one two 3", "one 2 3"),
        ("one two three", "one three", "one TWO three", "one TWOthree"),
        ("cat", "the cat", "dog", "the dog"),
        ("cat", "cats", "dog", "dogs"),
        ("keep this\nand this\n", "", "keep this\nand this\nmore\n", "more\n"),
        ("a\nb\nc\n", "c\n", "a\nb!\nc\nd\n", "!c\nd\n"),
        ("one two", "1 two", "1 2", "1 2"),
    ],
)
def test_both_sides_changes_stand(base: str, current: str, new: str, result: str) -> None:
    assert merged(base, current, new) == result


@given(texts, texts)
def test_without_changes_on_one_side_the_other_side_is_the_result(base: str, other: str) -> None:
    assert merged(base, base, other) == other
    assert merged(base, other, base) == other


@given(st.data())
def test_edits_over_each_other_keep_their_meaning_where_nothing_happened_meanwhile(data: st.DataObject) -> None:
    base = data.draw(texts)
    edits = data.draw(edited(len(base)))
    assert apply_edits(base, rebase(edits, base, base)) == naive(base, edits)


@given(texts, texts)
def test_the_same_change_on_both_sides_is_made_once(base: str, new: str) -> None:
    assert merged(base, new, new) == new


@given(st.data(), texts, texts)
@settings(max_examples=300)
def test_rebased_edits_always_fit_the_current_text(data: st.DataObject, base: str, current: str) -> None:
    edits = data.draw(edited(len(base)))
    rebased = rebase(edits, base, current)
    assert apply_edits(current, rebased) == naive(current, rebased)


@given(st.data())
@settings(max_examples=300)
def test_insertions_of_both_sides_stand_and_only_deletions_take_away(data: st.DataObject) -> None:
    base = "".join(map(chr, range(0x4E00, 0x4E00 + data.draw(st.integers(0, 30)))))  # each character once
    theirs, ours = data.draw(edited(len(base), "ABC")), data.draw(edited(len(base), "xyz"))
    current, new = naive(base, theirs), naive(base, ours)
    assume(current != new)
    result = apply_edits(current, rebase(ours, base, current))

    def only(characters: str, text: str) -> str:
        return "".join(character for character in text if character in characters)

    assert only("ABC", result) == only("ABC", current)
    assert only("xyz", result) == only("xyz", new)
    assert only(base, result) == "".join(c for c in base if c in current and c in new)
