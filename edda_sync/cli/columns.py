"""Rows in columns, for people; and with tabs between, for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final
from unicodedata import category, east_asian_width

import click

from edda_sync.cli.common import on_terminal, safe_line, styled

NOTHING: Final = "-"  # shown in an empty cell
GAP: Final = "  "
_LEAST: Final = 20  # columns that a text which is cut keeps on any terminal
_ELLIPSIS: Final = "…"


class Styled(str):
    """A last cell that is already safe and styled for a terminal."""

    __slots__ = ()


class Cell(str):
    """A cell that stands out on a terminal; ``style`` is what ``click.style`` takes."""

    style: dict[str, Any]

    def __new__(cls, text: str, **style: Any) -> Cell:
        """Return the text with its style."""
        made = super().__new__(cls, text)
        made.style = style
        return made


def highlighted(text: str, marks: Sequence[tuple[int, int]]) -> Styled:
    """Return a text for a terminal, with the characters from each start to its end highlighted."""
    made, at = "", 0
    for start, end in marks:
        made += safe_line(text[at:start]) + styled(safe_line(text[start:end]), bold=True, fg="yellow")
        at = max(at, end)
    return Styled(made + safe_line(text[at:]))


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[str] = (), *, cuts: bool = False,
    spare: Sequence[str] = (),
) -> None:  # fmt: skip
    """
    Print rows in columns, two spaces apart. The last column is not padded. A person sees headings above the rows.

    For a person, columns without any content are left out. For a program, each column keeps its place, and a tab stands
    between two; tabs and line breaks in a cell are escaped.

    Args:
        headings: The names of the columns.
        rows: Rows of texts. A missing text is :data:`NOTHING`.
        below: For a person, a line below each row, which is safe; an empty one is not shown.
        cuts: Whether the last column is cut where a person's terminal ends, since it is only a hint of something longer.
        spare: Names of columns that are left out where a terminal is too narrow for them and the last one, the first first.
    """
    if not on_terminal():
        click.echo("".join("\t".join(map(_plain, row)) + "\n" for row in rows), nl=False)
        return
    safe = [[cell if isinstance(cell, (Styled, Cell)) else safe_line(cell) for cell in row] for row in rows]
    shown = _told([headings, *safe])
    widths = _widths(shown)
    for name in spare:
        if terminal_width() - _before_last(widths) < _LEAST and name in shown[0]:
            at = shown[0].index(name)
            shown = [row[:at] + row[at + 1 :] for row in shown]
            widths = _widths(shown)
    if cuts:
        room = max(terminal_width() - _before_last(widths), _LEAST)
        shown = [[*row[:-1], _cut(row[-1], room)] for row in shown]
    lines = [_padded(row, widths) for row in shown]
    lines[0] = styled(lines[0], bold=True)
    if below:
        pairs = zip(lines[1:], below, strict=True)
        lines[1:] = [each for line, more in pairs for each in ((line, f"    {more}") if more else (line,))]
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


def _widths(shown: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns, column)) for column in zip(*shown, strict=True)]


def _before_last(widths: Sequence[int]) -> int:
    """Return how many columns of a terminal stand before the last column of a table."""
    return sum(widths[:-1]) + len(GAP) * (len(widths) - 1)


def terminal_width() -> int:
    """Return how many columns the person's terminal has; 80 if it does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def fitted(text: str, room: int) -> str:
    """Return a text cut to so many columns of a terminal, with an ellipsis where something is missing."""
    if columns(text) <= room:
        return text
    used, at = 1, 0  # of the ellipsis
    while at < len(text) and (used := used + columns(text[at])) <= room:
        at += 1
    return text[:at].rstrip(f" {_ELLIPSIS}") + _ELLIPSIS  # which may have been cut before


def _cut(cell: str, room: int) -> str:
    if isinstance(cell, Styled):  # it was cut before it was styled
        return cell
    return Cell(fitted(safe_line(cell), room), **cell.style) if isinstance(cell, Cell) else fitted(cell, room)


def _plain(cell: str) -> str:
    return str(cell).replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _told(table: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a table without its empty columns. Its first row is the headings."""
    columns = zip(*table, strict=True)
    told = [column for column in columns if any(cell not in ("", NOTHING) for cell in column[1:])]
    return [list(row) for row in zip(*told, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [_shown(cell) + " " * (width - columns(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
    return GAP.join([*padded, _shown(row[-1])])


def _shown(cell: str) -> str:
    return styled(safe_line(cell), **cell.style) if isinstance(cell, Cell) else cell


def columns(text: str) -> int:
    """Return how many columns a text takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else category(c) not in ("Mn", "Me", "Cf") for c in text)
