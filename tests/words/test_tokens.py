from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.tokens import tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("cre\u0300me", ["creme"]),
        ("local-first_sync", ["local", "first", "sync"]),
        ("日本語 テスト", ["日本語", "テスト"]),
        ("Straße", ["straße"]),
        ("ΣΊΣΥΦΟΣ", ["σίσυφοσ"]),
        ("ЁЖ", ["ёж"]),
        ("x²", ["x²"]),
        ("  ", []),
        ("a\0b", ["a", "b"]),
    ],
)
def test_words_are_letters_and_digits_without_case_and_without_marks_on_latin_letters(
    text: str, words: list[str]
) -> None:
    assert tokens(text) == words


@given(st.text(max_size=30), st.text(max_size=30))
def test_words_of_texts_side_by_side_are_the_words_of_both(one: str, other: str) -> None:
    assert tokens(one + " " + other) == tokens(one) + tokens(other)
    assert tokens(" ".join(tokens(one))) == tokens(one)
