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

from collections.abc import Iterable, Mapping, Sequence
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


def unseen(siblings: Iterable[Write], past: Mapping[bytes, int]) -> Siblings:
    """Return the siblings that are not in a causal past."""
    return [write for write in siblings if write[1] > past.get(write[0], 0)]


def written(siblings: Iterable[Write], write: Write, past: Mapping[bytes, int]) -> Siblings:
    """
    Return the cell after a write.

    Args:
        siblings: The cell before it.
        write: The new write.
        past: Causal past of its change, the change's own dot included.
    """
    return sorted((*unseen(siblings, past), write), key=_dot)


def conflicts(siblings: Sequence[Write]) -> Siblings:
    """Return one sibling for each value that is not the visible one, the greatest stamp first; equal values are none."""
    if len(siblings) == 1:
        return []
    seen = [visible(list(siblings))]
    for write in sorted(siblings, key=rank, reverse=True):
        if all(write[3] != other[3] for other in seen):
            seen.append(write)
    return seen[1:]


def _dot(write: Write) -> tuple[bytes, int]:
    return write[0], write[1]
