"""
Branches: what the changes of an actor are called once its chain is known to fork.

A fork is two lives that nobody announced. So each branch becomes a life of its own: from the first change in which they
differ, the changes of a branch go by the name ``H(actor, hash of that change)`` and keep their numbers. A frontier that
held ``X:7`` on the branch that begins with ``X:5`` then reads ``{X: 4, X/a: 7}``. No branch keeps the old name above the
branching, nothing is taken out, nothing is written anew, and nobody waits for the author.

1. What is known of an actor's forks is a *set of points*, each the last change that two branches share. Sets are joined
   by union; so neither order nor repetition of proofs matters, nor which proof showed a point, nor how many branches
   begin there: a third one is named without a proof of its own.
2. The name of a change is a function of the points and of its own chain. A point that is learned later cuts one run of
   names in two (:class:`Renaming`) and leaves all other names as they were: also one far below, at last year's change.
3. What a change says of others, and what it means by that, are functions of the change and its past, which is named by
   hashes. Its author calls an actor's changes by the actor wherever its past holds one branch of them, whatever it knows
   of others; only where the past itself holds several does it name the branch, and then whoever holds that past knows the
   point (:meth:`Names.written_as`). So a change can be read whenever its past is here, also where a relay keeps evidence
   to itself, and who knows more writes the same bytes.
4. The clocks of text items restart at 0 in each branch, since Yjs takes no client's items but from clock 0 on. Only
   here, the clocks of a chain are counted through (:meth:`Names.items`).
5. Names order nothing that their author could have seen: :meth:`Names.order` sorts a branch where its actor stood.
   With order by the names themselves a proof could turn two neighbours round, and an edit that somebody had made between
   them would no longer fit.

What a store does when it learns a point that it did not know, in one transaction:

* It looks up the change of the point. If it holds that and a change after it (there is at most one: a second one is
  taken only once the point is known), it renames, by :func:`renaming`: the log rows of that run above the point, the
  heads, the runs that begin in it, and, in every frontier that it keeps (heads' dependencies, what each device
  acknowledged), the entries of that run. Order and hashes of the log stay.
* It folds again the entities that a renamed row mentions, and those that mention the run in a deletion. An entity that
  does neither names no renamed change.
* An acknowledgement above the point counts for the branch of the head hash with which it came; without one it counts up
  to the point.
* If its own actor has any point, it opens a new life before its next write, whose birth names as parent the last
  change that it holds of its own chain. What it wrote before it knew stays, and is still taken everywhere.
* What waited for a change under another hash is tried again: it may be the other branch that it means.

A store can prove every fork that it holds: it keeps, with the signature of an actor's head, the header hashes between
the last change that it holds and the one that is signed. A claim without proof changes no name.

Source: Mahajan et al. 2010, "Depot: cloud storage with minimal trust" (fork-join-causal consistency: the forks of a faulty
node are taken as concurrent work of several virtual nodes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple

from edda_sync.words.errors import RefusedTextError

NAME_BYTES: Final = 16
ROOT: Final = bytes(32)  # hash of what stands before an actor's first change

Dot = tuple[bytes, int]
Frontier = dict[bytes, int]

HashAt = Callable[[int], bytes]
"""``hash_at(seq)``: the hash (32 bytes) of a chain's change at a seq, from 1 up to the chain's end."""

Find = Callable[[bytes, int, bytes], Dot | None]
"""
``find(name, seq, prefix)``: the dot under which a held change now goes.

Asked with a name as a header says it, the change's seq, and the first 16 bytes of its hash. None when no such change is
held: the dependency is not satisfied. Where two held changes fit, the one of the lesser hash, on every device.
"""

Written = Callable[[bytes, int], int]
"""
``written(name, seq)``: how much the changes of one name, up to a seq, inserted into the text at hand.

In UTF-16 units, deleted ones included, refused edits not. A function of the accepted edits alone, which the text keeps
with its items (which change brought each).
"""


class Point(NamedTuple):
    """The last change that branches share: its seq (0 where the very first changes differ) and its hash (:data:`ROOT`)."""

    seq: int
    hash: bytes


class Run(NamedTuple):
    """
    Changes of one chain under one name.

    Attributes:
        name: The actor, or the name of a branch.
        actor: Whose chain it is: what its birth hashes to.
        first: Seq of its first change.
        parent: The run that it goes on from; None for the actor's own name.
    """

    name: bytes
    actor: bytes
    first: int
    parent: bytes | None


class Items(NamedTuple):
    """Text items of one name with clocks that follow one another, in UTF-16 units."""

    name: bytes
    clock: int
    length: int


def branch_name(actor: bytes, first: bytes) -> bytes:
    """
    Return the name of a branch.

    Args:
        actor: Whose chain forks, 16 bytes.
        first: Hash of the first change in which the branch differs from another, 32 bytes.
    """
    return blake2b(actor + first, digest_size=NAME_BYTES, person=b"edda-branch").digest()


@dataclass(frozen=True, slots=True)
class Tree:
    """
    What is known of one actor's forks; ask :meth:`path` what a change is called.

    Attributes:
        actor: Whose chain it is.
        points: Where it is known to fork.
    """

    actor: bytes
    points: frozenset[Point] = frozenset()

    def joined(self, points: Iterable[Point]) -> Tree:
        """Return the tree that knows these points too: a union, so that neither order nor repetition matters."""
        return Tree(self.actor, self.points.union(points))

    def path(self, seq: int, hash_at: HashAt) -> tuple[Run, ...]:
        """
        Return the runs from the actor's birth to a change, in order; the last one's name is the change's.

        The first is always the actor's own, though it holds no change where the very first ones differ.

        Args:
            seq: The change's.
            hash_at: Of its chain; asked only at points and directly after them.
        """
        cuts = {
            point.seq
            for point in self.points
            if point.seq < seq and (point.seq == 0 or hash_at(point.seq) == point.hash)
        }
        runs = [Run(self.actor, self.actor, 1, None)]
        for cut in sorted(cuts):
            runs.append(Run(branch_name(self.actor, hash_at(cut + 1)), self.actor, cut + 1, runs[-1].name))
        return tuple(runs)


class Renaming(NamedTuple):
    """The changes of one name above a seq get another name: what a store does when it learns a point."""

    old: bytes
    above: int
    new: bytes

    def dot(self, dot: Dot) -> Dot:
        """Return a change's dot after it."""
        return (self.new, dot[1]) if dot[0] == self.old and dot[1] > self.above else dot

    def frontier(self, frontier: Mapping[bytes, int]) -> Frontier:
        """Return a frontier after it, of a store that held the renamed changes and no other branch of them."""
        after = dict(frontier)
        if after.get(self.old, 0) > self.above:
            after[self.new] = after.pop(self.old)
            if self.above:
                after[self.old] = self.above
        return after


def renaming(actor: bytes, shared: Dot, after: bytes) -> Renaming:
    """
    Return what a store renames when it learns a point.

    Args:
        actor: Whose chain it is.
        shared: The dot under which the store holds the point's change; ``(actor, 0)`` for the point before the first.
        after: Hash of the change that it holds directly after it. Where it holds none, there is nothing to rename.
    """
    return Renaming(*shared, branch_name(actor, after))


class Names:
    """
    The runs of the actors that forked, as a store holds them; what others' names mean is read off them.

    An actor that never forked need not be in it: it is one run under its own name.

    Args:
        runs: From :meth:`Tree.path`, of each chain that is held; again is nothing.
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
        """Return all of them, as they were given."""
        return frozenset(self._runs.values())

    def listed(self) -> list[Run]:
        """Return all of them, in the order in which they became known."""
        return list(self._runs.values())

    def joined(self, runs: Iterable[Run]) -> Names:
        """Return these and more: of a chain whose first change after a point was just taken."""
        after = (
            Names()
        )  # copied whole, and not run by run: somebody may have a thousand branches begin, one after another
        after._runs, after._below, after._branches = dict(self._runs), dict(self._below), dict(self._branches)
        for run in runs:
            after._runs.setdefault(run.actor, Run(run.actor, run.actor, 1, None))
            if run.parent is not None and run.name not in after._runs:
                after._below[run.parent] = [*after._below.get(run.parent, ()), run]
                after._branches[run.actor] = [*after._branches.get(run.actor, ()), run]
            after._runs[run.name] = run
        return after

    def renamed(self, by: Renaming) -> Names:
        """Return the names after a renaming: one run ends earlier, and a new one goes on with what began in it."""
        actor = self.actor(by.old)
        root = () if by.old in self._runs else (Run(actor, actor, 1, None),)
        moved = [run._replace(parent=by.new) if run.parent == by.old else run for run in self._runs.values()]
        return Names((*root, *moved, Run(by.new, actor, by.above + 1, by.old)))

    def branches(self, actor: bytes) -> list[bytes]:
        """Return the names of an actor's branches that are held."""
        return [run.name for run in self._branches.get(actor, ())]

    def holding(self, name: bytes, seq: int) -> Iterator[bytes]:
        """Yield a name and those that go on from it that may hold a change with a seq: those that begin no later."""
        for each, first in self._downwards(name):
            if first <= seq:
                yield each

    def is_parted(self, name: bytes) -> bool:
        """Tell whether branches go on from a name."""
        return name in self._below

    def after(self, name: bytes) -> list[bytes]:
        """Return the names of the branches that go on from a name, in order."""
        return sorted(run.name for run in self._below.get(name, ()))

    def above(self, name: bytes) -> set[bytes]:
        """Return the branches that go on from a name, and those that go on from them."""
        return {each for each, _ in self._downwards(name)} - {name}

    def first(self, name: bytes) -> int:
        """Return the seq of the first change of a name."""
        return self._first(name)

    def parent(self, name: bytes) -> bytes:
        """Return the name that a branch goes on from."""
        parent = self._runs[name].parent
        assert parent is not None, "asked of a branch only"
        return parent

    # --- what a name is -----------------------------------------------------------------------------------------------

    def actor(self, name: bytes) -> bytes:
        """Return whose chain a name belongs to; a name that nobody branched from is an actor."""
        run = self._runs.get(name)
        return name if run is None else run.actor

    def order(self, name: bytes) -> tuple[bytes, ...]:
        """
        Return the key by which concurrent insertions into a text are ordered: the names from the actor down.

        Of two items that one past holds, and neither of which its author's past held, the order is that of their actors,
        or of the branches at which their chains part. A proof that comes later changes neither.
        """
        if name not in self._runs:
            return (name,)
        return tuple(reversed([run.name for run in self._upwards(name)]))

    def past(self, dot: Dot) -> Frontier:
        """Return the frontier of a change and of all that stands before it in its chain."""
        name, seq = dot
        frontier = {name: seq} if seq else {}
        for run in self._upwards(name):
            if run.parent is not None and run.first > self._first(run.parent):
                frontier[run.parent] = run.first - 1
        return frontier

    def _upwards(self, name: bytes) -> Iterator[Run]:
        """Yield a name's run and those that it goes on from, up to the actor's own; nothing for one that never forked."""
        run = self._runs.get(name)
        while run is not None:
            yield run
            run = None if run.parent is None else self._runs[run.parent]

    def _downwards(self, name: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield name and first seq of a run and of all that go on from it."""
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
        Return changes as an author writes them into a change: dependencies, or what a deletion had seen.

        :meth:`deps`, :meth:`pairs` and :meth:`dot` read them.

        Args:
            frontier: The last change of each name.
            past: Frontier of the past of the change that is written, its own chain included.
        """
        written: Frontier = {}
        for name, seq in frontier.items():
            on = self.called(name, past)
            written[on] = max(seq, written.get(on, 0))
        return written

    def items_as(self, items: Items, past: Mapping[bytes, int], written: Written) -> Items:
        """Return items of a text as an author writes them into an update, which :meth:`items` reads."""
        on = self.called(items.name, past)
        return Items(on, items.clock + self.before(items.name, written) - self.before(on, written), items.length)

    def called(self, name: bytes, past: Mapping[bytes, int]) -> bytes:
        """Return the name from which on a past holds one branch only: as far up as it can be followed back down."""
        run = self._runs.get(name)
        while run is not None and run.parent is not None and len(self._on(run.parent, past)) == 1:
            run = self._runs[run.parent]
        return name if run is None else run.name

    def goes_on(self, name: bytes, past: Mapping[bytes, int]) -> bool:
        """Tell whether a past holds a branch that goes on from a name."""
        return bool(self._on(name, past))

    def _on(self, name: bytes, past: Mapping[bytes, int]) -> list[bytes]:
        """Return the runs that go on from one, of those that a past holds: two, where there are more."""
        held = (run.name for run in self._below.get(name, ()) if past.get(run.name, 0) >= run.first)
        return list(islice(held, 2))

    # --- what it means ------------------------------------------------------------------------------------------------

    def deps(self, entries: Iterable[tuple[bytes, int, bytes]], find: Find) -> Frontier | None:
        """
        Return the frontier that a header's dependencies name; join it with those of its actor's previous change.

        The hash decides, and the name only says whose chain it is.

        Args:
            entries: Name, seq and the first 16 bytes of the hash of each change that moved.
            find: See :data:`Find`.

        Returns:
            None when one of them is not held: the change waits for it, and if another is held in its place, that is
            the beginning of a fork proof.
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
        Return what the pairs of a deletion cover: of each name, and of the branches that go on from it, what its author
        had seen.

        Args:
            pairs: As the operation has them. What was not in the author's past is not covered, whatever they say; nor is
                what they call otherwise than :meth:`written_as` does, which only who knows of the fork could read.
            past: Frontier of the past of the change that carries them.
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
        """Return the dot of the one change that an operation means, within its past; None where none or several fit."""
        named, seq = dot
        fitting = [name for name, first in self._downwards(named) if first <= seq <= past.get(name, 0)]
        return (fitting[0], seq) if len(fitting) == 1 else None

    # --- items of texts -----------------------------------------------------------------------------------------------

    def before(self, name: bytes, written: Written) -> int:
        """
        Return how much a chain had inserted into a text when the run of a name begins.

        The new items of a change on that run stand in its update under the actor's name, at this plus their own clock:
        its author counts through.
        """
        return sum(written(run.parent, run.first - 1) for run in self._upwards(name) if run.parent is not None)

    def items(self, items: Items, past: Mapping[bytes, int], written: Written) -> list[Items]:
        """
        Return what an update's reference to items means, cut where it goes on from one run into the next.

        Args:
            items: Name, first clock and number of units, as the update has them.
            past: Frontier of the past of the change that carries the update.
            written: See :data:`Written`, of the text.

        Raises:
            RefusedTextError: The past does not hold them, or holds several branches that fit: its author, who had seen
                these, would have named one.
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
