"""
Names: under which name a store holds a change whose chain forks, which name an author writes, and what it means to a
reader.

The rules are in ``branches``: a name depends on the points of a fork and on the change's own chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from edda_sync.changes.branches import Renaming, Run
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.words.errors import RefusedTextError

Find = Callable[[bytes, int, bytes], Dot | None]
"""
``find(name, seq, prefix)``: the dot under which a change is held now.

The arguments are a name from a header, the change's seq, and the first 16 bytes of its hash. The result is None if no
such change is held: the dependency is not satisfied. If two held changes fit, it is the one with the lesser hash, on
every device.
"""

Written = Callable[[bytes, int], int]
"""
``written(name, seq)``: how much the changes of one name, up to a seq, inserted into the present text.

It counts UTF-16 units, with deleted ones and without refused edits. It depends only on the accepted edits, and the text
keeps with its items which change inserted each.
"""


class Items(NamedTuple):
    """Text items of one name with consecutive clocks, in UTF-16 units."""

    name: bytes
    clock: int
    length: int


class Names:
    """
    The runs of the actors whose chains fork, as a store holds them. They tell what a name in a change means.

    An actor whose chain never forked need not be in it: it is one run under its own name.

    Args:
        runs: From ``branches.Tree.path``, for each chain that is held. A run that is passed twice counts once.
    """

    __slots__ = ("_below", "_branches", "_runs")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs = {run.name: run for run in runs}
        self._below: dict[bytes, list[Run]] = {}
        self._branches: dict[bytes, list[Run]] = {}  # by actor
        for run in self._runs.values():
            if run.parent is not None:
                self._below.setdefault(run.parent, []).append(run)
                self._branches.setdefault(run.actor, []).append(run)

    def runs(self) -> frozenset[Run]:
        """Return all runs, as they were passed in."""
        return frozenset(self._runs.values())

    def listed(self) -> list[Run]:
        """Return all runs, in the order in which they became known."""
        return list(self._runs.values())

    def joined(self, runs: Iterable[Run]) -> Names:
        """Return these names and more runs: those of a chain whose first change after a point has just been taken."""
        after = Names()  # not run by run: an actor may have a thousand branches that begin one by one
        after._runs, after._below, after._branches = dict(self._runs), dict(self._below), dict(self._branches)
        for run in runs:
            after._runs.setdefault(run.actor, Run(run.actor, run.actor, 1, None))
            if run.parent is not None and run.name not in after._runs:
                after._below[run.parent] = [*after._below.get(run.parent, ()), run]
                after._branches[run.actor] = [*after._branches.get(run.actor, ()), run]
            after._runs[run.name] = run
        return after

    def renamed(self, by: Renaming) -> Names:
        """Return the names after a renaming: one run ends earlier, and a new run continues with what began in it."""
        actor = self.actor(by.old)
        root = () if by.old in self._runs else (Run(actor, actor, 1, None),)
        moved = [run._replace(parent=by.new) if run.parent == by.old else run for run in self._runs.values()]
        return Names((*root, *moved, Run(by.new, actor, by.above + 1, by.old)))

    def branches(self, actor: bytes) -> list[bytes]:
        """Return the names of an actor's branches that are held."""
        return [run.name for run in self._branches.get(actor, ())]

    def holding(self, name: bytes, seq: int) -> Iterator[bytes]:
        """Yield a name and the names that continue it, if they may hold a change with a seq because they begin no later."""
        for each, first in self._downwards(name):
            if first <= seq:
                yield each

    def is_parted(self, name: bytes) -> bool:
        """Tell whether branches continue a name."""
        return name in self._below

    def after(self, name: bytes) -> list[bytes]:
        """Return the names of the branches that continue a name, in order."""
        return sorted(run.name for run in self._below.get(name, ()))

    def above(self, name: bytes) -> set[bytes]:
        """Return the branches that continue a name, and those that continue these."""
        return {each for each, _ in self._downwards(name)} - {name}

    def first(self, name: bytes) -> int:
        """Return the seq of the first change of a name."""
        return self._first(name)

    def parent(self, name: bytes) -> bytes:
        """Return the name that a branch continues."""
        parent = self._runs[name].parent
        assert parent is not None, "asked of a branch only"
        return parent

    # --- what a name is -----------------------------------------------------------------------------------------------

    def actor(self, name: bytes) -> bytes:
        """Return the actor whose chain a name belongs to. A name without a run is an actor."""
        run = self._runs.get(name)
        return name if run is None else run.actor

    def order(self, name: bytes) -> tuple[bytes, ...]:
        """
        Return the key by which concurrent insertions into a text are ordered: the names from the actor down.

        It orders two items that one past holds, if neither of their authors' pasts held the other item: by their
        actors, or by the branches at which their chains part. A proof that comes later does not change this.
        """
        if name not in self._runs:
            return (name,)
        return tuple(reversed([run.name for run in self._upwards(name)]))

    def past(self, dot: Dot) -> Frontier:
        """Return the frontier of a change and all changes before it in its chain."""
        name, seq = dot
        frontier = {name: seq} if seq else {}
        for run in self._upwards(name):
            if run.parent is not None and run.first > self._first(run.parent):
                frontier[run.parent] = run.first - 1
        return frontier

    def _upwards(self, name: bytes) -> Iterator[Run]:
        """Yield a name's run and the runs that it continues, up to the actor's own; nothing if the chain never forked."""
        run = self._runs.get(name)
        while run is not None:
            yield run
            run = None if run.parent is None else self._runs[run.parent]

    def _downwards(self, name: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield the name and first seq of a run and of all runs that continue it."""
        waiting = [(name, self._first(name))]
        while waiting:
            at = waiting.pop()
            yield at
            waiting.extend((run.name, run.first) for run in self._below.get(at[0], ()))

    def _first(self, name: bytes) -> int:
        run = self._runs.get(name)
        return 1 if run is None else run.first

    # --- what an author writes ----------------------------------------------------------------------------------------

    def written_as(self, frontier: Mapping[bytes, int], past: Mapping[bytes, int]) -> Frontier:
        """
        Return changes in the form in which an author writes them into a change: dependencies, or what a deletion had
            seen.

        :meth:`deps`, :meth:`pairs` and :meth:`dot` read them.

        Args:
            frontier: The last change of each name.
            past: Frontier of the past of the change that is written, with its own chain.
        """
        written: Frontier = {}
        for name, seq in frontier.items():
            on = self.called(name, past)
            written[on] = max(seq, written.get(on, 0))
        return written

    def items_as(self, items: Items, past: Mapping[bytes, int], written: Written) -> Items:
        """Return items of a text in the form in which an author writes them into an update, which :meth:`items` reads."""
        on = self.called(items.name, past)
        return Items(on, items.clock + self.before(items.name, written) - self.before(on, written), items.length)

    def called(self, name: bytes, past: Mapping[bytes, int]) -> bytes:
        """Return the uppermost name from which a past holds a single branch down to the given name."""
        run = self._runs.get(name)
        while run is not None and run.parent is not None and len(self._on(run.parent, past)) == 1:
            run = self._runs[run.parent]
        return name if run is None else run.name

    def goes_on(self, name: bytes, past: Mapping[bytes, int]) -> bool:
        """Tell whether a past holds a branch that continues a name."""
        return bool(self._on(name, past))

    def _on(self, name: bytes, past: Mapping[bytes, int]) -> list[bytes]:
        """Return the names of the runs that continue a name and that a past holds: two, if there are more."""
        held = (run.name for run in self._below.get(name, ()) if past.get(run.name, 0) >= run.first)
        return list(islice(held, 2))

    # --- what it means ------------------------------------------------------------------------------------------------

    def deps(self, entries: Iterable[tuple[bytes, int, bytes]], find: Find) -> Frontier | None:
        """
        Return the frontier that a header's dependencies name; join it with that of its actor's previous change.

        The hash decides. The name only tells whose chain it is.

        Args:
            entries: Name, seq and the first 16 bytes of the hash of each dependency that the header lists.
            find: See :data:`Find`.

        Returns:
            The frontier; None if one of the dependencies is not held. The change then waits for it. If another change
            is held in its place, that is the beginning of a fork proof.
        """
        frontier: Frontier = {}
        for name, seq, prefix in entries:
            dot = find(name, seq, prefix)
            if dot is None:
                return None
            for held, last in self.past(dot).items():
                frontier[held] = max(last, frontier.get(held, 0))
        return frontier

    def pairs(self, pairs: Iterable[tuple[bytes, int]], past: Mapping[bytes, int]) -> Frontier:
        """
        Return what the pairs of a deletion cover: for each name, and the branches that continue it, what the author had
            seen.

        Args:
            pairs: Those in the operation. They do not cover what was not in the author's past. A name that
                :meth:`written_as` would not have written covers nothing, because only a store that knows of the fork
                could read it.
            past: Frontier of the past of the change that contains them.
        """
        seen: Frontier = {}
        for named, seq in pairs:
            if self.called(named, past) != named:
                continue
            for name, first in self._downwards(named):
                last = min(seq, past.get(name, 0))
                if last >= first:
                    seen[name] = max(last, seen.get(name, 0))
        return seen

    def dot(self, dot: Dot, past: Mapping[bytes, int]) -> Dot | None:
        """Return the dot of the one change in a past that an operation means; None if none or several fit."""
        named, seq = dot
        fitting = [name for name, first in self._downwards(named) if first <= seq <= past.get(name, 0)]
        return (fitting[0], seq) if len(fitting) == 1 else None

    # --- items of texts -----------------------------------------------------------------------------------------------

    def before(self, name: bytes, written: Written) -> int:
        """
        Return how much a chain had inserted into a text before the run of a name begins.

        In an update, the new items of a change on that run have the actor's name, and clocks that are this number plus
        their own: the author counts through.
        """
        return sum(written(run.parent, run.first - 1) for run in self._upwards(name) if run.parent is not None)

    def items(self, items: Items, past: Mapping[bytes, int], written: Written) -> list[Items]:
        """
        Return what an update's reference to items means, divided where it continues from one run into the next.

        Args:
            items: Name, first clock and number of units, as the update has them.
            past: Frontier of the past of the change that contains the update.
            written: See :data:`Written`, for the text.

        Raises:
            RefusedTextError: The past does not hold the items, or holds several branches that fit. An author who had seen
                several would have named one.
        """
        name, clock, length = items
        found = []
        while length:
            size = written(name, past.get(name, 0))
            if clock < size:
                taken = min(length, size - clock)
                found.append(Items(name, clock, taken))
                clock, length = clock + taken, length - taken
            clock -= size
            if length:
                on = self._on(name, past)
                if len(on) != 1:
                    raise RefusedTextError("it names items that its author had not seen, or of several branches")
                name = on[0]
        return found
