"""Backfill: what one peer is asked for while this store is provisional: the segment, and then the log behind it."""

from __future__ import annotations

from edda_sync.changes.change import decode_header
from edda_sync.crdt.frontier import Dot
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Behind, Earlier, Offer, Snapshot, Want
from edda_sync.words.errors import RemoteProtocolError


class Backfill:
    """
    What one peer was asked for, of a segment and of the log behind it.

    Args:
        exchange: The store, as sessions see it.

    Attributes:
        in_vain: Whether the peer was asked for the log behind our segment, and does not have it.
        passed_over: Whether the peer sent changes that cannot be checked until that log is here.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.in_vain = self.passed_over = False
        self._wants: bytes | None = None  # the segment that was asked for
        self._asked = False  # whether the log behind our segment was asked for
        self._question: Behind | None = None  # the last question about that log
        self._awaited: Dot | None = None  # a large change of that log whose parts must arrive next

    def offered(self, offer: Offer) -> Want:
        """Return the answer to an offer: the first part that is wanted; past its last part to ask for the log instead."""
        first = self._exchange.merging.first_wanted(offer)
        self._wants = None if first is None else offer.segment
        return Want(offer.segment, offer.parts if first is None else first)

    def check(self, message: Snapshot, peer: str) -> None:
        """
        Check that this segment was asked for.

        Raises:
            RemoteProtocolError: It was not.
        """
        if message.segment != self._wants:
            raise RemoteProtocolError("a segment that nobody asked for", peer)

    def answered(self, message: Earlier) -> None:
        """Note a batch of the log behind: an empty one means that the peer has no more; a large change's parts follow."""
        self.in_vain = not message.changes
        last = decode_header(message.changes[-1][0]) if message.changes else None
        self._awaited = last.dot if last is not None and last.parts else None
        self._asked = self.in_vain or self._awaited is not None

    def part_came(self, *, is_over: bool) -> None:
        """Note that a part of the log behind came, and whether no more parts of its change will come."""
        if is_over:
            self._awaited, self._asked = None, False

    def questions(self) -> list[Behind]:
        """Return what to ask the peer for now, in pages."""
        if self._awaited is not None and not self._exchange.behind.lacks(self._awaited):
            self._awaited, self._asked = None, False  # another peer sent it first
        if self._asked or not self._exchange.standing().is_provisional:
            return []
        wanted = self._exchange.behind.wanted()
        if wanted is None:
            return []
        self._asked = True
        pages = wanted.since(self._question).pages()
        self._question = wanted
        return pages

    def can_take_again(self) -> bool:
        """Tell whether what was passed over can be checked now, so that it is asked for. It says so once."""
        is_ready = self.passed_over and not self._exchange.standing().is_provisional
        self.passed_over = self.passed_over and not is_ready
        return is_ready

    def ask_again(self) -> None:
        """Ask for the log behind again."""
        self._asked = self.in_vain = False
