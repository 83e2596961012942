from __future__ import annotations

from importlib import import_module

import pytest

from edda_sync.imports.source import title_from
from edda_sync.words import limits


def test_a_title_is_one_line_without_controls_and_not_too_long() -> None:
    assert title_from(" a\n\tb\0c \u2028d\ud800", "x") == "a b c d\ufffd"
    assert title_from("\u200b ", "x") == "x"
    assert len(title_from("y" * 900, "x")) == limits.TITLE_CODE_POINTS_MAX


@pytest.mark.parametrize("name", ["beads", "taskwarrior", "todotxt", "ics", "todoist"])
def test_each_format_is_an_adapter_of_its_own_key(name: str) -> None:
    adapter = import_module(f"edda_sync.imports.{name}")
    assert name == adapter.KEY
    assert callable(adapter.parse)
