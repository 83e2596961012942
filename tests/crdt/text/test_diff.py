from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edda_sync.crdt.text import wordbreak
from edda_sync.crdt.text.diff import apply_edits, diff, rebase
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Replacement

lines = st.lists(st.sampled_from(["one\n", "two words\n", "\n", "tail", "é🙂 日本語\r\n", "}\n"]), max_size=30).map(
    "".join
)
WORDS = [
    "foo", "bar", "10", "1,000.00", "-3.5", "50%", "€5", "10:30", "don't", "a-b", "x_y", "https://a.org/x?a=1&b=2",
    "e\u0301t", "🙂", "👩‍👧", "👍🏽", "🇩🇪", "日", "本語", "กิน", "한국", "سلام", "(10)", '"x"', "f(1)", "nine.", "so,",
    "k: v",
]  # fmt: skip
SIGNS = [" ", " ", "  ", "\n", "\r\n", "\t", ",", ".", "(", '"', "=", "-", "'", "/", ":", "\u200d", "\u0301"]
noise = st.lists(st.sampled_from(WORDS + SIGNS), max_size=14).map("".join)
texts = st.one_of(
    st.text(max_size=40),
    lines,
    st.text(st.sampled_from("ab \n"), max_size=60),
    st.lists(st.sampled_from(WORDS + SIGNS), max_size=14).map("".join),
)
pages = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), min_size=1, max_size=4)


@st.composite
def versions(draw: st.DrawFn) -> tuple[str, str, str]:
    """A page, and what two people make of it by adding, taking out and replacing lines and words."""
    page, end = draw(pages), draw(st.sampled_from(["", "\n", "\r\n"]))

    def version(page: list[list[str]]) -> str:
        return (end or "\n").join(" ".join(line) for line in page) + end

    def changed() -> str:
        copy = [list(line) for line in page]
        for _ in range(draw(st.integers(1, 2))):
            at = draw(st.integers(0, len(copy)))
            if at == len(copy) or draw(st.integers(0, 4)) == 0:
                copy[at:at] = draw(pages)[:1]
            elif draw(st.integers(0, 4)) == 0:
                del copy[at]
            else:
                start, count = draw(st.integers(0, len(copy[at]))), draw(st.integers(0, 2))
                copy[at][start : start + count] = draw(st.lists(st.sampled_from(WORDS), max_size=2))
        return version(copy)

    return version(page), changed(), changed()


@st.composite
def edited(draw: st.DrawFn, length: int, alphabet: str = "xyz🙂") -> list[Replacement]:
    """Edits in any order, which may overlap, of a text of some length."""
    edits: list[Replacement] = []
    for _ in range(draw(st.integers(0, 5))):
        position = draw(st.integers(0, length))
        deleted = draw(st.integers(0, min(5, length - position)))
        inserted = draw(st.text(st.sampled_from(alphabet), max_size=4))
        edits.append((position, deleted, inserted))
        length += len(inserted) - deleted
    return edits


def naive(text: str, edits: Sequence[Replacement]) -> str:
    for position, deleted, inserted in edits:
        text = text[:position] + inserted + text[position + deleted :]
    return text


def cuts(text: str) -> set[int]:
    return set(wordbreak.breaks(text, 0, reach=len(text) + 1))


def words_of(text: str) -> list[str]:
    tokens = [text[start:end] for start, end in pairwise(sorted(cuts(text)))]
    return [token for token in tokens if wordbreak.has_word(token)]


def article(number: int) -> str:
    return f"Line {number} has its own words, like w{number * 7919 % 10_007} and v{number * 31 % 997}.\n"


# --- diff -------------------------------------------------------------------------------------------------------------


@given(texts, texts, st.sampled_from([limits.DIFF_STEPS_MAX, 2_000, 100, 0]))
def test_edits_lead_from_one_text_to_the_other_even_with_little_work_allowed(old: str, new: str, steps: int) -> None:
    assert naive(old, diff(old, new, steps)) == new


@given(st.data())
def test_edits_of_a_long_text_are_exact_and_delete_little_more_than_necessary(data: st.DataObject) -> None:
    old = "".join(map(article, range(400)))
    edits = data.draw(edited(len(old)))
    new = naive(old, edits)
    found = diff(old, new)
    assert naive(old, found) == new
    assert sum(deleted for _, deleted, _ in found) <= sum(deleted for _, deleted, _ in edits) + 80 * len(edits)


@given(texts, texts, st.sampled_from([limits.DIFF_STEPS_MAX, 2_000, 100, 0]))
@settings(max_examples=500)
def test_an_edit_begins_and_ends_where_both_texts_may_be_cut(old: str, new: str, steps: int) -> None:
    shift = 0
    for position, deleted, inserted in diff(old, new, steps):
        assert {position - shift, position - shift + deleted} <= cuts(old)
        assert {position, position + len(inserted)} <= cuts(new)
        shift += len(inserted) - deleted


def least_changes(a: Sequence[str], b: Sequence[str]) -> int:
    """The number of tokens inserted and deleted on the shortest way, by the textbook."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            before, row[j + 1] = row[j + 1], before if x == y else 1 + min(row[j], row[j + 1])
    return row[-1]


@given(st.lists(st.sampled_from(WORDS), max_size=9), st.lists(st.sampled_from(WORDS), max_size=9))
def test_no_more_words_are_changed_than_necessary(one: list[str], other: list[str]) -> None:
    old, new = " ".join(one), " ".join(other)
    text, touched = old, 0
    for position, deleted, inserted in diff(old, new):
        touched += len(words_of(text[position : position + deleted])) + len(words_of(inserted))
        text = naive(text, [(position, deleted, inserted)])
    assert touched <= least_changes(wordbreak.cut(old), wordbreak.cut(new))


@given(texts)
def test_equal_texts_need_no_edits(text: str) -> None:
    assert diff(text, text) == []


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("", "all", [(0, 0, "all")]),
        ("all", "", [(0, 3, "")]),
        ("Buy milk", "Buy oat milk", [(3, 0, " oat")]),
        ("Buy oat milk", "Buy milk", [(3, 4, "")]),
        ("Buy milk", "Buy milk.", [(8, 0, ".")]),
        ("colour", "color", [(0, 6, "color")]),
        ("aaa", "aaaa", [(0, 3, "aaaa")]),
        ("one two three four", "one 2 three 4", [(3, 4, " 2"), (11, 5, " 4")]),
        ("one two", "1 two", [(0, 4, "1 ")]),
        ("one\ntwo three", "one\n2 three", [(4, 4, "2 ")]),
        ("one: two", "1: two", [(0, 5, "1: ")]),
        ("a\nb\nc\n", "a\nB\nc\nd\n", [(2, 2, "B\n"), (6, 0, "d\n")]),
        ("a\nb", "a\nB", [(1, 2, "\nB")]),
        ("a\r\nb\r\n", "a\r\nB\r\n", [(3, 3, "B\r\n")]),
        ("a  b", "a b", [(1, 1, "")]),
        ("(10)", "(15)", [(0, 3, "(15")]),
        ("x=", "x=1", [(1, 1, "=1")]),
        ("🙂🙃", "🙂🙂🙃", [(1, 0, "🙂")]),
        ("牛乳を買う", "豆乳を買った", [(0, 1, "豆"), (4, 1, "った")]),
    ],
)
def test_small_changes_become_small_edits(old: str, new: str, edits: list[Replacement]) -> None:
    assert diff(old, new) == edits


def test_scattered_changes_of_a_long_text_are_found_one_by_one() -> None:
    old = [article(number) for number in range(20_000)]
    new = list(old)
    for at in range(100, 20_000, 200):
        new[at] = new[at].replace("own", "very own")
    edits = diff("".join(old), "".join(new))
    assert [edit[1:] for edit in edits] == [(0, " very")] * 100
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
def test_lines_may_end_in_any_way(end: str) -> None:
    old = [article(number).replace("\n", end) for number in range(2_000)]
    new = [*old[:700], "new" + end, *old[700:1_500], *old[1_501:]]
    at = len("".join(old[:700]))
    cut = len("".join(new[:1_501]))
    assert diff("".join(old), "".join(new)) == [(at, 0, "new" + end), (cut, len(old[1_500]), "")]


def test_changes_far_apart_in_one_long_line_are_found() -> None:
    old = "".join(map(article, range(20_000))).replace("\n", " ")
    near, far = old.index("words", 100), old.index("words", 1_000_000)
    new = old[:near] + "near " + old[near:far] + "far " + old[far:]
    assert diff(old, new) == [(near - 1, 0, " near"), (far + 4, 0, " far")]


def test_a_diff_beyond_its_limit_of_work_replaces_the_rest_at_once() -> None:
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
def test_an_edit_outside_the_text_is_refused(edit: Replacement) -> None:
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
        ("one two three", "one three", "one TWO three", "one TWO three"),
        ("cat", "the cat", "dog", "the dog"),
        ("cat", "cats", "dog", "cats dog"),
        ("Budget: 1000 EUR", "Budget: 1500 EUR", "Budget: 2000 EUR", "Budget: 1500 2000 EUR"),
        ("(10)", "(15)", "(20)", "(15 20)"),
        ("one\ntwo\n", "one\n2\n", "one\nzwei\n", "one\n2 zwei\n"),
        ("a b c", "", "1 b 2", "1 2"),
        ("keep this\nand this\n", "", "keep this\nand this\nmore\n", "more\n"),
        ("a\nb\nc\n", "c\n", "a\nb!\nc\nd\n", "!c\nd\n"),
        ("one or two", "1 or two", "1 or 2", "1 or 2"),
    ],
)
def test_the_changes_of_both_sides_are_kept(base: str, current: str, new: str, result: str) -> None:
    assert merged(base, current, new) == result


@given(texts, texts)
def test_without_changes_on_one_side_the_other_side_is_the_result(base: str, other: str) -> None:
    assert merged(base, base, other) == other
    assert merged(base, other, base) == other


@given(st.data())
def test_edits_that_overlap_keep_their_meaning_where_nothing_happened_meanwhile(data: st.DataObject) -> None:
    base = data.draw(texts)
    edits = data.draw(edited(len(base)))
    assert apply_edits(base, rebase(edits, base, base)) == naive(base, edits)


@given(versions())
@settings(max_examples=500)
def test_a_merge_makes_no_word_that_nobody_wrote(three: tuple[str, str, str]) -> None:
    base, current, new = three
    result = merged(base, current, new)
    assert set(words_of(result)) <= {*words_of(base), *words_of(current), *words_of(new)}
    assert merged(base, current, current) == current


@pytest.mark.parametrize(
    ("edits", "current", "result"),
    [
        ([(7, 0, "s")], "see the cat", "see the cats"),
        ([(7, 0, "s")], "the cat!", "the cats!"),
        ([(7, 0, "s")], "the dog", "the dog cats"),
        ([(7, 0, "s")], "the cats", "the cats"),
        ([(7, 0, "s")], "the cat nap", "the cats nap"),
        ([(4, 1, "b")], "the cart", "the cart bat"),
        ([(4, 3, "")], "the dog", "the dog"),
        ([(4, 0, "black ")], "the dog", "the dog black "),
        ([(0, 4, "")], "the dog", "dog"),
    ],
)
def test_typing_into_a_word_that_changed_meanwhile_writes_the_whole_word(
    edits: list[Replacement], current: str, result: str
) -> None:
    assert apply_edits(current, rebase(edits, "the cat", current)) == result


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
def test_insertions_of_both_sides_are_kept_and_only_deletions_remove_characters(data: st.DataObject) -> None:
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
