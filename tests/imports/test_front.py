from __future__ import annotations

import pytest

from edda_sync.imports.front import front_of, title_of
from edda_sync.words import limits


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: Real # not this\n# a comment\n---\n# Other\n", "Real"),
        ("---\n# a comment\ntags: [x]\n---\n# Heading\n", "Heading"),
        ("---\nbroken: [\n# a comment\n---\n# Heading\n", "Heading"),
        ("\ufeff---\r\ntitle: 1.10\r\n---\r\n", "1.10"),
        ("Setext\n===\n", "Setext"),
        ("Level two\n---\n\n# One #\n", "One"),
        ("```\n# code\n``` info\n# code still\n```\n# One\n", "One"),
        ("    # code\n\n# One\n", "One"),
        ("<!--\n# comment\n-->\n\n# One\n", "One"),
        ("> # quoted\n\n- # listed\n\n# One\n", "One"),
        ("#\n\n# One\n", "One"),
        ("---\n\nbetween rules\n\n---\n# One\n", "One"),
        ("---\nno end\n# One\n", "One"),
        ("\ufeff# *One*\r\n", "*One*"),
        ("#One\n", "file"),
        ("---\ntitle: [a]\n---\n", "file"),
        ("", "file"),
    ],
)
def test_the_title_is_that_of_the_front_matter_or_the_first_heading_of_commonmark(text: str, title: str) -> None:
    assert title_of(text, "file") == title


@pytest.mark.parametrize(
    ("block", "tags"),
    [
        ("tags: [home, No, 1.10]", {"home", "No", "1.10"}),
        ("tags:\n  - '#home'\n  - two words", {"home", "two words"}),
        ("tags: a, b c", {"a", "b c"}),
        ("tags: a b", {"a", "b"}),
        ("Tag: a", {"a"}),
        ("tags:", set()),
        ("tags: []", set()),
    ],
)
def test_tags_are_read_in_each_form_and_stay_text(block: str, tags: set[str]) -> None:
    front = front_of(f"---\n{block}\n---\ntext\n")
    assert (set(front.tags), front.unread) == (tags, ())


def test_times_are_read_and_what_cannot_be_is_said() -> None:
    front = front_of("---\ncreated: 2026-03-01T10:00:00+01:00\nmodified: 2026-03-02\ntags: [{a: b}]\n---\n")
    assert (front.created_at, front.changed_at) == ("2026-03-01T09:00:00.000Z", "2026-03-02T00:00:00.000Z")
    assert front.unread == ("tags",)
    assert front_of("---\ndate: soon\ntitle: {a: b}\n---\n").unread == ("title", "date")
    assert front_of("---\n{\n---\n").unread == ("front matter",)
    assert front_of(f"---\ntags: {'[' * 5_000}\n---\n# A\n").title == "A"


def test_a_block_that_doubles_itself_costs_little_and_a_long_text_is_read_at_its_beginning() -> None:
    doubling = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))
    assert front_of(f"---\na0: &a0 [x]\n{doubling}\ntitle: T\n---\n").title == "T"
    assert title_of("x\n" * limits.FRONT_CODE_POINTS_MAX + "# Late\n", "file") == "file"
