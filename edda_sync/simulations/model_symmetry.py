"""
The symmetry of the model: what a change, a name or a store becomes when devices change places.

Honest devices differ only in names and hashes, which decide only ties. So a state and the same state with devices in other
places lead to the same results, and only one of them has to be visited.
"""

from __future__ import annotations

from functools import lru_cache

from edda_sync.changes.branches import Run, branch_name
from edda_sync.simulations.model_history import NONE, Change, History, Life, Log
from edda_sync.simulations.model_stores import Segment, Store


class Symmetry:
    """
    Replaces each thing by its counterpart when devices change places.

    Args:
        history: The history of the changes.
        order: The new place of each device.
    """

    def __init__(self, history: History, order: tuple[int, ...]) -> None:
        self._history, self._order = history, order
        self.change = lru_cache(maxsize=None)(self._change)
        self.log = lru_cache(maxsize=None)(self._log)
        self.name = lru_cache(maxsize=None)(self._name)

    def _change(self, number: int) -> int:
        if number == NONE:
            return NONE
        change = self._history.changes[number]
        deps = tuple(sorted((self.name(name), self.change(at)) for name, at in change.deps))
        pairs = tuple(sorted((self.name(name), seq) for name, seq in change.pairs))
        note = self._stamp(change.note)
        moved = Change(self.life(change.life), self.change(change.before), deps, change.kind, pairs, note)
        return self._history.made(moved)

    def life(self, life: int) -> int:
        """Return the counterpart of a life."""
        if life == NONE:
            return NONE
        key, nonce, parent = self._history.lives[life]
        return self._history.born(Life(self._order[key], self._stamp(nonce), self.change(parent)))

    def _stamp(self, stamp: tuple[int, ...]) -> tuple[int, ...]:
        return (self._order[stamp[0]], *stamp[1:])

    def _name(self, name: bytes) -> bytes:
        is_branch, number = self._history.named[name]
        if not is_branch:
            return self._history.actors[self.life(number)]
        first = self.change(number)
        return branch_name(self._history.actors[self._history.changes[first].life], self._history.told[first].hash)

    def _log(self, log: Log) -> Log:
        return frozenset(map(self.change, log))

    def _run(self, run: Run) -> Run:
        parent = None if run.parent is None else self.name(run.parent)
        return Run(self.name(run.name), self.name(run.actor), run.first, parent)

    def _segment(self, segment: Segment) -> Segment:
        forks = frozenset((self.life(life), self.change(at)) for life, at in segment.forks)
        return Segment(self.log(segment.frontier), forks, self.log(segment.root))

    def store(self, store: Store) -> Store:
        """Return the counterpart of a store."""
        return store._replace(
            key=self._order[store.key],
            stamp=(self._order[store.stamp[0]], store.stamp[1]),
            life=self.life(store.life),
            tip=self.change(store.tip),
            forks=frozenset((self.life(life), self.change(at)) for life, at in store.forks),
            log=self.log(store.log),
            dots=tuple(sorted((self.change(at), (self.name(name), seq)) for at, (name, seq) in store.dots)),
            runs=frozenset(map(self._run, store.runs)),
            cell=tuple(sorted((self.name(name), seq, wall, self.change(at)) for name, seq, wall, at in store.cell)),
            touched=tuple(sorted((self.name(name), seq) for name, seq in store.touched)),
            deleted=tuple(sorted((self.name(name), seq) for name, seq in store.deleted)),
            segment=None if store.segment is None else self._segment(store.segment),
            drafts=tuple(each._replace(held=self.log(each.held), shown=self.log(each.shown)) for each in store.drafts),
            drafted=tuple(map(self.log, store.drafted)),
        )
