"""
Cells: a multi-value register for each structured field.

A cell is *the set of its writes that no other write replaced*. A write replaces every write of the cell in its change's
causal past. Visible is the sibling with the greatest stamp; siblings of another value are conflicts. So the cell is a
function of the set of writes and not of their order:

1. A later edit always beats what its author saw, whatever the clocks say.
2. Wall clocks rank only writes that are truly concurrent, by one stamp a change, so that a transaction wins or loses
   whole.
3. The conflict list is equal on devices that hold the same writes.

Source: Preguiça et al. 2010, "Dotted version vectors"; Shapiro et al. 2011, "A comprehensive study of CRDTs", section 3.2.2.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

Write = tuple[bytes, int, int, Any]
"""``(actor, seq, wall_ms, value)``: one write of a cell, named by its change's dot."""

Siblings = list[Write]
"""The writes that no other write replaced, sorted by dot; never empty."""


def rank(write: Write) -> tuple[int, bytes, int]:
    """Return the stamp of a write, ``(wall_ms, actor, seq)``: a total order over concurrent writes."""
    return write[2], write[0], write[1]


def visible(siblings: Siblings) -> Write:
    """Return the sibling that is shown."""
    return siblings[0] if len(siblings) == 1 else max(siblings, key=rank)


def unseen(siblings: Sequence[Write], past: Mapping[bytes, int]) -> Siblings:
    """Return the siblings that are not in a causal past."""
    if len(siblings) <= len(past):
        return [write for write in siblings if write[1] > past.get(write[0], 0)]
    kept = list(siblings)  # of many concurrent writes, each of which knows of few: those few are looked up
    for actor, seq in past.items():
        del kept[bisect_left(kept, (actor, 0)) : bisect_left(kept, (actor, seq + 1))]
    return kept


def written(siblings: Sequence[Write], write: Write, past: Mapping[bytes, int]) -> Siblings:
    """
    Return the cell after a write.

    Args:
        siblings: The cell before it.
        write: The new write.
        past: Causal past of its change, the change's own dot included.
    """
    kept = unseen(siblings, past)
    kept.insert(bisect_left(kept, write[:2]), write)
    return kept


def conflicts(siblings: Sequence[Write]) -> Siblings:
    """Return one sibling for each value that is not the visible one, the greatest stamp first; equal values are none."""
    if len(siblings) == 1:
        return []
    found, seen = [], set[Any]()
    for write in sorted(siblings, key=rank, reverse=True):
        value = tuple(write[3]) if isinstance(write[3], list) else write[3]  # a status with its time is a list
        if value not in seen:
            seen.add(value)
            found.append(write)
    return found[1:]
