"""Offering: the segment that one peer is offered, and is sent in parts if it wants it."""

from __future__ import annotations

from edda_sync.crdt.frontier import Frontier
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.making import MadeSegment
from edda_sync.sync.messages import Offer, Snapshot, Want
from edda_sync.words.errors import RemoteProtocolError


class Offering:
    """
    What one peer is offered. Set :attr:`lacks`, have a segment made, and call :meth:`made` with it.

    Args:
        exchange: The store, as sessions see it.

    Attributes:
        lacks: Whether a segment is to be made for the peer.
        is_declined: Whether the peer did not want one.
        brought: What the peer holds since :meth:`next_part` last returned; empty if that was not the last part.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.lacks = self.is_declined = False
        self.brought: Frontier = {}
        self._made: MadeSegment | None = None  # it is to be offered
        self._offered: MadeSegment | None = None
        self._sent: tuple[MadeSegment, int] | None = None  # the segment, and the number of its next part

    @property
    def holds_up(self) -> bool:
        """Whether nothing else may be sent now, because the peer's answer decides what follows."""
        return self.lacks or self._offered is not None

    @property
    def is_sent(self) -> bool:
        """Whether parts of it are still to be sent."""
        return self._sent is not None

    def stop(self) -> None:
        """Send no more parts. The answer to an offer may still come."""
        self._sent = None

    def made(self, segment: MadeSegment | None) -> bool:
        """Take the segment that was made, or that none could be made; tell whether it need not be made again."""
        if segment is not None and self._exchange.making.part(segment.hash, segment.parts - 1) is None:
            return False  # the view was folded again meanwhile
        self.lacks, self._made = False, segment
        return True

    def next(self) -> Offer | None:
        """Return the offer that is to be made now; None if there is none."""
        if self._made is None:
            return None
        self._offered, self._made = self._made, None
        return Offer(self._offered.hash, self._offered.parts)

    def wanted(self, want: Want) -> None:
        """
        Note the peer's answer to an offer.

        Raises:
            RemoteProtocolError: It answers what it was not offered.
        """
        offered, self._offered = self._offered, None
        if offered is None or want.segment != offered.hash:
            raise RemoteProtocolError("a wish for a segment that was not offered")
        if want.first < offered.parts:
            self._sent = offered, want.first
        else:
            self.is_declined = True

    def next_part(self) -> Snapshot | None:
        """Return the next part; None if the segment was replaced meanwhile, for another peer. No more is sent then."""
        assert self._sent is not None, "asked for only while a segment is being sent"
        (made, number), self._sent, self.brought = self._sent, None, {}
        data = self._exchange.making.part(made.hash, number)
        if data is None:
            return None
        if number + 1 < made.parts:
            self._sent = made, number + 1
        else:
            self.brought = dict(made.frontier)
        return Snapshot(made.hash, made.parts, number, data)
