"""
Disputed units: those of a text that several authors or rewrites deleted.

An author deletes only what it sees. So a unit that two deleted was deleted at the same time, and here two changes
overlap (:mod:`~edda_sync.crdt.text.overlaps`). This depends only on what was deleted, and not on the order.
"""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt.text.attribution import Author, Range, Rewrite, Spans


def disputed(authors: Iterable[Author], rewrites: Iterable[Rewrite]) -> Spans:
    """Return the units that more than one of some authors and rewrites deleted: ascending spans by name, not adjoining."""
    edges: dict[int, list[tuple[int, int]]] = {}
    for ranges in (*(each.deletions.ranges() for each in authors), *(each.deletions for each in rewrites)):
        for name, spans in joined(ranges).items():
            edges.setdefault(name, []).extend([edge for start, end in spans for edge in ((start, 1), (end, -1))])
    found: Spans = {}
    for name, steps in edges.items():
        depth = begun = 0
        for at, step in sorted(steps):  # an end comes before a start at the same place
            if depth == 1 and step == 1:
                begun = at
            if depth == 2 and step == -1:
                _add(found.setdefault(name, []), begun, at)
            depth += step
    return found


def joined(ranges: Iterable[Range]) -> Spans:
    """Return units as ascending spans by name that neither overlap nor adjoin."""
    found: Spans = {}
    for name, clock, size in sorted(ranges):
        _add(found.setdefault(name, []), clock, clock + size)
    return found


def _add(spans: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a span that does not begin before the last one does."""
    if spans and start <= spans[-1][1]:
        spans[-1] = spans[-1][0], max(end, spans[-1][1])
    else:
        spans.append((start, end))
