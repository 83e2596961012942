from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.imports import pieces

LINES = [f"Line {number} says something. And something else!\n" for number in range(100)]
texts = st.text(st.sampled_from("ab .!?\n\r。"), max_size=60)


@given(texts)
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces.cut(text)) == text


def test_a_long_text_is_remembered_in_a_fifth_and_told_back_by_what_became_of_it() -> None:
    text = "".join(LINES)
    told = pieces.told(text)
    assert len(told) < len(text) / 3
    ours, theirs = text.replace("Line 7 says", "Line 7 tells"), text.replace("Line 80 says", "Line 80 tells")
    assert pieces.base(told, ours, theirs) == text
    both = pieces.base(told, ours, ours)
    assert both is not None
    assert both != text, "what neither text has is only known to have been there"
    assert len(pieces.cut(both)) >= len(pieces.cut(text))


def test_a_short_text_is_remembered_whole_and_of_a_huge_one_nothing_is() -> None:
    assert pieces.base(pieces.told("short"), "other", "another") == "short"
    assert pieces.told("") == pieces.told("x\n" * (pieces.PIECES_MAX + 1)) == ""
    assert pieces.base("", "a", "b") is None
    assert pieces.base(pieces.told("".join(LINES)), "\ufdd0", "b") is None


def test_texts_are_alike_as_far_as_they_share_pieces() -> None:
    text = "".join(LINES)
    assert pieces.shared(pieces.told(text), pieces.told(text)) == 1
    assert pieces.shared(pieces.told(text), pieces.told("other\n")) == 0
    assert 0.9 < pieces.shared(pieces.told(text), pieces.told(text.replace("Line 7 ", "Line seven "))) < 1
