"""Rows in columns, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from unicodedata import category, east_asian_width

import click

from edda_sync.cli.common import on_terminal, safe_line

NOTHING: Final = "-"  # shown in an empty cell


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """
    Print rows in columns, two spaces apart. The last column is not padded. A person sees headings above the rows.

    For a person, columns without any content are left out. For a program, each column keeps its place.

    Args:
        headings: The names of the columns.
        rows: Rows of texts. A missing text is :data:`NOTHING`.
    """
    person = on_terminal()
    cells = [[safe_line(cell) for cell in row] for row in rows] if person else rows
    shown = _told([headings, *cells]) if person else cells
    widths = [max(map(_columns, column)) for column in zip(*shown, strict=True)]
    lines = [_padded(row, widths) for row in shown]
    if person:
        lines[0] = click.style(lines[0], bold=True)
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
