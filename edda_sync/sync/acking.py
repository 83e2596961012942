"""
Acking: what one peer was told that is durable here, and what is to be said next: the difference.

What was sent to a peer counts as told: whoever sends a change has it. Until it says hello again: it may have heard that in a
chain of which it held other changes for all that it knew, and so passed it over.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.sync.exchange import Exchange, Proof
from edda_sync.sync.messages import Ack, Announce
from edda_sync.words import limits


class Acking:
    """
    What one peer was told.

    Args:
        exchange: What the store holds.

    Attributes:
        dealt: How many frames of data were dealt with in this talk.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.dealt = 0
        self._told: Frontier = {}
        self._told_waiting = 0  # how much of that is not applied
        self._only_sent: set[bytes] = set()  # names of which it was not told in words how far they go here
        self._shown: Frontier = {}  # of which heads the peer has seen a signature

    def introduced(self, told: Frontier, waiting: int) -> None:
        """Learn that the peer was told all that is here."""
        self._told, self._told_waiting = told, waiting
        self._only_sent.clear()

    def greeted(self) -> None:
        """Learn that the peer said hello, and holds what it says: what it was sent before, and not told, it is told."""
        self._told = {name: seq for name, seq in self._told.items() if name not in self._only_sent}

    def sent(self, brought: Mapping[bytes, int]) -> None:
        """Learn that the peer was sent changes."""
        self._told = frontier.join(self._told, brought)
        self._only_sent.update(brought)

    def asked_again(self, held: tuple[tuple[bytes, int], ...]) -> None:
        """Learn that the peer sent what it was told is here: it does not know that (any more), and is told again."""
        again = {actor for actor, seq in held if seq <= self._told.get(actor, 0)}
        if again:
            self._told = {actor: seq for actor, seq in self._told.items() if actor not in again}

    @property
    def is_told(self) -> bool:
        """Whether the peer was told how the store stands."""
        return self._exchange.standing()[:2] == (self._told, self._told_waiting)

    def acks(self, *, again: bool = False, seal: Proof | None = None, proof: Proof | None = None) -> list[Ack]:
        """
        Return what says what is durable here; several messages where more actors have moved than one has room for.

        Args:
            again: Whether the peer is to start over from there.
            seal: Of which the seal is said.
            proof: What is said as it is.
        """
        at = seal or proof
        ours, waiting = self._exchange.standing()[:2] if at is None else (at.frontier, at.waiting)
        moved = tuple(frontier.to_pairs(frontier.difference(ours, self._told)))
        self._told, self._told_waiting = ours, waiting
        self._only_sent.difference_update(name for name, _ in moved)
        found: list[Ack] = []
        size = limits.HEADS_MAX
        while len(moved) > size:
            first, moved = moved[:size], moved[size:]
            found.append(Ack(first, self.dealt, False, b"", waiting))
        if proof is not None:
            found.append(Ack(moved, self.dealt, again, proof.encoded, waiting, proof.evidence, proof.unread))
        else:
            found.append(Ack(moved, self.dealt, again, b"" if seal is None else seal.seal, waiting))
        return found

    def announce(self, held: Frontier, apart: Container[bytes]) -> tuple[Announce | None, bool]:
        """
        Return signed heads of what a peer may lack, and whether there are more of them for another time.

        Args:
            held: What it holds, for all that is known.
            apart: Actors of which nothing is exchanged.
        """
        ours = self._exchange.frontier()
        lacked = [name for name, seq in ours.items() if seq > max(held.get(name, 0), self._shown.get(name, 0))]
        lacked = [name for name in sorted(lacked) if self._exchange.actor(name) not in apart]
        chosen = lacked[: limits.SHOWN_HEADS_MAX]
        self._shown.update((name, ours[name]) for name in chosen)
        heads = tuple(self._exchange.giving.shown(chosen)) if chosen else ()
        return Announce(heads) if heads else None, len(lacked) > len(chosen)
