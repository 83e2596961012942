"""
Rings of parents in a fold: the tasks whose parent is withheld; see ``integrity``.

Rings are looked for once in each flush, and only where one can have been closed or ended:

1. A ring that was closed has a new edge, and each of its tasks has a subtask. So it is enough to walk up from the tasks that
   moved, or that point at a task that came back, if they have subtasks.
2. A task that points at a task without a row had no row either, or its edge is new. So a ring without a task of the first
   kind consists only of tasks without rows, and a walk from one of these does not have to leave them.
3. A ring that has ended contained a task that moved. It is looked for only where the store withholds an edge of a ring.

A task that was passed by a walk is not walked again in the same flush. For a task to which none of this applies, the store
knows whether its parent is withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from edda_sync.crdt import cells, integrity
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import id_text_of, key_of
from edda_sync.fold.entities import Entities
from edda_sync.store.seams import StoreReader
from edda_sync.words.errors import InvalidValueError


class Rings:
    """
    The graph of parents as a fold sees it.

    Args:
        reader: The store's transaction.
        entities: The fold's entities.
    """

    def __init__(self, reader: StoreReader, entities: Entities) -> None:
        self._reader, self._entities = reader, entities
        self._withheld: dict[bytes, bytes] = {}  # by task of a ring: the task whose parent is withheld
        self._settled: set[bytes] = set()  # tasks for which it is known whether they are in a ring
        self._stored: set[bytes] = set()  # of the others, those whose parent the store withholds
        self._checked: dict[bytes, bytes | None] = {}  # by :meth:`is_sound`: as above; None if in no ring
        self._least: dict[bytes, bytes] = {}  # by task: the key of a task above it that is less than its own
        self._forbidden: dict[bytes, None] = {}  # tasks that must not be in a ring
        self._early: dict[bytes, None] = {}  # those of earlier flushes of the same change that were in one

    def look(self, born: Collection[bytes], moved: Collection[bytes]) -> list[bytes]:
        """
        Find the rings that a flush closes or ends; return the tasks whose parent may become withheld or visible.

        Args:
            born: Keys of the tasks that have no row in the tables yet.
            moved: Keys of other tasks whose parent may differ from the one in the tables.
        """
        self._withheld, self._stored = {}, set()
        changed = dict.fromkeys(ended(self._reader, moved))
        self._entities.load(changed)
        walked = set[bytes]()
        starts = [*self._with_subtasks(born, moved), *changed]
        among, here = set(born), {*born, *starts}
        for task in starts:
            ring = _ring_above(task, self._parent_of, walked)
            if not here.isdisjoint(ring):  # otherwise it was closed before, and stays as it is
                changed[self._close(ring)] = None
        for task in born:
            ring = _ring_above(task, lambda child: self._parent_among(child, among), walked)
            if ring:
                changed[self._close(ring)] = None
        self._settled = {*born, *moved, *changed}
        return list(changed)

    def recall(self, tasks: Iterable[bytes]) -> None:
        """Look up whether the store withholds the parents of tasks that will be asked for and were not looked at."""
        self._stored = self._reader.edges.in_rings_among([task for task in tasks if task not in self._settled])

    def forbid(self, task: bytes) -> None:
        """Make the last :meth:`check` of a change raise an error if a task, whose parent was written, is in a ring."""
        self._forbidden[task] = None

    def check(self, *, is_last: bool) -> None:
        """
        Check what was forbidden, after :meth:`look`.

        Args:
            is_last: Whether no more of the same change follows, which could open a ring again.

        Raises:
            InvalidValueError: Nothing more follows, and a task is its own ancestor.
        """
        closed = [task for task in reversed(self._forbidden) if task in self._withheld]
        self._forbidden = {}
        if not is_last:
            self._early.update(dict.fromkeys(closed))
            return
        closed += [task for task in self._early if task in integrity.ring_above(task, self._parent_of)]
        self._early = {}
        if closed:
            raise InvalidValueError("parent_id", "would make the task part of itself", id_text_of(closed[0]))

    def is_withheld(self, task: bytes) -> bool:
        """Tell whether this task's parent is withheld because of a ring. Call :meth:`look` and :meth:`recall` first."""
        return task in self._stored if task not in self._settled else self._withheld.get(task) == task

    def is_sound(self, task: Entity) -> bool:
        """
        Tell whether the store withholds the right edge of the ring in which a task may be. Nothing is folded here.

        If a ring has no withheld edge, or a wrong one, one of its tasks is not sound: the one whose parent is withheld, or
        the one with the least key. So a walk can end at a task with a lesser key, which is checked itself.
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
        """Return the tasks that have subtasks, in the store or in this fold."""
        if not moved:
            return []
        named = {self._parent_of(task) for task in (*born, *moved)}
        stored = self._reader.edges.parents_among([task for task in moved if task not in named])
        return [task for task in moved if task in named or task in stored]

    def _close(self, ring: list[bytes]) -> bytes:
        """Note a ring, and return the task whose parent is withheld."""
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
        """Return the visible parent of a visible task; None at the top."""
        entities = self._entities
        if task in entities.newborns:
            return None
        entity = entities.get(task) if entities.may_differ(task) else None
        if entity is None:  # as in the tables: its parent is visible there, and the task need not be read
            parent = self._reader.edges.parent(task)
            return parent if parent is None or not entities.may_differ(parent) or entities.is_visible(parent) else None
        if entity.hidden or "parent_id" not in entity.cells:
            return None
        parent_id = cells.visible(entity.cells["parent_id"])[3]
        parent = None if parent_id is None else key_of("task", parent_id)
        return parent if parent is not None and entities.is_visible(parent) else None


def ended(reader: StoreReader, moved: Collection[bytes]) -> list[bytes]:
    """
    Return the tasks with withheld parents whose rings end, or may end, when some tasks move.

    Args:
        reader: The store's transaction, before the move.
        moved: The keys of the tasks that move.
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
    Return the ring that a walk up from a task closes; empty if the walk ends at the top, or at a task that was walked
    before.

    Args:
        task: The first task.
        parent_of: See ``integrity.ring_above``.
        walked: The tasks that were walked before; tasks are added.
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
