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
   of others; only where the past itself holds several does it name the branch, and then every store that holds that past
   knows the point (``names.Names.written_as``). So a change can be read whenever its past is here, also where a relay keeps
   evidence to itself; and an author that knows more writes the same bytes.
4. The clocks of text items restart at 0 in each branch, since Yjs takes no client's items but from clock 0 on. Only
   here, the clocks of a chain are counted through (``names.Names.items``).
5. Names order nothing that their author could have seen: ``names.Names.order`` sorts a branch where its actor stood.
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

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from edda_sync.crdt.frontier import Dot, Frontier

NAME_BYTES: Final = 16
ROOT: Final = bytes(32)  # hash of what stands before an actor's first change

HashAt = Callable[[int], bytes]
"""``hash_at(seq)``: the hash (32 bytes) of a chain's change at a seq, from 1 up to the chain's end."""


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


def branch_name(actor: bytes, first: bytes) -> bytes:
    """
    Return the name of a branch.

    Args:
        actor: Whose chain forks, 16 bytes.
        first: Hash of the first change in which the branch differs from another, 32 bytes.
    """
    return blake2b(actor + first, digest_size=NAME_BYTES, person=b"edda-branch").digest()


class Tree(NamedTuple):
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
