"""Words as a search finds them: what a person types finds what the person sees, in many scripts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edda_sync.words import folding
from edda_sync.words.folding import GAP, is_dense, spans, tokens

ANY_TEXT = st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("cre\u0300me", ["creme"]),
        ("local-first_sync", ["local", "first", "sync"]),
        ("日本語 テスト。ok文", ["日", "本", "語", GAP, "テ", "ス", "ト", "ok", "文"]),
        ("3月第3回", ["3", "月", "第", "3", "回"]),
        ("Straße", ["strasse"]),
        ("ΣΊΣΥΦΟΣ", ["σισυφοσ"]),
        ("ЁЖ Йод за́мок", ["еж", "йод", "замок"]),
        ("x² ½ ㈱", ["x2", "1", "2", "株"]),
        ("Acme™ don’t donʼt", ["acme", "don", "t", "don", "t"]),
        ("  ", []),
        ("a\0b", ["a", "b"]),
        ("हिन्दी विकल्प", ["हिन्दी", "विकल्प"]),
        ("தமிழ் கோப்பு", ["தமிழ்", "கோப்பு"]),
        ("বাংলা ফাইল", ["বাংলা", "ফাইল"]),
        ("👍🏽 👨‍👩‍👧", ["👍", GAP, "👨", "👩", "👧"]),
        ("─── → ⌈ €", []),
    ],
)
def test_words_are_letters_digits_and_emoji_as_they_are_compared(text: str, words: list[str]) -> None:
    assert tokens(text) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("한글", unicodedata.normalize("NFD", "한글")), ("が", "か\u3099"),
        ("ﾊﾝｶｸ ﾃﾞｰﾀ", "ハンカク データ"), ("ＡＢＣ１２３", "abc123"),
        ("غالبا", "غالبًا"), ("بلاروسي", "بِلاروسيّ"), ("أحمد", "احمد"), ("مدرسة", "مدرسه"),
        ("كتـــاب", "كتاب"), ("الى", "إلي"),
        ("בלרוסית", "בֶּלָרוּסִית"), ("בראשית", "בְּרֵאשִׁית"),
        ("می‌خواهم", "میخواهم"), ("کیک", "كيك"), ("۱۲۳", "123"), ("٣", "3"),
        ("ёлка", "елка"), ("ЁЛКА", "елка"), ("ξέρω", "ξερω"), ("ΆΣΟΣ", "ασος"), ("ᾳ ὕδωρ", "α υδωρ"),
        ("Straße", "STRASSE"), ("STRAẞE", "straße"), ("ﬁne", "fine"),
        ("œuvre", "OEUVRE"), ("Łódź", "lodz"), ("smørrebrød", "smorrebrod"),
        ("İstanbul", "istanbul"), ("ISPARTA", "ısparta"), ("naïve", "nai\u0308ve"), ("co\u00adoperate", "cooperate"),
        ("फ़ाइल", "फाइल"), ("க" + "ொ", "க" + "\u0bc6\u0bbe"), ("ก\u200bข", "กข"), ("นำ", "น\u0e4d\u0e32"),
        ("❤️", "❤"), ("👍🏽", "👍"), ("1️⃣", "1"), ("Ǡ", "a"),
    ],
)  # fmt: skip
def test_what_looks_alike_or_is_typed_alike_is_the_same_word(one: str, other: str) -> None:
    assert tokens(one) == tokens(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("й", "и"), ("ї", "і"), ("ў", "у"), ("が", "か"), ("ば", "ぱ"), ("कि", "क"), ("ड়", "ঢ়"), ("가", "나"),
        ("ا", "ل"), ("ñandú", "mandu"),
        ("ก่", "ก้"), ("👍", "👎"), ("²3", "2 3"),
    ],
)  # fmt: skip
def test_letters_that_only_resemble_each_other_stay_apart(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


@given(ANY_TEXT, ANY_TEXT)
@example("日", "本")
def test_words_of_texts_side_by_side_are_the_words_of_both(one: str, other: str) -> None:
    assert [word for word in tokens(one + " " + other) if word != GAP] == [
        word for word in tokens(one) + tokens(other) if word != GAP
    ]


@given(ANY_TEXT)
def test_folded_words_stay_as_they_are(text: str) -> None:
    words = [word for word in tokens(text) if word != GAP]
    assert [word for word in tokens(" ".join(words)) if word != GAP] == words


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_fast_way_for_ascii_finds_the_same_words(text: str) -> None:
    with_more = tokens(text + " é")
    assert with_more == [*tokens(text), "e"]


@given(ANY_TEXT)
def test_words_contain_nothing_at_which_the_index_would_split_or_that_it_would_fold(text: str) -> None:
    for character in "".join(tokens(text)):
        assert character > "\x7f" or (character.isalnum() and character == character.lower())


def test_the_version_rises_with_the_rules_and_with_unicode() -> None:
    assert folding.VERSION[0] == folding.RULES
    assert folding.VERSION[1:] == tuple(map(int, unicodedata.unidata_version.split(".")))


def test_characters_of_scripts_without_spaces_are_dense_and_others_are_not() -> None:
    assert all(map(is_dense, "日ひカ한กລက👍"))
    assert not any(map(is_dense, ("a", "я", "א", "ا", "क", "த", "7")))


@given(
    st.lists(
        st.sampled_from([*"aé日本한カёקاक", "ﾊﾞ", "\u0301", "\u093c", "\u200c", "\u1112\u1161", " ", ",", "👍🏽"]),
        max_size=9,
    )
)
def test_the_places_of_words_belong_to_the_same_words(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = spans(text)
    assert [word for word, _, _ in found] == tokens(text)
    assert all(tokens(text[start:end]) == [word] for word, start, end in found if word != GAP)
