"""
The stores of the model, and the rules of a store: what it writes, takes, shows and sends, and how it names changes.

There is one entity with one cell. A store keeps its log, the name of each change, and the resulting cell, updated step by
step as in the product, with ``changes.branches`` and ``crdt.cells``. :class:`Rules` is the behaviour of a store; a planted
bug overrides a method of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from typing import Any, Final, NamedTuple

from edda_sync.changes import branches
from edda_sync.changes.branches import Run
from edda_sync.changes.names import Names
from edda_sync.crdt import cells
from edda_sync.crdt.frontier import Dot
from edda_sync.simulations.model_history import DELETE, NONE, Change, Fork, History, Life, Log

HELD: Final = 0  # third number of a note: an ordinary write
DRAFTED: Final = 1  # a write that was a draft first
LIE: Final = 2  # a write that a liar tells only to some
Pairs = tuple[tuple[bytes, int], ...]


class Draft(NamedTuple):
    """An acknowledged write of a store whose segment is not confirmed yet."""

    number: int
    kind: int
    held: Log  # what the log contained when it was made
    shown: Log  # what else was shown, according to the segment


class Segment(NamedTuple):
    """A state at a frontier, according to its maker."""

    frontier: Log
    forks: frozenset[Fork]
    root: Log  # the surviving writes; they stand for the hash of the states


class Store(NamedTuple):
    """
    A store: everything that it has on its disk.

    Attributes:
        key: The key of its device.
        stamp: What distinguishes it from its copies, and from itself before it was put back.
        opened: How many lives it opened under that stamp.
        life, tip: The life in which it writes, and the last change of it that it holds.
        stale: Whether it knows that it was copied or put back; then it opens a life before it writes.
        forks: The evidence that it holds.
        log: The changes that it holds.
        dots: Their names, in order of their numbers.
        runs: The names of the actors that forked.
        cell: The writes that no other write replaced.
        touched, deleted: The entity's.
        segment, drafts: The segment whose log is not here yet, and what was written meanwhile.
        drafted: For every draft that it ever acknowledged, what its writer was shown.
    """

    key: int
    stamp: tuple[int, int]
    opened: int = 0
    life: int = NONE
    tip: int = NONE
    stale: bool = False
    forks: frozenset[Fork] = frozenset()
    log: Log = frozenset()
    dots: tuple[tuple[int, Dot], ...] = ()
    runs: frozenset[Run] = frozenset()
    cell: tuple[Any, ...] = ()
    touched: Pairs = ()
    deleted: Pairs = ()
    segment: Segment | None = None
    drafts: tuple[Draft, ...] = ()
    drafted: tuple[Log, ...] = ()


class Rules:
    """What a store does. A store knows about others only what they tell it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.names = lru_cache(maxsize=None)(Names)

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, store: Store, kind: int) -> Store:
        """Acknowledge a write: as a change, or as a draft while the log behind its segment is missing."""
        if store.segment is None:
            return self.commit(store, kind, store.log, (HELD,))
        shown = store.log | store.segment.frontier
        draft = Draft(len(store.drafted), kind, store.log, shown)
        return store._replace(drafts=(*store.drafts, draft), drafted=(*store.drafted, shown))

    def commit(self, store: Store, kind: int, past: Log, note: tuple[int, ...]) -> Store:
        """Make a change whose author had seen ``past`` and its own chain, and fold it."""
        if self.needs_life(store):
            life = self.history.born(Life(store.key, (*store.stamp, store.opened), store.tip))
            store = store._replace(life=life, tip=NONE, stale=False, opened=store.opened + 1)
            parent = self.history.lives[life].parent
            past |= self.closure([parent])
        names, called = self.names(store.runs), dict(store.dots)
        seen = _frontier(called[number] for number in past | self.closure([store.tip]))
        moved = past - self.closure([store.tip])  # what came since the change before
        deps = tuple(
            sorted(
                (name, number)
                for dot, number in ((called[number], number) for number in moved)
                if dot[1] == seen[dot[0]]
                for name in self.named(names, dict([dot]), seen)
            )
        )
        pairs = _pairs(self.named(names, dict(store.touched), seen)) if kind == DELETE else ()
        made = self.history.made(Change(store.life, store.tip, deps, kind, pairs, (*store.stamp, *note)))
        after = self.receive(store, made)
        assert after.tip == made, "a store takes what it wrote itself"
        return after

    def named(self, names: Names, frontier: Mapping[bytes, int], past: Mapping[bytes, int]) -> dict[bytes, int]:
        """Return a frontier as it is written into a change."""
        return names.written_as(frontier, past)

    def needs_life(self, store: Store) -> bool:
        """Tell whether a store opens a life before it writes: for its own doubt or a proof, never for a claim."""
        return store.stale or store.life == NONE or any(life == store.life for life, _ in store.forks)

    def claimed(self, store: Store) -> Store:
        """Handle a claim without a proof that this store's actor forked."""
        return store

    # --- taking -------------------------------------------------------------------------------------------------------

    def exchange(self, one: Store, other: Store) -> tuple[Store, Store]:
        """Let two stores tell each other everything, including what they write in reaction."""
        for _ in range(2):
            forks = one.forks | other.forks | self.proved(one, other.log)
            one, other = self.take(one, other.log, forks), self.take(other, one.log, forks)
        return one, other

    def proved(self, store: Store, log: Log) -> frozenset[Fork]:
        """Return the forks that become visible when two stores compare their signed heads."""
        return frozenset(
            fork
            for ours, theirs in product(self.heads(store.log), self.heads(log))
            if self.history.changes[ours].life == self.history.changes[theirs].life
            and (fork := self.history.fork(min(ours, theirs), max(ours, theirs)))
        )

    def take(self, store: Store, log: Log, forks: frozenset[Fork]) -> Store:
        """Take what another store told: evidence first, then the changes, each after its past."""
        store = self.learn(store, forks)
        for number in sorted(log - store.log):
            store = self.receive(store, number)
        return self.settle(store)

    def learn(self, store: Store, forks: Iterable[Fork]) -> Store:
        """Learn forks: rename changes, then fold again."""
        for fork in sorted(frozenset(forks) - store.forks):
            store = self.branch(store, fork)
        return store

    def branch(self, store: Store, fork: Fork) -> Store:
        """Learn one fork."""
        life, shared = fork
        after = [at for at in store.log if self.history.changes[at][:2] == fork]
        store = store._replace(forks=store.forks | {fork})
        if after:
            actor, called = self.history.actors[life], dict(store.dots)
            by = branches.renaming(actor, called.get(shared, (actor, 0)), self.history.told[after[0]].hash)
            dots = tuple((number, by.dot(dot)) for number, dot in store.dots)
            store = store._replace(dots=dots, runs=self.names(store.runs).renamed(by).runs())
        return self.refold(store)

    def refold(self, store: Store) -> Store:
        """Fold the entity from the log again."""
        store = store._replace(cell=(), touched=(), deleted=())
        for number, _ in store.dots:
            store = self.fold(store, number)
        return store

    def receive(self, store: Store, number: int) -> Store:
        """Take a change if its past is here and its place is free; otherwise change nothing, so that the change waits."""
        history, change = self.history, self.history.changes[number]
        fork = (change.life, change.before)
        if number in store.log or (change.before != NONE and change.before not in store.log):
            return store
        if fork not in store.forks and any(history.changes[at][:2] == fork for at in store.log):
            return store
        if self.deps(store, number) is None or not self.is_born(store, number):
            return store
        runs = history.runs(number, store.forks)
        dot = (runs[-1].name, history.told[number].seq)
        named = store.runs if len(runs) == 1 else store.runs.union(runs)
        dots = tuple(sorted((*store.dots, (number, dot))))
        tip = number if fork == (store.life, store.tip) else store.tip  # its own life may continue in a branch
        return self.fold(store._replace(log=store.log | {number}, dots=dots, runs=named, tip=tip), number)

    def is_born(self, store: Store, number: int) -> bool:  # noqa: ARG002 - a planted bug uses it
        """Tell whether the birth in a first change is valid: its parent is in its past."""
        change = self.history.changes[number]
        parent = self.history.lives[change.life].parent
        return change.before != NONE or parent == NONE or parent in self.history.told[number].past

    def deps(self, store: Store, number: int) -> dict[bytes, int] | None:
        """Return a change's past, by its header and those before it in its chain; None while some of it is missing."""
        names = self.names(store.runs)

        def find(name: bytes, seq: int, prefix: bytes) -> Dot | None:
            held = {(each, seq) for each in names.holding(name, seq)}
            return next((dot for at, dot in store.dots if dot in held and self.fits(at, prefix)), None)

        changes, told = self.history.changes, self.history.told
        named = [dep for at in told[number].chain for dep in changes[at].deps]
        return names.deps([(name, told[at].seq, told[at].hash[:16]) for name, at in named], find)

    def fits(self, number: int, prefix: bytes) -> bool:
        """Tell whether a held change is the one that a dependency names by hash."""
        return self.history.told[number].hash.startswith(prefix)

    # --- folding ------------------------------------------------------------------------------------------------------

    def fold(self, store: Store, number: int) -> Store:
        """Apply a change to the entity."""
        change, (name, seq) = self.history.changes[number], dict(store.dots)[number]
        names = self.names(store.runs)
        past = self.deps(store, number)
        assert past is not None, "its past was here when it was taken"
        past = _joined(past, names.past((name, seq)))
        if change.kind == DELETE:
            return store._replace(deleted=_pairs(_joined(dict(store.deleted), self.covered(names, change.pairs, past))))
        write: Any = (name, seq, 0, number)
        anything: Any = past
        cell = tuple(cells.written(store.cell, write, anything))
        return store._replace(cell=cell, touched=_pairs(_joined(dict(store.touched), {name: seq})))

    def covered(self, names: Names, pairs: Pairs, past: Mapping[bytes, int]) -> dict[bytes, int]:
        """Return what a deletion covers."""
        return names.pairs(pairs, past)

    # --- segments -----------------------------------------------------------------------------------------------------

    def segment_of(self, store: Store) -> Segment:
        """Make a segment of what a store holds."""
        return Segment(store.log, store.forks, frozenset(write[3] for write in store.cell))

    def start_from(self, store: Store, segment: Segment) -> Store:
        """Let an empty store begin with a segment, until the log behind it is here."""
        return self.learn(store._replace(segment=segment), segment.forks)

    def settle(self, store: Store) -> Store:
        """Compare the segment with the log behind it, once that is here."""
        if store.segment is None or not store.segment.frontier <= store.log:
            return store
        whole = self.take(Store(NONE, (NONE, NONE)), store.segment.frontier, store.forks)
        return self.let_go(store, confirmed=self.segment_of(whole).root == store.segment.root)

    def let_go(self, store: Store, *, confirmed: bool) -> Store:
        """Use the log from now on, and publish the drafts. They count as having seen the segment only if it was true."""
        drafts, store = store.drafts, store._replace(segment=None, drafts=())
        for draft in drafts:
            past = draft.shown if confirmed else draft.held
            store = self.commit(store, draft.kind, past, (DRAFTED, draft.number))
        return store

    # --- looking ------------------------------------------------------------------------------------------------------

    def heads(self, log: Log) -> list[int]:
        """Return the last change of each chain in a log."""
        before = {self.history.changes[at].before for at in log}
        return [at for at in log if at not in before]

    def closure(self, numbers: Iterable[int]) -> Log:
        """Return changes with their pasts."""
        return frozenset().union(*(self.history.told[at].past | {at} for at in numbers if at != NONE))

    def compared(self, store: Store) -> object:
        """Return what two stores compare before their content: heads with their hashes, and evidence."""
        names = dict(store.dots)
        heads = frozenset((names[at], self.history.told[at].hash) for at in self.heads(store.log))
        return heads, store.forks

    def content(self, store: Store) -> object:
        """Return what must be equal if that is equal."""
        branched = frozenset(run for run in store.runs if run.parent is not None)
        return store.log, store.dots, branched, store.cell, store.touched, store.deleted


def _joined(one: dict[bytes, int], other: Mapping[bytes, int]) -> dict[bytes, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()}


def _frontier(dots: Iterable[Dot]) -> dict[bytes, int]:
    frontier: dict[bytes, int] = {}
    for name, seq in dots:
        frontier[name] = max(seq, frontier.get(name, 0))
    return frontier


def _pairs(frontier: Mapping[bytes, int]) -> Pairs:
    return tuple(sorted(frontier.items()))
