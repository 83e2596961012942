"""Rings of parents in a fold: which task's parent is withheld, see ``integrity``."""

from __future__ import annotations

from edda_sync.crdt import cells, integrity
from edda_sync.crdt.entity import Entity, key_of
from edda_sync.fold.entities import Entities
from edda_sync.store.seams import StoreReader


class Rings:
    """
    The graph of parents as a fold sees it.

    Args:
        reader: The store's transaction.
        entities: The fold's.
    """

    def __init__(self, reader: StoreReader, entities: Entities) -> None:
        self._reader, self._entities = reader, entities

    def is_in_ring(self, task_id: bytes) -> bool:
        """Tell whether a task is its own ancestor."""
        return any(member.id == task_id for member in self.above(key_of("task", task_id), set()))

    def is_withheld(self, task: Entity) -> bool:
        """Tell whether it is this task's parent that is withheld of the ring it closes."""
        ring = self.above(task.key, set())
        return any(member is task for member in ring) and integrity.withheld_of(ring) is task

    def above(self, task: bytes, settled: set[bytes]) -> list[Entity]:
        """
        Return the ring above a task; nothing when its parents reach the top.

        Args:
            task: Key of the task.
            settled: What is known to reach the top; grows.
        """
        walked: list[bytes] = []

        def parent_of(child: bytes) -> bytes | None:
            walked.append(child)
            parent = self._parent_of(child)
            return None if parent in settled else parent

        if self._parent_of(task) is None:
            return []
        ring = integrity.ring_above(task, parent_of)
        if not ring:
            settled.update(walked)
        self._entities.load(ring)
        return [self._entities[member] for member in ring]

    def _parent_of(self, task: bytes) -> bytes | None:
        if task in self._entities.newborns:
            return None
        entity = self._entities.get(task)
        if entity is None:
            parent = self._reader.parent_edge(task)
        elif entity.hidden or "parent_id" not in entity.cells:
            return None
        else:
            parent_id = cells.visible(entity.cells["parent_id"])[3]
            parent = None if parent_id is None else key_of("task", parent_id)
        return parent if parent is not None and self._entities.is_visible(parent) else None
