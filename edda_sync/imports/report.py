"""Report: what an import did, or would do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from edda_sync.imports.source import Imported, Refused

CREATED: Final = "create"
UPDATED: Final = "update"
UNCHANGED: Final = "unchanged"
IN_TRASH: Final = "in the trash"
OLDER: Final = "older"
THROWN_AWAY: Final = "thrown away"


@dataclass(frozen=True, slots=True)
class Row:
    """
    What becomes of one item.

    Attributes:
        verdict: One of the words above.
        name: What the source calls it.
        title: Its title there.
        id: Its id here.
        taken: Fields that take the source's value.
        merged: Fields in which the edits of both sides are merged.
        open: Fields that both sides have changed, so that this side's stays until a person settles it.
    """

    verdict: str
    name: str
    title: str
    id: str
    taken: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """
    What an import did.

    Attributes:
        created, updated, unchanged: How many items each.
        in_trash: How many were left in the trash.
        older: How many were left, since the source's are older than what was imported last.
        thrown_away: How many the source has thrown away, and nothing here came from them.
        edited: Name and field of each value that the source has changed and a person has too: the person's stayed, and this
            is told again until it is settled.
        merged: Name and field of each text in which the edits of both sides were merged.
        attached: How many files were attached to what was created.
        unattached: Those that could not be.
        lacking: Name of each item that was here already, with each of its files that is not attached here.
        kept, nearly: Of how many items that were created or updated metadata keeps what no field holds, and what a field
            holds nearly, by what it is.
        rows: What became of each item, in order.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    in_trash: int = 0
    older: int = 0
    thrown_away: int = 0
    edited: list[tuple[str, str]] = field(default_factory=list)
    merged: list[tuple[str, str]] = field(default_factory=list)
    attached: int = 0
    unattached: list[Refused] = field(default_factory=list)
    lacking: list[tuple[str, str]] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    nearly: Counter[str] = field(default_factory=Counter)
    rows: list[Row] = field(default_factory=list)

    def take(self, row: Row, each: Imported) -> None:
        """Count what became of an item."""
        self.rows.append(row)
        self.created += row.verdict == CREATED
        self.updated += row.verdict == UPDATED
        self.unchanged += row.verdict == UNCHANGED
        self.in_trash += row.verdict == IN_TRASH
        self.older += row.verdict == OLDER
        self.thrown_away += row.verdict == THROWN_AWAY
        self.edited += [(row.name, name) for name in row.open]
        self.merged += [(row.name, name) for name in row.merged]
        if row.verdict in (CREATED, UPDATED):
            self.kept.update(each.kept)
            self.nearly.update(each.nearly)

    def add(self, other: Report) -> None:
        """Add another report's counts."""
        for name in ("created", "updated", "unchanged", "in_trash", "older", "thrown_away", "attached"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.edited += other.edited
        self.merged += other.merged
        self.unattached += other.unattached
        self.lacking += other.lacking
        self.kept += other.kept
        self.nearly += other.nearly
        self.rows += other.rows
