"""
Integrity as a view: after any merge the specification's schema holds, by what is shown and never by what is written.

* Of a ring of parents, the edge that is greatest by (stamp, entity id) is withheld until the ring ends.
* An edge to a hidden or missing entity is withheld until that is back.

Both are functions of the entities' states alone, so every device withholds the same edges. Nothing here writes a cell.

Each task names at most one parent, so a component of the graph of parents has at most one ring; walking up from any
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
    """Return the kind of entity that an edge's cell points at."""
    return KIND_OF_CELL[cell.partition(".")[0]]


def ring_above(task: bytes, parent_of: Callable[[bytes], bytes | None]) -> list[bytes]:
    """
    Return the ring that a walk up from a task runs into, or nothing when it ends.

    Args:
        task: Where to start.
        parent_of: The visible parent that a visible task names; None at the top.
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
    """Return the task of a ring whose parent is withheld: the greatest by (stamp of the edge, entity id)."""
    return max(ring, key=lambda entity: (cells.rank(cells.visible(entity.cells["parent_id"])), entity.id))
