"""Rows in columns, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from unicodedata import category, east_asian_width

import click

from edda_sync.cli.common import on_terminal, safe_line

NOTHING: Final = "-"  # a cell of a list that has nothing in it


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """
    Print rows in columns two spaces apart, of which the last is not padded; for a person with headings above them.

    A person sees no column in which no row has anything; for a program each column keeps its place.

    Args:
        headings: What each column is called.
        rows: Of texts; one that is missing is :data:`NOTHING`.
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
    """Return a table without the columns that say nothing; the first row is its headings."""
    columns = zip(*table, strict=True)
    told = [column for column in columns if any(cell not in ("", NOTHING) for cell in column[1:])]
    return [list(row) for row in zip(*told, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - _columns(cell)) for cell, width in zip(row[:-1], widths, strict=False)]
    return "  ".join([*padded, row[-1]])


def _columns(text: str) -> int:
    """Return how many columns a terminal needs for a text: two for wide characters, none for what combines."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else category(c) not in ("Mn", "Me", "Cf") for c in text)
