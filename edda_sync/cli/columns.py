"""Rows in columns, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from unicodedata import category, east_asian_width

import click

from edda_sync.cli.common import on_terminal, safe_line

NOTHING: Final = "-"  # shown in an empty cell


class Styled(str):
    """A last cell that is already safe and styled for a terminal."""

    __slots__ = ()


def highlighted(text: str, marks: Sequence[tuple[int, int]]) -> Styled:
    """Return a text for a terminal, with the characters from each start to its end highlighted."""
    made, at = "", 0
    for start, end in marks:
        made += safe_line(text[at:start]) + click.style(safe_line(text[start:end]), bold=True, fg="yellow")
        at = end
    return Styled(made + safe_line(text[at:]))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[str] = ()) -> None:
    """
    Print rows in columns, two spaces apart. The last column is not padded. A person sees headings above the rows.

    For a person, columns without any content are left out. For a program, each column keeps its place.

    Args:
        headings: The names of the columns.
        rows: Rows of texts. A missing text is :data:`NOTHING`.
        below: For a person, a line below each row, which is safe; an empty one is not shown.
    """
    person = on_terminal()
    cells = (
        [[cell if isinstance(cell, Styled) else safe_line(cell) for cell in row] for row in rows] if person else rows
    )
    shown = _told([headings, *cells]) if person else cells
    widths = [max(map(_columns, column)) for column in zip(*shown, strict=True)]
    lines = [_padded(row, widths) for row in shown]
    if person:
        lines[0] = click.style(lines[0], bold=True)
        if below:
            pairs = zip(lines[1:], below, strict=True)
            lines[1:] = [each for line, more in pairs for each in ((line, f"    {more}") if more else (line,))]
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


def _told(table: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a table without its empty columns. Its first row is the headings."""
    columns = zip(*table, strict=True)
    told = [column for column in columns if any(cell not in ("", NOTHING) for cell in column[1:])]
    return [list(row) for row in zip(*told, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - _columns(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
    return "  ".join([*padded, row[-1]])


def _columns(text: str) -> int:
    """Return how many columns a text takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else category(c) not in ("Mn", "Me", "Cf") for c in text)
