"""
Cells: a multi-value register for each structured field.

A cell is *the set of its writes that no other write replaced*. A write replaces every write of the cell that is in the
causal past of its change. The writes that remain are *siblings*. The sibling with the greatest stamp is shown; siblings
with another value are conflicts. So the cell depends on the set of its writes, and not on their order:

1. A later edit always wins over what its author saw, whatever the clocks say.
2. Wall clocks only rank writes that are concurrent. All writes of a change have the same stamp, so that a transaction
   wins or loses as a whole.
3. The list of conflicts is equal on devices that hold the same writes.

Source: Preguiça et al. 2010, "Dotted version vectors"; Shapiro et al. 2011, "A comprehensive study of CRDTs", section 3.2.2.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

Write = tuple[bytes, int, int, Any]
"""``(actor, seq, wall_ms, value)``: one write of a cell, named by the dot of its change."""

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
    kept = list(siblings)  # many concurrent writes, and a past of few actors: look up only these
    for actor, seq in past.items():
        del kept[bisect_left(kept, (actor, 0)) : bisect_left(kept, (actor, seq + 1))]
    return kept


def written(siblings: Sequence[Write], write: Write, past: Mapping[bytes, int]) -> Siblings:
    """
    Return the cell after a write.

    Args:
        siblings: The cell before it.
        write: The new write.
        past: Causal past of its change, with the change itself.
    """
    kept = unseen(siblings, past)
    kept.insert(bisect_left(kept, write[:2]), write)
    return kept


def conflicts(siblings: Sequence[Write]) -> Siblings:
    """Return one sibling for each value other than the visible one, the greatest stamp first."""
    if len(siblings) == 1:
        return []
    found, seen = [], set[Any]()
    for write in sorted(siblings, key=rank, reverse=True):
        value = tuple(write[3]) if isinstance(write[3], list) else write[3]  # a status with its time is a list
        if value not in seen:
            seen.add(value)
            found.append(write)
    return found[1:]
