"""Backfill: what one peer is asked for where a segment is believed: the segment, and then the log behind it."""

from __future__ import annotations

from edda_sync.changes.change import decode_header
from edda_sync.crdt.frontier import Dot
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Behind, Earlier, Offer, Snapshot, Want
from edda_sync.words.errors import RemoteProtocolError


class Backfill:
    """
    What one peer was asked for of a segment.

    Args:
        exchange: What the store takes.

    Attributes:
        in_vain: Whether the peer was asked for the log behind our segment, and does not have it.
        passed_over: Whether it sent changes that cannot be checked before that log is here.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.in_vain = self.passed_over = False
        self._wants: bytes | None = None  # the segment that was asked for
        self._asked = False  # for the log behind our segment
        self._question: Behind | None = None  # what was asked of it last
        self._awaited: Dot | None = None  # a large change of it, whose parts are to come first

    def offered(self, offer: Offer) -> Want:
        """Return the answer to an offer: from which part on the segment is wanted, or past its end, the log instead."""
        first = self._exchange.merging.first_wanted(offer)
        self._wants = None if first is None else offer.segment
        return Want(offer.segment, offer.parts if first is None else first)

    def check(self, message: Snapshot, peer: str) -> None:
        """
        Check that a part of a segment was asked for.

        Raises:
            RemoteProtocolError: Nobody did.
        """
        if message.segment != self._wants:
            raise RemoteProtocolError("a segment that nobody asked for", peer)

    def answered(self, message: Earlier) -> None:
        """Take in that a batch of the log behind came: none helps no more; with a large change, its parts come first."""
        self.in_vain = not message.changes
        last = decode_header(message.changes[-1][0]) if message.changes else None
        self._awaited = last.dot if last is not None and last.parts else None
        self._asked = self.in_vain or self._awaited is not None

    def part_came(self, *, is_over: bool) -> None:
        """Take in that a part of the log behind came, and whether no more of its change is under way."""
        if is_over:
            self._awaited, self._asked = None, False

    def questions(self) -> list[Behind]:
        """Return what to ask the peer for now, in pages."""
        if self._awaited is not None and not self._exchange.behind.lacks(self._awaited):
            self._awaited, self._asked = None, False  # somebody else was faster
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
        """Tell, once, whether what was passed over can be checked by now: it is to be asked for."""
        is_ready = self.passed_over and not self._exchange.standing().is_provisional
        self.passed_over = self.passed_over and not is_ready
        return is_ready

    def anew(self) -> None:
        """Ask for it anew."""
        self._asked = self.in_vain = False
