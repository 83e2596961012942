"""docs/configuration.md says what the table of settings says."""

from __future__ import annotations

import re
import textwrap
from itertools import takewhile
from pathlib import Path

import pytest

from edda_sync.words.config_file import parse
from edda_sync.words.kinds import Choice, Duration, Flag, Interval, Kind, Line, Location, Size, Whole
from edda_sync.words.settings import OTHER_VARIABLES, SETTINGS, Setting

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def values(kind: Kind) -> str:
    """Return which values a setting may have, as the document says it."""
    if isinstance(kind, Interval):
        return f"{', '.join(f'`{each}`' for each in kind.names)}, or a {values(kind.duration)}"
    if isinstance(kind, Choice):
        return ", ".join(f"`{each}`" for each in kind.names)
    if isinstance(kind, Size | Duration):
        least, most = re.findall(r"from (.+) to (.+?),", kind.wanted)[0]
        return f"{'size' if isinstance(kind, Size) else 'duration'}, {least} to {most}"
    if isinstance(kind, Whole):
        return f"{kind.least} to {kind.most}"
    return {Flag: "`true`, `false`", Location: "path", Line: "text"}[type(kind)]


def setting_row(setting: Setting) -> str:
    default = "" if setting.default is None else f"`{setting.kind.text(setting.default)}`"
    return f"| `{setting.key}` | `{setting.variable}` | {values(setting.kind)} | {default} | {setting.about} |"


def variable_row(name: str) -> str:
    return f"| `{name}` | {OTHER_VARIABLES[name]} |"


def rows(first: str) -> list[str]:
    lines = TEXT[TEXT.index(f"| {first} |") :].splitlines()[2:]
    return [*takewhile(lambda line: line.startswith("|"), lines)]


def test_the_document_has_every_setting_and_no_other_in_the_order_of_the_table() -> None:
    assert rows("key") == [setting_row(each) for each in SETTINGS.values()]


def test_the_document_has_every_other_variable_and_no_other() -> None:
    assert rows("variable | what it is") == [variable_row(name) for name in OTHER_VARIABLES if name != "EDDA_STATE"]


def test_the_printed_file_is_acceptable() -> None:
    block = textwrap.dedent(re.findall(r"(?:^    .*\n|^\n(?=    ))+", TEXT, re.MULTILINE)[1])
    assert set(parse(Path("/store/config.toml"), block).values) & set(SETTINGS) == {
        "connection_pool_size", "database_path", "cache.max_size", "cache.ttl", "cache.eviction_policy",
        "backup.retention.daily",
    }  # fmt: skip


@pytest.mark.parametrize("text", re.findall(r'`"([^"]+)"`', TEXT))
def test_every_printed_size_and_duration_is_one(text: str) -> None:
    kind = Size(0, 2**60) if text[-1] == "B" else Duration(0, 10**9)
    assert kind.take(text)
