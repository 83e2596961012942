"""
Acking: what one peer was told about what is durable here. Each acknowledgement says only what is new since the last.

Changes that were sent to a peer count as told, because their sender must hold them. This ends with the peer's next hello: it
may have dropped those changes, if it held other ones of the same chain.
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
        dealt: How many data frames of this session were processed.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.dealt = 0
        self._told: Frontier = {}
        self._told_waiting = 0  # how many of the told changes are not applied here
        self._only_sent: set[bytes] = set()  # names that were advanced by sending alone, and not by an acknowledgement
        self._shown: Frontier = {}  # up to where the peer has seen a signed head, by name

    def introduced(self, told: Frontier, waiting: int) -> None:
        """Note that the peer was told everything that is held here."""
        self._told, self._told_waiting = told, waiting
        self._only_sent.clear()

    def greeted(self) -> None:
        """Note the peer's hello: it holds what it says, so what it was only sent no longer counts as told."""
        self._told = {name: seq for name, seq in self._told.items() if name not in self._only_sent}

    def sent(self, brought: Mapping[bytes, int]) -> None:
        """Note that the peer was sent changes."""
        self._told = frontier.join(self._told, brought)
        self._only_sent.update(brought)

    def asked_again(self, held: tuple[tuple[bytes, int], ...]) -> None:
        """Note that the peer sent changes that are already here: it does not know that they are, and is told again."""
        again = {actor for actor, seq in held if seq <= self._told.get(actor, 0)}
        if again:
            self._told = {actor: seq for actor, seq in self._told.items() if actor not in again}

    @property
    def is_told(self) -> bool:
        """Whether the peer was told how the store stands."""
        return self._exchange.standing()[:2] == (self._told, self._told_waiting)

    def acks(self, *, again: bool = False, seal: Proof | None = None, proof: Proof | None = None) -> list[Ack]:
        """
        Return the acknowledgements to send now: several, if more actors have moved than one message has room for.

        Args:
            again: Whether the peer is to start over from our frontier.
            seal: The proof whose seal is sent.
            proof: The proof that is sent in full.
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
        Return signed heads of chains of which the peer may lack changes, and whether more heads are left for the next call.

        Args:
            held: What the peer holds, as far as we know.
            apart: Actors whose changes are not exchanged.
        """
        ours = self._exchange.frontier()
        lacked = [name for name, seq in ours.items() if seq > max(held.get(name, 0), self._shown.get(name, 0))]
        lacked = [name for name in sorted(lacked) if self._exchange.actor(name) not in apart]
        chosen = lacked[: limits.SHOWN_HEADS_MAX]
        self._shown.update((name, ours[name]) for name in chosen)
        heads = tuple(self._exchange.giving.shown(chosen)) if chosen else ()
        return Announce(heads) if heads else None, len(lacked) > len(chosen)
