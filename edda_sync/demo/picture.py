"""How the demo is shown: a live table under what happens, plain lines where there is no terminal, and one last picture."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edda_sync.demo.machines import Machine

WIDTH: Final = 112  # columns of the picture
STYLES: Final = {"laptop": "cyan", "phone": "magenta", "tablet": "yellow"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when (seconds since the start), on which device if on one, what."""

    at_s: float
    device: str
    text: str


class Screen:
    """
    Shows what happens, as it happens. Use it in a ``with`` block.

    Args:
        console: A terminal to show a live table on; None for plain lines.
        write: Where plain lines go.
    """

    def __init__(self, console: Console | None, write: Callable[[str], None]) -> None:
        self.machines: Sequence[Machine] = ()
        self.lines: list[Line] = []
        self._began = time.monotonic()
        self._write = write
        self._live = None if console is None else Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live.console.print(table(self.machines))

    def say(self, device: str, text: str) -> None:
        """Show a line."""
        line = Line(time.monotonic() - self._began, device, text)
        self.lines.append(line)
        if self._live is not None:
            self._live.console.print(styled(line))
        else:
            self._write(styled(line).plain)

    def changed(self) -> None:
        """Show the devices as they are now."""
        if self._live is not None:
            self._live.update(table(self.machines), refresh=True)


def styled(line: Line) -> Text:
    """Return a line as it is shown."""
    if not line.device:
        return Text.assemble((f"{line.at_s:5.1f} s  ", "dim"), (line.text, "bold"))
    return Text.assemble(
        (f"{line.at_s:5.1f} s  ", "dim"), (f"{line.device:<7}", STYLES[line.device]), f" $ {line.text}"
    )


def table(machines: Sequence[Machine]) -> Table:
    """Return the devices as a table."""
    shown = Table(box=box.ROUNDED, expand=True)
    for heading, justify in (
        ("device", "left"), ("", "left"), ("tasks", "right"), ("notes", "right"), ("changes", "right"),
        ("conflicts kept", "right"), ("digest of the content", "left"), ("proved equal with", "left"),
    ):  # fmt: skip
        shown.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for machine in machines:
        shown.add_row(*_cells(machine))
    return shown


def _cells(machine: Machine) -> list[RenderableType]:
    facts: dict[str, Any] = machine.facts
    name = Text(machine.name, STYLES[machine.name])
    if not facts:
        return [name, Text("no store yet", "dim")]
    state = Text("online", "green") if facts["running"] else Text("offline", "red")
    equal = ", ".join(peer["name"] for peer in facts["peers"] if peer["equal"])
    counts = [str(facts[key]) for key in ("tasks", "documents", "changes", "conflicts")]
    return [name, state, *counts, Text(facts["digest"][:16]), Text(equal or "-", "green" if equal else "dim")]


def save_svg(path: Path, machines: Sequence[Machine], lines: Sequence[Line]) -> None:
    """
    Write the picture of a whole demo.

    Raises:
        OSError: The file cannot be written.
    """
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor")
    console.print(Group(*(styled(line) for line in lines), table(machines)))
    path.write_text(console.export_svg(title="edda demo"), encoding="utf-8")
