from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text import wordbreak

PIECES = [
    "foo", "10", ",", ".", "-", "+", "%", "€", "$", "'", "/", ":", "=", "?", "(", ")", "https://",
    "é", "e\u0301", "🙂", "\u200d", "👍🏽", "🇩", "日", "か", "\uff9e", "ก", "ิ", "က", "္", "한", "س",
    "\u0600", "\u2028", " ", "\t", "\n", "\r", "\ufeff", "\U0001e030",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def tokens(text: str) -> list[str]:
    """Cut a whole text at once."""
    found = wordbreak.breaks(text, 0, reach=len(text) + 1)
    return [text[start:end] for start, end in pairwise(found)]


@pytest.mark.parametrize(
    "word",
    [
        "word", "naïve", "fooBar", "foo_bar", "__init__", "don't", "don’t", "well-known", "and/or",
        "foo.py", "R&D", "c#d", "1000", "-3.5", "+5", "−5", "3,5", "1,000.00", "1'000", ".5", "1e-5",
        "50%", "5‰", "5°C", "$5", "-$5", "$-5", "€1,000.00", "50€", "¥100", "10:30", "10:30:15.250",
        "2026-01-05", "2026-01-05T10:30:00Z", "05/01/2026", "10–20", "3x4", "v1.2.3-rc1",
        "you@example.org", "user+tag@example.org", "https://example.org/a-b?c=d&e=f,g;h#i", "ftp://x/",
        "C:\\foo\\bar", "std::vector", "192.168.0.1:8080", "0x1F", "e\u0301t\u00e9", "q\u0323\u0307",
        "می\u200cخواهم", "क्षत्रिय", "한국어", "\u1112\u1161\u11ab", "٣٫٥", "١٬٠٠٠", "שלום", "سلام\u200f",
        "Ж", "ｆｏｏ", "①", "1️⃣", "🇩🇪", "👨‍👩‍👧", "👍🏽", "❤️", "🏴\U000e0067\U000e0062\U000e007f", "🏳️‍🌈", "が",
        "か\u3099", "ﾊﾞ", "กิ", "ที่", "น้ำ", "ကြ", "ခ္မ", "ខ្មែ", "葛\U000e0100", "\u0600١٢", "\r\n",
        "\U0001e030a",
    ],
)  # fmt: skip
def test_a_value_or_a_character_is_never_cut(word: str) -> None:
    for before, after in (("", ""), (" ", " "), ("(", ")"), ("\n", ".\n"), ("日", "日"), ("🙂 ", "! x"), ('"', '", "')):
        assert word in tokens(before + word + after)
        assert "".join(tokens(before + word + after)) == before + word + after


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Call Anna.", ["Call", " ", "Anna", "."]),
        ("'a' (b) \"c\"", ["'", "a", "'", " ", "(", "b", ")", " ", '"', "c", '"']),
        ("x=10; f(1, 2)", ["x", "=", "10", ";", " ", "f", "(", "1", ",", " ", "2", ")"]),
        ("a,b 3 - 5 --flag", ["a", ",", "b", " ", "3", " ", "-", " ", "5", " ", "-", "-", "flag"]),
        ("(https://a.org/b). Yes", ["(", "https://a.org/b", ")", ".", " ", "Yes"]),
        ("wait....what", ["wait", ".", ".", ".", ".", "what"]),
        ("東京で10時", ["東", "京", "で", "10", "時"]),
        ("คนไทย", ["ค", "น", "ไ", "ท", "ย"]),
        ("مرحبا، يا", ["مرحبا", "،", " ", "يا"]),
        ("a\r\n\n  b\u2028c", ["a", "\r\n", "\n", " ", " ", "b", "\u2028", "c"]),
        ("🙂🙃", ["🙂", "🙃"]),
        ("\ufeffTitle", ["\ufeff", "Title"]),
        ("a \u0308", ["a", " \u0308"]),
    ],
)
def test_signs_and_spaces_and_characters_that_may_be_words_are_tokens_of_their_own(text: str, found: list[str]) -> None:
    assert tokens(text) == found


@given(texts)
def test_the_pieces_are_the_whole_text_and_each_unit_begins_at_a_break(text: str) -> None:
    units = wordbreak.cut(text)
    assert "".join(units) == text
    places = set(wordbreak.breaks(text, 0, reach=len(text) + 1))
    assert all(sum(map(len, units[:number])) in places for number in range(len(units)))


@given(texts, texts)
def test_a_text_that_goes_on_is_cut_only_where_that_is_certain(text: str, more: str) -> None:
    units = wordbreak.cut(text, True)
    assert units == wordbreak.cut(text + more)[: len(units)] or "".join(units) == text[: len("".join(units))]
    places = set(wordbreak.breaks(text + more, 0, reach=len(text + more) + 1))
    assert all(sum(map(len, units[:number])) in places for number in range(len(units) + 1))


@given(texts, st.data(), st.integers(1, 8))
def test_the_breaks_around_a_place_are_those_of_the_whole_text(text: str, data: st.DataObject, reach: int) -> None:
    near = data.draw(st.integers(0, len(text)))
    every = wordbreak.breaks(text, 0, reach=len(text) + 1)
    first = data.draw(st.sampled_from([place for place in every if place <= near]))
    found = wordbreak.breaks(text, near, first, reach)
    assert found == [place for place in every if found[0] <= place <= found[-1]]
    assert found[0] <= near <= found[-1]


@given(texts)
def test_after_a_certain_place_nothing_before_it_matters(text: str) -> None:
    place = wordbreak.certain(text, 0, len(text))
    assert place in wordbreak.breaks(text, 0, reach=len(text) + 1)
    for before in PIECES:
        assert len(before) + place in wordbreak.breaks(before + text, 0, reach=len(text) + 20)


def test_the_ends_of_a_very_long_word_are_found_until_it_is_longer_than_anybody_writes() -> None:
    word = "a" * 10_000
    assert wordbreak.breaks(f"x {word} y", 5_000)[:2] == [2, 10_002]
    assert wordbreak.breaks("a" * 200_000, 100_000) == []


@pytest.mark.parametrize(
    ("token", "space", "line_end", "word", "sign"),
    [
        (" ", True, False, False, False),
        ("\u00a0", True, False, False, False),
        ("\r\n", False, True, False, False),
        ("\u2028", False, True, False, False),
        ("-3.5", False, False, True, False),
        ("(", False, False, False, True),
        (" \u0308", False, False, False, False),
        ("日", False, False, False, False),
        ("🙂", False, False, False, True),
    ],
)
def test_tokens_have_their_kinds(token: str, space: bool, line_end: bool, word: bool, sign: bool) -> None:
    assert wordbreak.is_space(token) == space
    assert wordbreak.is_line_end(token) == line_end
    assert wordbreak.has_word(token) == word
    assert wordbreak.is_sign(token) == sign
