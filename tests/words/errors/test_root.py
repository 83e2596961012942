from __future__ import annotations

import pytest

from edda_sync.words import errors


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("abc", "'abc'"), ("a\nb\x1b[31m", "'a\\nb\\x1b[31m'"), ("a" * 100, "'" + "a" * 59 + "…'")],
)
def test_typed_input_is_quoted_short_and_without_control_characters(text: str, quoted: str) -> None:
    assert errors.shown(text) == quoted


def test_a_kind_is_listed_by_the_command_of_its_group() -> None:
    assert [errors.command_of(kind) for kind in ("task", "document", "tag", "device")] == [
        "task",
        "doc",
        "tag",
        "devices",
    ]


def test_what_was_typed_can_be_copied_from_advice_into_a_shell() -> None:
    assert [errors.typed(word) for word in ("c07398f", "Buy milk", "it's\nlate")] == [
        "c07398f",
        "'Buy milk'",
        "'it'\"'\"'s late'",
    ]
