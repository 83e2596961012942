"""
A model that is checked exhaustively: a few stores, a few writes, and all that can go wrong between them, in every order.

    python -m edda_sync.simulations.model           larger bounds, some minutes
    python -m edda_sync.simulations.model --small   what the tests check

The rules of a store are the product's own pure functions (``changes.branches``, ``changes.forkproof``, ``crdt.cells``),
combined in ``model_stores``. This module adds what happens around them: somebody writes or deletes; two stores sync; a
folder is saved, put back or copied (which is noticed, or not); a liar tells a change in two versions; a relay keeps evidence
to itself; somebody claims a fork without proof; a newcomer starts from a segment, true or forged.

The invariants, for every state that can be reached:

1. No name stands for two changes in one store.
2. What a store holds is a function of its changes and its evidence, and not of how they came. What it shows follows from the
   changes and the hashes of their pasts: every write is shown, or was seen by one that is shown.
3. Two stores that compare equal, by heads and evidence, are equal.
4. Two stores that sync are equal afterwards, and have everything that either had: nobody waits for an author.
5. When all have synced with all, twice, all are equal.
6. Nobody believes in a fork that does not exist, and a store opens a life only because of its own doubt, or a proof.
7. Every acknowledged draft is kept as a draft, or became one change; and that change replaces nothing that was not seen.

States that differ only in which device is which count as one state.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import combinations, permutations
from typing import Final, NamedTuple

import click

from edda_sync.simulations.model_history import DELETE, NONE, PUT, Change, History
from edda_sync.simulations.model_search import search
from edda_sync.simulations.model_stores import DRAFTED, LIE, Rules, Store
from edda_sync.simulations.model_symmetry import Symmetry


@dataclass(frozen=True)
class Bounds:
    """How much may happen: the number of stores, and how often each thing happens at most."""

    stores: int = 3
    liar: bool = False  # the device of the last store lies
    writes: int = 0
    deletes: int = 0
    lies: int = 0
    claims: int = 0
    proofs: int = 0  # evidence is sent alone
    relays: int = 0  # changes are sent without evidence
    saves: int = 0
    restores: int = 0
    copies: int = 0
    segments: int = 0


class World(NamedTuple):
    """A state: the store of each place (``NONE``: none yet), what was saved of it, and what may still happen."""

    stores: tuple[int, ...]
    saved: tuple[int, ...]
    left: tuple[tuple[str, int], ...]

    def spent(self, what: str) -> World | None:
        """Return the world with one use of something less; None when none is left."""
        left = _less(self.left, what)
        return None if left is None else World(self.stores, self.saved, left)

    def placed(self, at: int, store: int) -> World:
        """Return the world with another store at a place."""
        return World((*self.stores[:at], store, *self.stores[at + 1 :]), self.saved, self.left)


@cache
def _less(left: tuple[tuple[str, int], ...], what: str) -> tuple[tuple[str, int], ...] | None:
    uses = dict(left)
    uses[what] -= 1
    return tuple(sorted(uses.items())) if uses[what] >= 0 else None


Step = tuple[str, World]


@dataclass
class Model:
    """
    Everything that can happen within bounds, and what is wrong with a state. Pass it to :func:`check`.

    Args:
        bounds: How much may happen.
        rules: What a store does.
    """

    bounds: Bounds
    rules: Callable[[History], Rules] = Rules
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.conduct = self.rules(self.history)
        # stores repeat the same steps in very many worlds
        self._write = lru_cache(maxsize=None)(self.conduct.write)
        self._take = lru_cache(maxsize=None)(self.conduct.take)
        self._proved = lru_cache(maxsize=None)(self.conduct.proved)
        self._numbers: dict[Store, int] = {}
        self._stores: list[Store] = []
        self._synced: dict[tuple[int, int], tuple[int, int]] = {}
        self._moved: dict[tuple[int, int], int] = {}
        self._judged: dict[tuple[int, ...], str] = {}
        places = range(self.bounds.stores)
        liars = {self.bounds.stores - 1} if self.bounds.liar else set()
        self._orders = [order for order in permutations(places) if all(order[at] == at for at in liars)]
        self._symmetries = [Symmetry(self.history, order) for order in self._orders]

    def start(self) -> World:
        """Return the state before anything has happened."""
        count = self.bounds.stores
        left = {name: value for name, value in vars(self.bounds).items() if name not in ("stores", "liar")}
        empty = [self.number(Store(at, (at, 0))) for at in range(count)]
        if self.bounds.copies:
            empty[-1] = NONE  # the place for a copy
        return World(tuple(empty), (NONE,) * count, tuple(sorted(left.items())))

    # --- what happens -------------------------------------------------------------------------------------------------

    def following(self, world: World) -> Iterator[World]:
        """Yield all states that can come next, each as the representative of its symmetric states."""
        return (self.canonical(after) for _, after in self.happening(world))

    def happening(self, world: World) -> Iterator[Step]:
        """Yield the steps that can happen, by name, with the state that each leads to."""
        there = [at for at, number in enumerate(world.stores) if number != NONE]
        for at in there:
            yield from self._alone(world, at)
            for other in there:
                if other != at:
                    yield from self._one_way(world, at, other)
        for one, other in combinations(there, 2):
            ones, others = self.synced(world.stores[one], world.stores[other])
            yield f"sync {one} {other}", world.placed(one, ones).placed(other, others)
        if self.bounds.liar:
            yield from self._lies(world, there)
            yield from self._forged(world, there)

    def _alone(self, world: World, at: int) -> Iterator[Step]:
        store = self.store(world, at)
        if after := world.spent("writes"):
            yield f"write {at}", self._with(after, at, self._write(store, PUT))
        if (after := world.spent("deletes")) and store.touched and store.segment is None:
            yield f"delete {at}", self._with(after, at, self._write(store, DELETE))
        if (after := world.spent("claims")) and store.life != NONE:
            yield f"claim {at}", self._with(after, at, self.conduct.claimed(store))
        if after := world.spent("saves"):
            saved = (*world.saved[:at], world.stores[at], *world.saved[at + 1 :])
            yield f"save {at}", after._replace(saved=saved)
        if world.saved[at] != NONE and (after := world.spent("restores")):
            saved_store = self._stores[world.saved[at]]._replace(stamp=(at, 2 + dict(after.left)["restores"]), opened=0)
            yield f"put back {at}", self._with(after, at, saved_store._replace(stale=True))
            yield f"put back {at} unnoticed", self._with(after, at, saved_store)
        if NONE in world.stores and (after := world.spent("copies")):
            to = world.stores.index(NONE)
            copied = store._replace(stamp=(to, 0), opened=0)
            yield f"copy {at} to {to} unnoticed", self._with(after, to, copied)
            yield f"copy {at} to {to}", self._with(after, to, copied._replace(stale=True))
            both = self._with(after, to, copied._replace(stale=True))
            doubting = store._replace(stamp=(at, 1), opened=0, stale=True)
            yield f"copy {at} to {to} noticed by both", self._with(both, at, doubting)
        if store.segment is not None:
            yield f"give up {at}", self._with(world, at, self.conduct.let_go(store, confirmed=False))

    def _one_way(self, world: World, at: int, to: int) -> Iterator[Step]:
        store, receiver = self.store(world, at), self.store(world, to)
        if store.forks - receiver.forks and (after := world.spent("proofs")):
            yield f"prove {at} to {to}", self._with(after, to, self._take(receiver, frozenset(), store.forks))
        if store.log - receiver.log and (after := world.spent("relays")):
            forks = self._proved(receiver, store.log)
            yield f"relay {at} to {to}", self._with(after, to, self._take(receiver, store.log, forks))
        is_new = receiver == Store(receiver.key, receiver.stamp)
        if is_new and store.log and store.segment is None and (after := world.spent("segments")):
            segment = self.conduct.segment_of(store)
            yield f"segment {at} to {to}", self._with(after, to, self.conduct.start_from(receiver, segment))

    def _lies(self, world: World, there: list[int]) -> Iterator[Step]:
        """A liar signs another change after any of its own, and tells it to one store."""
        after = world.spent("lies")
        liar = len(world.stores) - 1
        if after is None:
            return
        for to in set(there) - {liar}:
            receiver = self.store(world, to)
            for number in receiver.log:
                life, before, deps, kind, pairs, _ = self.history.changes[number]
                if self.history.lives[life].key == liar:
                    note = (liar, dict(after.left)["lies"], LIE)
                    for stands in (before, number):
                        lie = self.history.made(Change(life, stands, deps, kind, pairs, note))
                        log = frozenset({lie})
                        told = self._take(receiver, log, self._proved(receiver, log))
                        yield f"lie after {stands} to {to}", self._with(after, to, told)

    def _forged(self, world: World, there: list[int]) -> Iterator[Step]:
        """A liar makes a segment: of a state that does not exist, or with a head that it shows to nobody."""
        after = world.spent("segments")
        liar = len(world.stores) - 1
        maker = self.store(world, liar)
        if after is None or not maker.log:
            return
        segment = self.conduct.segment_of(maker)
        forged = {"forged": segment._replace(root=frozenset({NONE}))}
        if maker.life != NONE and maker.tip != NONE:
            _, _, deps, kind, pairs, _ = self.history.changes[maker.tip]
            kept = self.history.made(Change(maker.life, maker.tip, deps, kind, pairs, (liar, 0, LIE)))
            forged["withheld"] = segment._replace(frontier=segment.frontier | {kept}, root=frozenset({kept}))
        for to in set(there) - {liar}:
            receiver = self.store(world, to)
            if receiver == Store(receiver.key, receiver.stamp):
                for how, false in forged.items():
                    yield f"{how} segment to {to}", self._with(after, to, self.conduct.start_from(receiver, false))

    def _with(self, world: World, at: int, store: Store) -> World:
        return world.placed(at, self.number(store))

    # --- what must hold -----------------------------------------------------------------------------------------------

    def wrong_with(self, world: World) -> str:
        """Return what is wrong with a state; an empty string when it is sound."""
        there = [number for number in world.stores if number != NONE]
        groups = [group for size in range(1, len(there) + 1) for group in combinations(there, size)]
        return next((wrong for group in groups if (wrong := self._wrong(group))), "")

    def _wrong(self, group: tuple[int, ...]) -> str:
        if group not in self._judged:
            if len(group) == 1:
                self._judged[group] = self._wrong_alone(*group)
            elif len(group) == 2:
                self._judged[group] = self._wrong_together(*group)
            else:
                self._judged[group] = self._wrong_at_the_end(group)
        return self._judged[group]

    def _wrong_alone(self, number: int) -> str:
        store = self._stores[number]
        if len({dot for _, dot in store.dots}) < len(store.log):
            return "a name is that of two changes"
        survivors, is_hidden = self.history.survivors(store.log)
        if frozenset(write[3] for write in store.cell) != survivors:
            return "an acknowledged write is neither shown nor was it seen by one that is"
        if all(seq <= dict(store.deleted).get(name, 0) for name, seq in store.touched) != is_hidden:
            return "a deletion covers what it had not seen, or not what it had"
        whole = self.conduct.take(Store(NONE, (NONE, NONE)), store.log, store.forks)
        if self.conduct.content(whole) != self.conduct.content(store):
            return "a store is not what its changes and evidence say"
        if not all(self.history.children[fork] > 1 for fork in store.forks):
            return "there is evidence of a fork that is none"
        if store.opened > 1 + sum(self.history.lives[life].key == store.key for life, _ in store.forks):
            return "a store opened a life for nothing"
        return self._wrong_with_drafts(store)

    def _wrong_with_drafts(self, store: Store) -> str:
        issued: dict[int, int] = {}
        for at in store.log:
            note = self.history.changes[at].note
            if note[:2] == store.stamp and note[2] == DRAFTED:
                if note[3] in issued:
                    return "a draft was written twice"
                issued[note[3]] = at
        if len(store.drafted) != len(issued.keys() | {draft.number for draft in store.drafts}):
            return "an acknowledged draft is lost"
        own = frozenset(issued.values())
        if any(not self.history.told[at].past - own <= store.drafted[number] for number, at in issued.items()):
            return "a draft replaces what its writer was not shown"
        return ""

    def _wrong_together(self, one: int, other: int) -> str:
        ours, theirs = self._stores[one], self._stores[other]
        same = self.conduct.content(ours) == self.conduct.content(theirs)
        if self.conduct.compared(ours) == self.conduct.compared(theirs) and not same:
            return "two stores compare equal and are not"
        after = [self._stores[number] for number in self.synced(one, other)]
        if self.conduct.content(after[0]) != self.conduct.content(after[1]) or after[0].forks != after[1].forks:
            return "two stores have synced and are not equal"
        if not ours.log | theirs.log <= after[0].log:
            return "two stores have synced and something is lost"
        return ""

    def _wrong_at_the_end(self, group: tuple[int, ...]) -> str:
        stores = list(group)
        for _ in range(2):
            for one, other in combinations(range(len(stores)), 2):
                stores[one], stores[other] = self.synced(stores[one], stores[other])
        equal = {(self.conduct.content(self._stores[number]), self._stores[number].forks) for number in stores}
        return "all have synced with all and are not equal" if len(equal) > 1 else ""

    # --- states -------------------------------------------------------------------------------------------------------

    def store(self, world: World, at: int) -> Store:
        """Return the store at a place."""
        return self._stores[world.stores[at]]

    def number(self, store: Store) -> int:
        """Return the number of a store; equal stores have equal numbers."""
        number = self._numbers.setdefault(store, len(self._stores))
        if number == len(self._stores):
            self._stores.append(store)
        return number

    def synced(self, one: int, other: int) -> tuple[int, int]:
        """Return the states of two stores after they told each other everything."""
        if (one, other) not in self._synced:
            after = self.conduct.exchange(self._stores[one], self._stores[other])
            self._synced[one, other] = self.number(after[0]), self.number(after[1])
        return self._synced[one, other]

    def canonical(self, world: World) -> World:
        """Return the representative of all states that differ only in which device is which."""
        return min(self._in_order(world, which) for which in range(len(self._orders)))

    def _in_order(self, world: World, which: int) -> World:
        if not which:
            return world  # each device stays where it is
        stores, saved = list(world.stores), list(world.saved)
        for at, to in enumerate(self._orders[which]):
            stores[to] = self._moved_to(world.stores[at], which)
            saved[to] = self._moved_to(world.saved[at], which)
        return World(tuple(stores), tuple(saved), world.left)

    def _moved_to(self, number: int, which: int) -> int:
        if number == NONE:
            return NONE
        if (number, which) not in self._moved:
            self._moved[number, which] = self.number(self._symmetries[which].store(self._stores[number]))
        return self._moved[number, which]


class Found(NamedTuple):
    """The result of a check: the number of states, and what is wrong, with the fewest steps that lead to it."""

    states: int
    steps: int
    wrong: str
    trace: tuple[str, ...]


def check(bounds: Bounds, rules: Callable[[History], Rules] = Rules) -> Found:
    """Check every state within bounds. Something found is wrong with the rules; otherwise they hold within the bounds."""
    model = Model(bounds, rules)
    searched = search(model.canonical(model.start()), model.following, model.wrong_with)
    return Found(searched.states, searched.steps, searched.wrong, tuple(_steps(model, searched.path)))


def _steps(model: Model, path: Sequence[World]) -> Iterator[str]:
    """Yield the steps of a path with each device in one place throughout; the path's states are only representatives."""
    world = model.start()
    for state in path[1:]:
        name, world = next(step for step in model.happening(world) if model.canonical(step[1]) == state)
        yield name


SMALL: Final = {
    "forks": Bounds(liar=True, writes=2, lies=2),
    "evidence": Bounds(liar=True, writes=2, lies=2, proofs=1, relays=1, claims=1),
    "deletions": Bounds(liar=True, writes=2, deletes=1, lies=1, proofs=1, relays=1),
    "backups": Bounds(stores=2, writes=4, saves=1, restores=2, claims=1),
    "lives": Bounds(writes=3, saves=1, restores=1),
    "copies": Bounds(writes=3, copies=1),
    "segments": Bounds(liar=True, writes=3, segments=1, relays=1),
}
"""The bounds that the tests check, in a few seconds each."""

LARGE: Final = {
    "forks": Bounds(liar=True, writes=3, lies=3),
    "deletions": Bounds(liar=True, writes=2, deletes=1, lies=2, proofs=1, relays=1),
    "lives": Bounds(writes=3, deletes=1, saves=1, restores=2, claims=1),
    "lives and lies": Bounds(liar=True, writes=3, lies=1, saves=1, restores=1),
    "copies": Bounds(writes=4, copies=1, relays=1),
    "segments": Bounds(liar=True, writes=3, lies=1, segments=2, relays=1),
}
"""The bounds that ``make model`` checks, in some minutes each."""


def main(arguments: list[str]) -> int:
    """Check all bounds; print how many states there were, and how anything wrong comes about."""
    failed = 0
    for name, bounds in (SMALL if "--small" in arguments else LARGE).items():
        began = time.perf_counter()
        found = check(bounds)
        seconds = time.perf_counter() - began
        click.echo(f"{name}: {found.states:,} states, {found.steps:,} steps, {seconds:.1f} s")
        if found.wrong:
            failed = 1
            click.echo("\n    ".join([f"  {found.wrong}:", *found.trace]))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
