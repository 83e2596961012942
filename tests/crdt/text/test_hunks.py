from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.hunks import Hunk, find_hunks
from edda_sync.words import limits

PIECES = [
    "foo",
    "bar",
    "10",
    "1,000.00",
    "-3.5",
    "don't",
    "e\u0301t",
    "🙂",
    "日",
    "한국",
    " ",
    "  ",
    "\n",
    "\r\n",
    ",",
    ".",
    "(",
    "-",
]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(texts, texts, st.sampled_from([limits.DIFF_STEPS_MAX, 1_000, 0]))
def test_hunks_are_ascending_and_apart_and_make_the_new_text_of_the_old_one(old: str, new: str, steps: int) -> None:
    hunks = find_hunks(old, new, steps)
    made, at = "", 0
    for start, end, inserted in hunks:
        assert at < start or not made
        assert old[start:end] != inserted
        made += old[at:start] + inserted
        at = end
    assert made + old[at:] == new


@pytest.mark.parametrize(
    ("old", "new", "hunks"),
    [
        ("Budget: 1000 EUR", "Budget: 1500 EUR", [(8, 12, "1500")]),
        ("Buy milk", "Buy oat milk", [(3, 3, " oat")]),
        ("nine.", "noon.", [(0, 4, "noon")]),
        ("one two three", "1 2 three", [(0, 7, "1 2")]),  # a space alone is no place where texts meet again
        ("one two three", "1 two 3", [(0, 3, "1"), (8, 13, "3")]),
        ("a\nb\nc\n", "a\nx\nb\nc\n", [(2, 2, "x\n")]),
        ("a\r\nb\r\n", "a\nb\n", [(1, 3, "\n"), (4, 6, "\n")]),
        ("cafe\u0301", "cafe", [(0, 5, "cafe")]),
        ("👍🏽", "👍🏿", [(0, 2, "👍🏿")]),
        ("牛乳を買う", "豆乳を買う", [(0, 1, "豆")]),
    ],
)
def test_equal_parts_never_end_inside_a_word(old: str, new: str, hunks: list[Hunk]) -> None:
    assert find_hunks(old, new, limits.DIFF_STEPS_MAX) == hunks


@pytest.mark.parametrize("word", ["a" * 100_000, "=?" * 50_000, "🙂\u200d" * 50_000, "e" + "\u0301" * 100_000])
def test_a_change_beside_an_endless_word_is_found(word: str) -> None:
    old, new = f"one\n{word} two\nthree\n", f"one\n{word} 2\nthree\n"
    assert find_hunks(old, new, limits.DIFF_STEPS_MAX) == [(len(word) + 5, len(word) + 8, "2")]
    changed = f"one\n{word[:50_001]}x{word[50_001:]} two\nthree\n"
    (hunk,) = find_hunks(old, changed, limits.DIFF_STEPS_MAX)
    assert 4 <= hunk[0] <= hunk[1] <= len(f"one\n{word} two\n")  # coarse: no more than its line
