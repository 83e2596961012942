"""
Branches: the names of an actor's changes when its chain is known to fork.

A fork is two lives under one name. So each branch becomes a life of its own: from the first change in which the
branches differ, the changes of a branch have the name ``H(actor, hash of that change)`` and keep their numbers. A
frontier that held ``X:7`` on the branch that begins with ``X:5`` then becomes ``{X: 4, X/a: 7}``. No branch keeps the
old name above the branching point. Nothing is removed, nothing is rewritten, and nobody waits for the author.

1. What is known about an actor's forks is a *set of points*. A point is the last change that two branches share. Sets
   are joined by union. So it does not matter in which order or how often proofs arrive, which proof showed a point, or
   how many branches begin there: a third branch is named without a proof of its own.
2. The name of a change depends on the points and on its own chain. A point that is learned later cuts one run of names
   in two (:class:`Renaming`) and leaves all other names as they were, even if it is far below, at a change of last
   year.
3. What a change says about others, and what this means, depends on the change and its past, which is named by hashes.
   The author uses an actor's own name for its changes if the author's past holds a single branch of them, even if it
   knows of others. If the past itself holds several branches, the author names the branch, and then every store that
   holds that past knows the point (``names.Names.written_as``). So a change can be read wherever its past is here, even
   if a relay hides evidence, and an author that knows more writes the same bytes.
4. The clocks of text items restart at 0 in each branch, since Yjs takes the items of a client only from clock 0 on.
   Inside changes, the clocks of a chain are counted through (``names.Names.items``).
5. Names never decide an order that their author could have seen: ``names.Names.order`` sorts a branch where its actor
   stood. If the names themselves decided, a proof could exchange two neighbours, and an edit between them would no
   longer fit.

When a store learns a new point, it does the following in one transaction:

* It looks up the change of the point. If it holds that change and one after it (at most one, since a second one is
  taken only once the point is known), it renames with :func:`renaming`: the log rows of that run above the point, the
  heads, the runs that begin in it, and the entries of that run in every frontier that it keeps (the dependencies of
  heads, and what each device acknowledged). The order and the hashes of the log stay.
* It folds again the entities that a renamed row mentions, and those that mention the run in a deletion. Other entities
  name no renamed change.
* An acknowledgement above the point counts for the branch of the head hash that it contains; without a hash, it counts
  up to the point.
* If its own actor has any point, it begins a new life before its next write. The birth names as its parent the last
  change that the store holds of its own chain. What it wrote before it knew stays, and is still accepted everywhere.
* A change that waited for a dependency with another hash is tried again: it may mean the other branch.

A store can prove every fork that it holds: with the signature of an actor's head, it keeps the header hashes between
the last change that it holds and the signed one. A claim without proof changes no name.

Source: Mahajan et al. 2010, "Depot: cloud storage with minimal trust" (fork-join-causal consistency: the forks of a
faulty node are treated as concurrent work of several virtual nodes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from edda_sync.crdt.frontier import Dot, Frontier

NAME_BYTES: Final = 16
ROOT: Final = bytes(32)  # the hash before an actor's first change

HashAt = Callable[[int], bytes]
"""``hash_at(seq)``: the hash (32 bytes) of a chain's change at a seq, from 1 up to the chain's end."""


class Point(NamedTuple):
    """The last change that branches share: its seq (0 if the first changes differ) and its hash (then :data:`ROOT`)."""

    seq: int
    hash: bytes


class Run(NamedTuple):
    """
    A series of changes of one chain that have the same name.

    Attributes:
        name: The actor, or the name of a branch.
        actor: The actor whose chain it is: the hash of the birth.
        first: Seq of the first change.
        parent: The name of the run that it continues; None for the actor's own name.
    """

    name: bytes
    actor: bytes
    first: int
    parent: bytes | None


def branch_name(actor: bytes, first: bytes) -> bytes:
    """
    Return the name of a branch.

    Args:
        actor: The actor whose chain forks, 16 bytes.
        first: Hash of the first change in which the branch differs from another, 32 bytes.
    """
    return blake2b(actor + first, digest_size=NAME_BYTES, person=b"edda-branch").digest()


class Tree(NamedTuple):
    """
    What is known about one actor's forks. :meth:`path` tells the name of a change.

    Attributes:
        actor: The actor whose chain it is.
        points: The points at which the chain is known to fork.
    """

    actor: bytes
    points: frozenset[Point] = frozenset()

    def joined(self, points: Iterable[Point]) -> Tree:
        """Return a tree that knows these points, too. It is a union, so neither order nor repetition matters."""
        return Tree(self.actor, self.points.union(points))

    def path(self, seq: int, hash_at: HashAt) -> tuple[Run, ...]:
        """
        Return the runs from the actor's birth to a change, in order. The name of the last one is the name of the change.

        The first run is always the actor's own, even if it holds no change because the very first changes differ.

        Args:
            seq: The seq of the change.
            hash_at: Returns the hashes of the change's chain. It is called only for points and the seqs after them.
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
    """The changes of one name above a seq get another name: this happens when a store learns a point."""

    old: bytes
    above: int
    new: bytes

    def dot(self, dot: Dot) -> Dot:
        """Return a change's dot after the renaming."""
        return (self.new, dot[1]) if dot[0] == self.old and dot[1] > self.above else dot

    def frontier(self, frontier: Mapping[bytes, int]) -> Frontier:
        """Return a frontier after the renaming, for a store that held the renamed changes and no other branch of them."""
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
        actor: The actor whose chain it is.
        shared: The dot under which the store holds the point's change; ``(actor, 0)`` for the point before the first
            change.
        after: Hash of the change that it holds directly after the point. If it holds none, nothing needs to be renamed.
    """
    return Renaming(*shared, branch_name(actor, after))
