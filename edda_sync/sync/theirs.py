"""
Theirs: what one peer holds, by what it says and by what it sends.

A peer may say of any number of actors that it holds them. It is kept of those that are here, and of so many others:
whoever is sent what it has says again that it has it, so nothing hangs on the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized

from edda_sync.changes.branches import Renaming
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.sync.messages import Pairs
from edda_sync.sync.taking import Taken
from edda_sync.words import limits


class Theirs:
    """
    What one peer holds.

    Attributes:
        held: As a frontier.
    """

    def __init__(self) -> None:
        self.held: Frontier = {}
        self._unnamed: set[bytes] = set()  # names of which it sent what is not here yet: it may be of another branch

    def introduced(self, held: Frontier) -> None:
        """Learn all that it says that it holds."""
        self.held = held
        self._unnamed.clear()

    def acknowledged(self, moved: Pairs, ours: Frontier) -> None:
        """Learn what it holds besides."""
        for actor, seq in moved:
            if actor in self.held or is_kept(actor, self.held, ours):
                self.held[actor] = max(seq, self.held.get(actor, 0))

    def sent(self, taken: Taken, ours: Frontier, apart: frozenset[bytes]) -> None:
        """Learn what became of what it sent: whoever sends a change has it."""
        for actor, seq in taken.held:
            if (taken.unchecked or seq > ours.get(actor, 0)) and is_kept(actor, self._unnamed, ours):
                self._unnamed.add(actor)
            if actor in ours and actor not in apart:
                self.held[actor] = max(seq, self.held.get(actor, 0))

    def is_unnamed(self, name: bytes) -> bool:
        """Tell whether it sent changes by a name of which they are not here yet."""
        return name in self._unnamed

    def renamed(self, by: Renaming, *, apart: bool) -> None:
        """Learn that changes have another name; see :func:`renamed_held`."""
        self.held = renamed_held(self.held, by, apart=apart)

    def ended(self, ends: Iterable[Dot]) -> None:
        """Learn up to where names go from now on; see :func:`ended_held`."""
        self.held = ended_held(self.held, ends)


def is_kept(actor: bytes, claims: Sized, ours: Frontier) -> bool:
    """Tell whether it is kept what a peer says of an actor: of some that are not known here, and no more."""
    return actor in ours or len(claims) < len(ours) + limits.CLAIMS_MAX


def renamed_held(held: Frontier, by: Renaming, *, apart: bool) -> Frontier:
    """
    Return what a peer holds, once it is known that a chain forks.

    Args:
        held: By the names of before.
        by: What is called otherwise from now on.
        apart: Whether the peer holds other changes there than we do, or may: then what it said counts up to where they part.
    """
    return ended_held(held, [(by.old, by.above)]) if apart else by.frontier(held)


def ended_held(held: Frontier, ends: Iterable[Dot]) -> Frontier:
    """
    Return what a peer holds, once it is known that a chain forks, where nobody can say which branch it means.

    Args:
        held: By the names of before; also what is half here, or was passed over while a segment was believed.
        ends: Up to where a name goes from now on. What follows goes by names that the peer says.
    """
    ended = dict(held)
    for name, last in ends:
        ended[name] = min(last, ended.get(name, 0))
    return {name: seq for name, seq in ended.items() if seq}
