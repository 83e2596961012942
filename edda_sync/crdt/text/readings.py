"""Readings: what each of several groups of changes made of a place of a text (:mod:`~edda_sync.crdt.text.overlaps`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

Who = tuple[int, int]
"""A change: its author's index and its seq; for a rewrite and for the start of the text, the name's index and 0."""


class Atom(NamedTuple):
    """Units that one change inserted and the same changes deleted."""

    name: int
    clock: int
    size: int
    text: str | None  # None if they are deleted
    by: Who
    deleted: tuple[Who, ...]


class Finder(Protocol):
    """What readings need to know of a text."""

    def text_of(self, atom: Atom) -> str:
        """Return the text of some units, also of deleted ones."""
        ...

    def knows(self, group: Iterable[Who], other: Who) -> bool:
        """Tell whether one of some changes is another change, or depends on it."""
        ...


class Readings:
    """What the sides made of a place: ``followers`` has, for each, its change and those that go on from it."""

    def __init__(self, finder: Finder, followers: Sequence[Sequence[Who]]) -> None:
        self._finder, self._followers = finder, followers
        self._known: list[dict[Who, bool]] = [{} for _ in followers]

    def of(self, number: int, atoms: Iterable[Atom]) -> tuple[str, bool]:
        """Return what a side made of a place, and whether anything in it is not known to all other sides."""
        made, is_new, sides = list[str](), False, range(len(self._followers))
        for atom in atoms:
            if self._sees(number, atom):
                is_new = is_new or not all(self._knows(each, atom.by) for each in sides)
            elif atom.text is None or any(self._knows(each, atom.by) for each in sides):
                continue
            made.append(self._finder.text_of(atom))
        return "".join(made), is_new

    def trimmed(self, atoms: list[Atom], position: int) -> tuple[list[Atom], int]:
        """Return the units of a place, and its position, without what no side wrote or left at its ends."""
        sides = range(len(self._followers))
        seen = [at for at, atom in enumerate(atoms) if any(self._sees(each, atom) for each in sides)]
        if not seen:
            return [], position
        position += sum(len(atom.text or "") for atom in atoms[: seen[0]])
        return atoms[seen[0] : seen[-1] + 1], position

    def _sees(self, number: int, atom: Atom) -> bool:
        if atom.text is None and not atom.deleted:
            return False  # what nobody deleted, and is hidden, is void
        return self._knows(number, atom.by) and not any(self._knows(number, who) for who in atom.deleted)

    def _knows(self, number: int, who: Who) -> bool:
        known = self._known[number].get(who)
        if known is None:
            known = self._known[number][who] = self._finder.knows(self._followers[number], who)
        return known
