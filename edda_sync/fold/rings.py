"""
Rings of parents in a fold: of which tasks the parent is withheld, see ``integrity``.

Rings are looked for once a flush, and only where one can have been closed or ended:

1. A ring that was closed has an edge that is new, and each of its tasks has a subtask. So it is enough to walk up from the
   tasks that moved, or that point at what came back, and that somebody has as a parent.
2. What points at a task that had no row had none either, or its edge is new. So a ring without a task of the first kind is
   made of tasks without a row alone, and a walk from one of these need not leave them.
3. A ring that has ended had a task in it that moved. Only where the store withholds an edge of a ring is that walked for.

What a walk has passed is not walked again in the same flush. Of a task of which none of that is so, the store knows
whether its parent is withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from edda_sync.crdt import cells, integrity
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
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
        self._withheld: dict[bytes, bytes] = {}  # by task of a ring: the one whose parent is withheld
        self._settled: set[bytes] = set()  # of these it is known whether they are in a ring
        self._stored: set[bytes] = set()  # of the others, those whose parent the store withholds
        self._checked: dict[bytes, bytes | None] = {}  # by :meth:`is_sound`: of a ring as above, of no ring None
        self._least: dict[bytes, bytes] = {}  # by task, the key of one above it that is less than its own

    def look(self, born: Collection[bytes], moved: Collection[bytes]) -> list[bytes]:
        """
        Find the rings that a flush closes or ends; return the tasks of which it may change whether the parent is withheld.

        Args:
            born: Keys of the tasks that the flush shows, or not, and of which the tables have no row yet.
            moved: Keys of other tasks that may have another parent than the tables show, or none.
        """
        self._withheld, self._stored = {}, set()
        changed = dict.fromkeys(ended(self._reader, moved))
        self._entities.load(changed)
        walked = set[bytes]()
        starts = [*self._with_subtasks(born, moved), *changed]
        among, here = set(born), {*born, *starts}
        for task in starts:
            ring = _ring_above(task, self._parent_of, walked)
            if not here.isdisjoint(ring):  # else it was closed before, and stays as it is
                changed[self._close(ring)] = None
        for task in born:
            ring = _ring_above(task, lambda child: self._parent_among(child, among), walked)
            if ring:
                changed[self._close(ring)] = None
        self._settled = {*born, *moved, *changed}
        return list(changed)

    def recall(self, tasks: Iterable[bytes]) -> None:
        """Look up, of tasks that will be asked for and were not looked at, whether the store withholds their parents."""
        self._stored = self._reader.edges.in_rings_among([task for task in tasks if task not in self._settled])

    def is_in_ring(self, task: bytes) -> bool:
        """Tell whether a task of which the parent was written is in a ring, after :meth:`look`."""
        return task in self._withheld

    def is_withheld(self, task: bytes) -> bool:
        """Tell whether it is this task's parent that is withheld of a ring, after :meth:`look` and :meth:`recall`."""
        return task in self._stored if task not in self._settled else self._withheld.get(task) == task

    def is_sound(self, task: Entity) -> bool:
        """
        Tell whether what the store withholds of the ring in which a task may be is what it should; nothing is folded here.

        Of each ring that is withheld nowhere, or in a wrong place, some task is not sound: the one whose parent is withheld,
        or the one of the least key. So a walk ends at a task of a lesser key, which is asked itself.
        """
        key = task.key
        self._settled = set()
        self.recall((key,))
        path: dict[bytes, None] = {}
        at: bytes | None = key
        while at is not None and at not in path and at not in self._checked:
            if not self._stored and self._least.get(at, at) < key:
                self._least.update(dict.fromkeys(path, self._least.get(at, at)))
                return True
            path[at] = None
            at = self._parent_of(at)
        self._checked.update(dict.fromkeys(path))
        if at in path:
            ring = list(path)[list(path).index(at) :]
            self._checked.update(dict.fromkeys(ring, self._withheld_of(ring)))
        withheld = self._checked[key]
        if self._stored or withheld is None:
            return withheld == key or not self._stored
        return bool(self._reader.edges.in_rings_among([withheld]))

    def _with_subtasks(self, born: Iterable[bytes], moved: Collection[bytes]) -> list[bytes]:
        """Return which of some tasks somebody has as a parent, in the store or in this fold."""
        if not moved:
            return []
        named = {self._parent_of(task) for task in (*born, *moved)}
        stored = self._reader.edges.parents_among([task for task in moved if task not in named])
        return [task for task in moved if task in named or task in stored]

    def _close(self, ring: list[bytes]) -> bytes:
        """Note a ring, and return the task of it whose parent is withheld."""
        withheld = self._withheld_of(ring)
        self._withheld.update(dict.fromkeys(ring, withheld))
        return withheld

    def _withheld_of(self, ring: list[bytes]) -> bytes:
        self._entities.load(ring)
        return integrity.withheld_of([self._entities[member] for member in ring]).key

    def _parent_among(self, task: bytes, tasks: Collection[bytes]) -> bytes | None:
        parent = self._parent_of(task)
        return parent if parent in tasks else None

    def _parent_of(self, task: bytes) -> bytes | None:
        """Return the visible parent that a visible task names; None at the top."""
        entities = self._entities
        if task in entities.newborns:
            return None
        entity = entities.get(task) if entities.may_differ(task) else None
        if entity is None:  # as the tables have it: its parent is visible there, and nothing of it need be read
            parent = self._reader.edges.parent(task)
            return parent if parent is None or not entities.may_differ(parent) or entities.is_visible(parent) else None
        if entity.hidden or "parent_id" not in entity.cells:
            return None
        parent_id = cells.visible(entity.cells["parent_id"])[3]
        parent = None if parent_id is None else key_of("task", parent_id)
        return parent if parent is not None and entities.is_visible(parent) else None


def ended(reader: StoreReader, moved: Collection[bytes]) -> list[bytes]:
    """
    Return the tasks whose parents a store withholds of the rings that end, or may, when some tasks move.

    Args:
        reader: The store's transaction, which shows these tasks as they were.
        moved: Their keys.
    """
    if not moved or not reader.edges.has_rings():
        return []
    tasks, walked, found = set(moved), set[bytes](), list[bytes]()
    with_subtasks = reader.edges.parents_among(moved)
    for task in moved:
        ring = _ring_above(task, reader.edges.parent, walked) if task in with_subtasks else []
        if not tasks.isdisjoint(ring):
            found += sorted(reader.edges.in_rings_among(ring))
    return found


def _ring_above(task: bytes, parent_of: Callable[[bytes], bytes | None], walked: set[bytes]) -> list[bytes]:
    """
    Return the ring that a walk up from a task closes; nothing where it ends at the top, or at what was walked before.

    Args:
        task: Where to start.
        parent_of: As for ``integrity.ring_above``.
        walked: What was walked before; grows.
    """
    if task in walked:
        return []
    passed: list[bytes] = []

    def step(child: bytes) -> bytes | None:
        passed.append(child)
        parent = parent_of(child)
        return None if parent in walked else parent

    ring = integrity.ring_above(task, step)
    walked.update(passed)
    return ring
