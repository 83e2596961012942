"""Excerpts: the line that holds what was looked for, and where in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.excerpts import Excerpt, Found, excerpt, found_in, marks
from edda_sync.words.model import Document, Task
from edda_sync.words.phrases import phrases

PIECES = st.sampled_from(["foo ", "bar, ", "日本", "語 ", "ё", "e\u0301", "\n", "x", " ", "👍🏽", "ﬁ"])


def shown(text: str, asked: str, width: int = 60) -> str | None:
    """Return an excerpt with brackets around its marks."""
    found = excerpt(text, phrases("text", asked), width)
    return None if found is None else bracketed(found)


def bracketed(found: Excerpt) -> str:
    text = found.text
    for start, end in reversed(found.marks):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


@pytest.mark.parametrize(
    ("text", "asked", "line"),
    [
        ("one\n  two three\nfour", "three", "two [three]"),
        ("Crème brûlée", "CREME", "[Crème] brûlée"),
        ("cre\u0300me", "creme", "[cre\u0300me]"),
        ("全文検索の機能", "検索", "全文[検索]の機能"),
        ("第３回", "第3回", "[第３回]"),
        ("купить ёлку", "елк*", "купить [ёлку]"),
        ("می‌خواهم", "میخواهم", "[می‌خواهم]"),
        ("Die Straße", "strasse", "Die [Straße]"),
        ("say local-first, please", '"local first"', "say [local-first], please"),
        ("a b\nb a\na b c", "c a", "[a] b [c]"),
        ("only some", "some missing", "only [some]"),
        ("nothing", "else", None),
        ("ok 👍🏽", "👍", "ok [👍🏽]"),
        ("a\tb\u3000 c", "b", "a [b] c"),
    ],
)
def test_the_line_with_the_most_of_what_was_looked_for_is_shown_with_its_places(
    text: str, asked: str, line: str | None
) -> None:
    assert shown(text, asked) == line


def test_a_long_line_is_cut_around_the_first_place() -> None:
    text = f"{'before ' * 50}needle {'behind ' * 50}"
    found = shown(text, "needle", 40)
    assert found == "…before [needle] behind behind behind behin…"
    assert shown(text, "before", 20) == "[before] [before] [before]…"


@given(st.lists(PIECES, max_size=12).map("".join), st.integers(4, 30))
def test_an_excerpt_is_no_longer_than_asked_and_its_places_are_in_order(text: str, width: int) -> None:
    found = excerpt(text, phrases("text", "foo 日本 елка e fi"), width)
    if found is not None:
        assert len(found.text) <= width + 2
        at = 0
        for start, end in found.marks:
            assert at <= start < end <= len(found.text)
            at = end


def test_places_that_touch_are_one() -> None:
    assert marks("日本語", phrases("text", "日本 本語")) == ((0, 3),)


def test_an_item_shows_its_whole_title_and_the_line_that_holds_the_words() -> None:
    document = Document(title="Notes on search", content="first\nhow search works, in short")
    found = found_in(document, "search")
    assert bracketed(found.title) == "Notes on [search]"
    assert found.body is not None
    assert bracketed(found.body) == "how [search] works, in short"
    assert found_in(Task(title="a", description=None), "b") == Found(Excerpt("a", ()), None)
    with pytest.raises(InvalidValueError):
        found_in(document, "--")
