"""How the demo is shown: a live table under what happens, plain lines where there is no terminal, and one last picture."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from edda_sync.demo.machines import ALL, Machine

WIDTH: Final = 112  # columns of the picture
STYLES: Final = {"laptop": "cyan", "phone": "magenta", "tablet": "yellow", ALL: "green"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when (seconds since the start), on which device (none is a heading), what."""

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
            self._live.console.print(styled([line]))
        else:
            self._write(plain(line))

    def changed(self) -> None:
        """Show the devices as they are now."""
        if self._live is not None:
            self._live.update(table(self.machines), refresh=True)


def plain(line: Line) -> str:
    """Return a line for where there is no terminal."""
    return f"{line.at_s:5.1f} s  {line.device:<7}  {line.text}" if line.device else f"{line.at_s:5.1f} s  {line.text}"


def styled(lines: Sequence[Line]) -> Table:
    """Return lines as they are shown: what is long goes on below its beginning."""
    grid = Table.grid(padding=(0, 1))
    for width in (7, 7, None):
        grid.add_column(width=width, overflow="fold")
    for line in lines:
        at = Text(f"{line.at_s:5.1f} s", "dim")
        grid.add_row(at, Text(line.device, STYLES.get(line.device, "")), Text(line.text, "" if line.device else "bold"))
    return grid


def table(machines: Sequence[Machine]) -> Group:
    """Return the devices as a table that fits into 80 columns; ``conflicts`` counts fields with several values."""
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("device", "now", "tasks", "notes", "changes", "conflicts", "digest", "equal with"):
        numeric = heading in ("tasks", "notes", "changes", "conflicts")
        shown.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for machine in machines:
        shown.add_row(*_cells(machine))
    return Group(Rule(style="dim"), shown)


def _cells(machine: Machine) -> list[RenderableType]:
    facts: dict[str, Any] = machine.facts
    name = Text(machine.name, STYLES[machine.name])
    if not facts:
        return [name, Text("no store yet", "dim")]
    state = Text("online", "green") if facts["running"] else Text("offline", "red")
    equal = ", ".join(peer["name"] for peer in facts["peers"] if peer["equal"])
    counts = [str(facts[key]) for key in ("tasks", "documents", "changes", "conflicts")]
    return [name, state, *counts, Text(facts["digest"][:12]), Text(equal or "-", "green" if equal else "dim")]


def save_svg(path: Path, machines: Sequence[Machine], lines: Sequence[Line]) -> None:
    """
    Write the picture of a whole demo.

    Raises:
        OSError: The file cannot be written.
    """
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor")
    console.print(Group(styled(lines), table(machines)))
    path.write_text(console.export_svg(title="edda demo"), encoding="utf-8")
