from __future__ import annotations

import unicodedata
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import unicode14

CODE_POINTS = [code_point for code_point in range(0x110000) if not 0xD800 <= code_point < 0xE000]
FOLDED = [*range(0xD800), *range(0xF900, 0x20000), *range(0x2F800, 0x30000), *range(0xE0000, 0xE1000)]  # all but Han
PYTHON_3_11 = unicodedata.unidata_version == "14.0.0"
DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Prepended_Concatenation_Mark."""


def is_unseen(character: str) -> bool:
    return unicode14.fold(f"a{character}b") == "ab"


def is_space(character: str) -> bool:
    return unicode14.is_blank(character) and unicode14.fold(f"a{character}b") == "a b"


# --- the tables -------------------------------------------------------------------------------------------------------


def test_assigned_characters_are_those_of_python_3_11_and_later_ones_know_them_too() -> None:
    ours = {code_point for code_point in CODE_POINTS if unicode14.is_assigned(chr(code_point))}
    theirs = {code_point for code_point in CODE_POINTS if unicodedata.category(chr(code_point)) != "Cn"}
    assert ours == theirs if PYTHON_3_11 else ours < theirs
    assert blake2b(repr(sorted(ours)).encode(), digest_size=8).hexdigest() == "9137e582fc92e0d2"


def test_spaces_are_white_space_and_the_blank_braille_cell() -> None:
    found = {chr(code_point) for code_point in CODE_POINTS[:0x10000] if is_space(chr(code_point))}
    assert found == {*"\t\n\v\f\r\x85\u2800", *(c for c in map(chr, FOLDED) if unicodedata.category(c)[0] == "Z")}


@pytest.mark.skipif(not PYTHON_3_11, reason="the general category of a character may change")
def test_control_and_format_characters_are_invisible_except_those_that_are_drawn() -> None:
    for character in map(chr, FOLDED):
        if unicodedata.category(character) == "Cf":
            assert is_unseen(character) == (character not in DRAWN)
        elif unicodedata.category(character) == "Cc":
            assert is_unseen(character) or is_space(character)
            assert unicode14.has_control(character)
        else:
            assert not unicode14.has_control(character)


def test_invisible_characters_are_those_of_unicode() -> None:
    """Default_Ignorable_Code_Point as DerivedCoreProperties.txt lists it, and format and control characters."""
    default_ignorable = {
        0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
        *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
        *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
    }  # fmt: skip
    others = {*range(9), *range(14, 32), *range(0x7F, 0x85), *range(0x86, 0xA0), *range(0xFFF9, 0xFFFC)}
    others |= set(range(0x13430, 0x13439))
    assert {code_point for code_point in FOLDED if is_unseen(chr(code_point))} == default_ignorable | others


# --- blank, control ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", " ", "\u3000", "\t", "\u200b", "\u200d", "\u2800", "\ufe0f", "\u3164", "\U000e0041", " \u00ad \u2060"]
)
def test_a_text_without_visible_characters_is_blank(text: str) -> None:
    assert unicode14.is_blank(text)
    assert not unicode14.is_blank(text + "a")


@pytest.mark.parametrize(
    "text", [".", "\u0301", "\u0600", "\ue000", "\ufffc", "\U0001f642", "\u0378", "\U0001e030", "\uffff"]
)
def test_a_single_sign_is_not_blank_and_neither_is_a_character_that_the_table_lacks(text: str) -> None:
    assert not unicode14.is_blank(text)


# --- fold -------------------------------------------------------------------------------------------------------------


def test_every_character_is_folded_as_on_every_python() -> None:
    """The golden hash was the same on Python 3.11, 3.12 and 3.13, and with the tables of Unicode 18.0."""
    folded = [unicode14.fold(chr(code_point)) for code_point in FOLDED]
    assert blake2b("\n".join(folded).encode(), digest_size=8).hexdigest() == "e24d33e9d3c40027"
    assert [unicode14.fold(each) for each in folded] == folded


@given(st.text(max_size=20))
def test_a_folded_name_folds_to_itself_and_shows_no_odd_space(text: str) -> None:
    folded = unicode14.fold(text)
    assert unicode14.fold(folded) == folded
    assert folded == " ".join(folded.split(" ")).strip(" ")
    assert "  " not in folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Straße", "strasse"),
        ("ﬁle", "file"),
        ("E\u0301", "é"),
        ("e\u200d\u0301", "é"),  # invisible characters do not separate
        ("q\u0307\u0323", "q\u0323\u0307"),  # marks in canonical order
        ("\u1100\u1161\u11a8", "각"),
        ("\u00a0Ünïcödé \u2003 name\u3000", "ünïcödé name"),
        ("a\u00a8", "a \u0308"),  # a diaeresis that stands alone is a space that carries one
        ("\u00a8", "\u0308"),
        ("⠓⠕⠍⠑\u2800⠊⠝", "⠓⠕⠍⠑ ⠊⠝"),
    ],
)
def test_names_are_folded_by_published_rules(text: str, folded: str) -> None:
    assert unicode14.fold(text) == folded


@pytest.mark.parametrize(
    "younger",
    [
        "\U0001e030",  # Unicode 15.0: NFKC makes it the Cyrillic а
        "\U0001e06d",
        "\u1c89",  # 16.0: an upper case letter
        "\ua7cb",  # 16.0: an upper case letter of an old lower case one
        "\U000105c9",  # 16.0: composed of two
        "\U000105d2\u0307",  # 16.0: its parts; the second one is old
        "\U0001e08f",  # 15.0: a mark that combines
    ],
)
def test_a_character_newer_than_the_table_stays_as_it_is_and_nothing_crosses_it(younger: str) -> None:
    assert unicode14.fold(younger) == younger
    assert unicode14.fold(f"E\u0301{younger}E\u0301") == f"é{younger}é"
    assert unicode14.fold(f"e{younger}\u0301") == f"e{younger}\u0301"
    assert unicode14.fold(f"q\u0307{younger[0]}\u0323") == f"q\u0307{younger[0]}\u0323"
