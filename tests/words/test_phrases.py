"""What a person looks for: words, parts of words where there are no spaces, beginnings, and phrases."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.folding import GAP, tokens
from edda_sync.words.phrases import Phrase, occurrences, phrase, phrases, places

ANY_TEXT = st.text(max_size=40)
DENSE = {
    "Japanese": "外部コマンドを実行する。全文検索のﾃｽﾄ", "Chinese": "将其写入文件，然后重新启动",
    "Thai": "สร้างไฟล์ใหม่ในโฟลเดอร์", "Lao": "ສ້າງໄຟລ໌ໃໝ່",
    "Khmer": "បង្កើតឯកសារថ្មី", "Burmese": "ဖိုင်အသစ်ဖန်တီးပါ", "Korean": "파일로 저장합니다", "Cantonese": "𠮟る𠀋",
}  # fmt: skip


def finds(text: str, words: str, *, begins: bool = False) -> bool:
    """Tell whether some words, as one phrase, are found in a text."""
    found = phrase(words, begins=begins)
    assert found is not None
    return bool(places(tokens(text), found))


@pytest.mark.parametrize("text", DENSE.values(), ids=DENSE)
def test_any_two_neighbours_of_a_script_without_spaces_are_found(text: str) -> None:
    for one, other in pairwise(text):
        if tokens(one) and tokens(other) and GAP not in tokens(one + other):
            assert finds(text, one + other)


def test_what_something_separates_is_not_found_as_one() -> None:
    assert finds("全文検索機能", "検索")
    assert not finds("全文検 索機能", "検索")
    assert not finds("검색 파일", "색파")
    assert finds("검색 파일", "색 파")
    assert finds("see the 文件a", "文件")
    assert not finds("concatenate", "cat")
    assert finds("concatenate", "conc", begins=True)


def test_a_star_changes_nothing_behind_a_script_without_spaces() -> None:
    assert phrase("検索", begins=True) == phrase("検索") == Phrase(("検", "索"), False)
    assert phrase("abc", begins=True) == Phrase(("abc",), True)


def test_a_text_without_letters_digits_and_emoji_is_no_phrase() -> None:
    for text in ("", "--", "→", "\u200d", '"'):
        assert phrase(text) is None


@given(ANY_TEXT)
def test_a_text_finds_itself(text: str) -> None:
    assert not tokens(text) or finds(text, text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("full text", [(("full",), False), (("text",), False)]),
        ("Full te*", [(("full",), False), (("te",), True)]),
        ('"full text" search', [(("full", "text"), False), (("search",), False)]),
        ('"full te*" "full te"* "" --', [(("full", "te"), True), (("full", "te"), True)]),
        ("“full text”", [(("full", "text"), False)]),
        ('say "hello', [(("say",), False), (("hello",), False)]),
        ('5" צה"ל', [(("5",), False), (("צה", "ל"), False)]),
        ("検索*", [(("検", "索"), False)]),
    ],
)
def test_quotes_around_words_make_a_phrase_and_a_star_looks_for_a_beginning(
    text: str, found: list[tuple[tuple[str, ...], bool]]
) -> None:
    assert list(phrases("text", text)) == found


@pytest.mark.parametrize("text", ["", " ", "*", "-- →", '""', "\u200d", "\0"])
def test_a_text_without_any_word_is_said_to_hold_nothing_to_look_for(text: str) -> None:
    with pytest.raises(InvalidValueError, match="holds nothing to look for: give it a letter, a digit or an emoji"):
        phrases("text", text)


def test_phrases_are_counted_in_each_text_and_never_across_texts() -> None:
    texts = ("red apple pie", "Apple and apple")
    assert occurrences(phrases("text", "apple"), texts) == 3
    assert occurrences(phrases("text", "apple pie"), texts) == 4
    assert occurrences(phrases("text", '"pie apple"'), texts) == 0
    assert occurrences(phrases("text", "apple cake"), texts) == 0


def test_places_of_a_phrase_may_overlap() -> None:
    assert places(["a", "a", "a"], Phrase(("a", "a"), False)) == [0, 1]
    assert places(["a", "ab"], Phrase(("a",), True)) == [0, 1]
    assert places([], Phrase(("a",), True)) == []
