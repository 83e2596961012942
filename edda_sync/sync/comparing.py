"""Comparing: how one session handles seals, proofs, cells and pages, and how often it may scan the whole store."""

from __future__ import annotations

from collections.abc import Callable

from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.pages import BEFORE_ALL
from edda_sync.sync.effects import Differs, Effect, Proved
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Ack, Cells, Listed, Message
from edda_sync.sync.progress import Progress
from edda_sync.sync.proving import SEAL_BYTES, Outcome, Proving
from edda_sync.sync.timers import Timers
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Comparing:
    """
    The comparison in one session. What its methods return is to be said and carried out in order.

    Args:
        exchange: The store, as sessions see it.
        nonce: Our nonce, from our hello.
        peer: The device at the other end.
        progress: Where the results are noted.
        timers: The session's; the timer ``compare`` says when messages that had to wait can be taken again.
        allows: Tells whether the whole store may be scanned once more now.

    Attributes:
        proving: The proofs of this session.
        apart: The actors whose changes were found to differ on the two devices.
    """

    def __init__(
        self,
        exchange: Exchange,
        nonce: bytes,
        peer: str,
        progress: Progress,
        timers: Timers,
        allows: Callable[[], bool],
    ) -> None:
        self.proving = Proving(exchange, nonce, allows)
        self.apart: frozenset[bytes] = frozenset()
        self._exchange, self._peer, self._progress, self._timers, self._allows = (
            exchange,
            peer,
            progress,
            timers,
            allows,
        )
        self._deferred: list[Cells | Listed] = []  # cells and pages that wait until the store may be scanned again

    def introduced(self, nonce: bytes) -> None:
        """Note the peer's nonce. The peer will say again in what the two differ."""
        self.proving.introduced(nonce)
        self.apart = frozenset()

    def heard(self, ack: Ack, held: Frontier) -> bool:
        """Note the seal or proof of an acknowledgement; tell whether it was a proof."""
        if len(ack.proof) == SEAL_BYTES:
            self.proving.heard_seal(held, ack.proof)
            return False
        self.proving.heard(held, ack.proof, ack.unread, ack.evidence)
        return True

    def compare(self, now: float) -> list[Message | Effect]:
        """Compare what is known of both sides."""
        return self._outcome(self.proving.compare(), now)

    def take(self, message: Cells | Listed, now: float) -> list[Message | Effect] | None:
        """
        Take cells or a page. Return None if the store may not be scanned now; the message then waits.

        Raises:
            RemoteProtocolError: More messages wait than a peer may send before it gets an answer.
        """
        goes_on = isinstance(message, Listed) and message.after != BEFORE_ALL  # a later page scans only its own range
        if self._deferred or not (goes_on or self._allows()):
            if len(self._deferred) >= limits.DEFERRED_MAX:
                raise RemoteProtocolError("more cells or pages than may wait for an answer", self._peer)
            self._deferred.append(message)
            self._timers.at("compare", now + limits.SCANS_WINDOW_S)
            return None
        if isinstance(message, Cells):
            return self._outcome(self.proving.take_cells(message), now)
        return self._outcome(self.proving.take_page(message), now)

    def left(self) -> list[Cells | Listed]:
        """Return the messages that waited, to be taken again."""
        deferred, self._deferred = self._deferred, []
        return deferred

    def _outcome(self, outcome: Outcome, now: float) -> list[Message | Effect]:
        found: list[Message | Effect] = list(outcome.say)
        if outcome.apart:
            self.apart |= outcome.apart & self._exchange.frontier().keys()
        if outcome.late:
            self._timers.at("compare", now + limits.SCANS_WINDOW_S)
        if outcome.proved:
            self._progress.proved, self._progress.proved_at = True, self._exchange.frontier()
            self._progress.differing = ()
            found.append(Proved(self._peer))
        elif outcome.say or outcome.differing:
            self._progress.unproved()
        if outcome.differing:
            self._progress.differing = outcome.differing
            found.append(Differs(self._peer, tuple(each.key for each in outcome.differing)))
        return found
