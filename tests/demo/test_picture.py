from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from edda_sync.demo.machines import ALL
from edda_sync.demo.picture import STYLES, WIDTH, Line, Screen, plain, save_svg, styled, table

FACTS: dict[str, Any] = {
    "running": True, "tasks": 3, "documents": 1, "changes": 17, "conflicts": 1, "digest": "0123456789abcdef",
    "peers": [{"name": "phone", "equal": True}, {"name": "tablet", "equal": False}],
}  # fmt: skip


def machine(name: str, facts: dict[str, Any]) -> Any:
    return SimpleNamespace(name=name, facts=facts)


def drawn(thing: Any, width: int = WIDTH) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_has_time_and_device_and_event_and_a_heading_has_no_device() -> None:
    assert plain(Line(1.25, "phone", "added a task")) == "  1.2 s  phone    added a task"
    assert plain(Line(12.0, "", "They meet")) == " 12.0 s  They meet"


def test_a_long_line_continues_below_its_beginning() -> None:
    first, second, *_ = drawn(styled([Line(1.0, "phone", "word " * 40)])).splitlines()
    assert first.index("word") == second.index("word")


def test_the_table_fits_into_80_columns_and_says_who_is_proved_equal() -> None:
    text = drawn(
        table(
            [machine("laptop", FACTS), machine("phone", FACTS | {"running": False, "peers": []}), machine("tablet", {})]
        ),
        80,
    )
    assert all(len(line) <= 80 for line in text.splitlines())
    laptop, phone, tablet = text.splitlines()[-3:]
    assert laptop.split() == ["laptop", "online", "3", "1", "17", "1", "0123456789ab", "phone"]
    assert phone.split()[1] == "offline"
    assert phone.split()[-1] == "-"
    assert "no store yet" in tablet


def test_every_device_has_a_style_of_its_own() -> None:
    assert len(set(STYLES.values())) == len(STYLES)
    assert ALL in STYLES


def test_without_a_terminal_each_line_is_written_as_it_happens() -> None:
    written: list[str] = []
    with Screen(None, written.append) as screen:
        screen.say("phone", "added a task")
        screen.changed()
        assert [line.endswith("phone    added a task") for line in written] == [True]
    assert [line.text for line in screen.lines] == ["added a task"]


@pytest.mark.parametrize("text", ["added a task", "<script> & [bold]"])
def test_the_picture_is_an_svg_of_everything_that_happened(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo.svg"
    save_svg(path, [machine("laptop", FACTS)], [Line(0.5, "phone", text)])
    shown = "".join(ElementTree.fromstring(path.read_text(encoding="utf-8")).itertext()).replace("\xa0", " ")
    assert text in shown
    assert "0123456789ab" in shown
