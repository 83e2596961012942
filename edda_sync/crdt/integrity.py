"""
Integrity of the view: after any merge, the tables satisfy the specification's schema. To achieve this, edges are withheld
from the tables; cells are never changed.

* If parents form a ring, one edge of it is withheld until the ring ends: the greatest by (stamp, entity id).
* An edge to a hidden or missing entity is withheld until that entity is back.

Both rules depend only on the states of the entities, so every device withholds the same edges.

Each task names at most one parent, so a component of the graph of parents has at most one ring. A walk upwards from any
entity of the component finds it (Floyd's observation about functional graphs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edda_sync.crdt import cells
from edda_sync.crdt.entity import Entity

HIDDEN: Final = "hidden"
RING: Final = "ring"

KIND_OF_CELL: Final = {"parent_id": "task", "tag": "tag", "link": "document"}


def target_kind(cell: str) -> str:
    """Return the kind of entity to which a cell's edge points."""
    return KIND_OF_CELL[cell.partition(".")[0]]


def ring_above(task: bytes, parent_of: Callable[[bytes], bytes | None]) -> list[bytes]:
    """
    Return the ring that a walk upwards from a task reaches; an empty list if the walk ends at a top.

    Args:
        task: The task where the walk begins.
        parent_of: Returns the visible parent that a visible task names; None at the top.
    """
    path: list[bytes] = []
    seen: dict[bytes, int] = {}
    at: bytes | None = task
    while at is not None:
        if at in seen:
            return path[seen[at] :]
        seen[at] = len(path)
        path.append(at)
        at = parent_of(at)
    return []


def withheld_of(ring: list[Entity]) -> Entity:
    """Return the task of a ring whose parent is withheld: the one with the greatest (stamp of the edge, entity id)."""
    return max(ring, key=lambda entity: (cells.rank(cells.visible(entity.cells["parent_id"])), entity.id))
