"""
Theirs: what one peer holds, according to what it says and what it sends.

A peer may claim to hold changes of any number of actors. Claims are kept for the actors that are known here, and for a
limited number of others. The others may be forgotten, because a peer that is sent what it already has says again that it
has it.
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
        held: The peer's frontier.
    """

    def __init__(self) -> None:
        self.held: Frontier = {}
        self._unnamed: set[bytes] = set()  # names under which it sent what is not here yet: perhaps another branch

    def introduced(self, held: Frontier) -> None:
        """Note everything that the peer says that it holds."""
        self.held = held
        self._unnamed.clear()

    def acknowledged(self, moved: Pairs, ours: Frontier) -> None:
        """Note what else the peer holds."""
        for actor, seq in moved:
            if actor in self.held or is_kept(actor, self.held, ours):
                self.held[actor] = max(seq, self.held.get(actor, 0))

    def sent(self, taken: Taken, ours: Frontier, apart: frozenset[bytes]) -> None:
        """Note what the peer sent, also if it came too early to be taken: whoever sends a change holds it."""
        for actor, seq in taken.held:
            if (taken.unchecked or seq > ours.get(actor, 0)) and is_kept(actor, self._unnamed, ours):
                self._unnamed.add(actor)
            if actor not in apart and (actor in self.held or is_kept(actor, self.held, ours)):
                self.held[actor] = max(seq, self.held.get(actor, 0))

    def is_unnamed(self, name: bytes) -> bool:
        """Tell whether the peer sent changes under a name, and these are not here yet."""
        return name in self._unnamed

    def renamed(self, by: Renaming, *, apart: bool) -> None:
        """Note that changes were renamed; see :func:`renamed_held`."""
        self.held = renamed_held(self.held, by, apart=apart)

    def ended(self, ends: Iterable[Dot]) -> None:
        """Note where names end from now on; see :func:`ended_held`."""
        self.held = ended_held(self.held, ends)


def is_kept(actor: bytes, claims: Sized, ours: Frontier) -> bool:
    """Tell whether a claim about an actor is kept: for known actors always, for others up to a limit."""
    return actor in ours or len(claims) < len(ours) + limits.CLAIMS_MAX


def renamed_held(held: Frontier, by: Renaming, *, apart: bool) -> Frontier:
    """
    Return what a peer holds, after a chain was proved to fork.

    Args:
        held: What it holds, by the old names.
        by: The renaming.
        apart: Whether the peer holds, or may hold, other changes there than we do. Then its claim counts up to the fork.
    """
    return ended_held(held, [(by.old, by.above)]) if apart else by.frontier(held)


def ended_held(held: Frontier, ends: Iterable[Dot]) -> Frontier:
    """
    Return what a peer holds, after a chain was proved to fork, where it is unknown which branch the peer means.

    Args:
        held: What it holds, by the old names; also half received changes, and those passed over while a segment was
            believed.
        ends: The last seq under each old name. For what follows, the peer will say the new names.
    """
    ended = dict(held)
    for name, last in ends:
        ended[name] = min(last, ended.get(name, 0))
    return {name: seq for name, seq in ended.items() if seq}
