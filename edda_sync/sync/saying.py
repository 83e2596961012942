"""
Saying: what one peer is told about this store, and when: at once if something was sent either way, otherwise after a delay.

1. Each answer to data says what is durable. A peer that may lack something is told at most every ``ANNOUNCE_DELAY_S``, with
   signed heads. A peer to which the author pushed it is told within ``ANNOUNCE_LATER_S``.
2. Our seal is sent along once, whenever the peer holds the same as far as we know.
"""

from __future__ import annotations

import msgspec

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.sync.acking import Acking
from edda_sync.sync.comparing import Comparing
from edda_sync.sync.effects import Proved, Said
from edda_sync.sync.exchange import Exchange, Proof
from edda_sync.sync.messages import Changes
from edda_sync.sync.progress import Progress
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.sending import Sending
from edda_sync.sync.theirs import Theirs
from edda_sync.sync.timers import Timers
from edda_sync.words import limits


class Saying:
    """
    What one peer is told.

    Args:
        exchange: The store, as sessions see it.
        peer: The device at the other end.
        theirs, sending, progress, timers: The session's. The timers ``announce``, ``later`` and ``prove`` are set here.
        comparing: The comparison of both stores.
        relaying: What all sessions of this device share.

    Attributes:
        acking: What the peer was told is durable.
        has_flowed: Whether data or a hello was sent either way since our seal was sent.
    """

    def __init__(
        self,
        exchange: Exchange,
        peer: str,
        theirs: Theirs,
        sending: Sending,
        progress: Progress,
        timers: Timers,
        comparing: Comparing,
        relaying: Relaying,
    ) -> None:
        self._exchange, self._peer, self._theirs, self._sending, self._progress = (
            exchange,
            peer,
            theirs,
            sending,
            progress,
        )
        self._timers, self._comparing, self._relaying = timers, comparing, relaying
        self.acking = Acking(exchange)
        self.has_flowed = True
        self._pushed = b""  # the devices to which own changes are pushed, as last said
        self._announced = -limits.ANNOUNCE_DELAY_S  # when signed heads were last announced
        self._asked_until = 0.0  # until when somebody waits for a proof that both are equal

    def expected(self) -> Frontier:
        """Return what the peer holds, as far as we know."""
        return frontier.join(self._theirs.held, self._relaying.assumed(self._peer))

    def reached(self) -> Frontier:
        """Return what the peer holds once it has taken everything that was sent to it."""
        return frontier.join(self.expected(), self._sending.sent_all)

    # --- what is durable here -----------------------------------------------------------------------------------------

    def ack(self, *, again: bool = False) -> Said:
        """Return acknowledgements of what is durable here, with our seal if the peer will then hold the same."""
        return self._acks(None if again else self._comparing.proving.seal(self.reached()), again=again)

    def ack_if_untold(self) -> Said:
        """Return acknowledgements, if the peer does not know what is durable here."""
        return [] if self.acking.is_told else self.ack()

    def _acks(self, seal: Proof | None, *, again: bool = False) -> Said:
        self.has_flowed = self.has_flowed and seal is None
        return self.acking.acks(again=again, seal=seal)

    def addressed(self, batch: Changes) -> Changes:
        """Return a batch with the devices that own changes are pushed to, and with our seal if nothing is left to send."""
        self.acking.sent(self._sending.brought)
        self._progress.sent_changes += len(batch.changes)
        names = self._relaying.linked(self._peer)
        pushed, self._pushed = None if names == self._pushed else names, names
        proof = self._comparing.proving.seal(self.reached())
        self.has_flowed = proof is None
        return msgspec.structs.replace(batch, pushed=pushed, seal=b"" if proof is None else proof.seal)

    # --- whether both are equal ---------------------------------------------------------------------------------------

    def compare(self, now: float) -> Said:
        """Compare both stores; return the result, with what the peer needs to come to the same result."""
        found = self._comparing.compare(now)
        if not found:
            return []
        if any(isinstance(each, Proved) for each in found):  # a peer that is proved equal may leave at once
            self._theirs.held = dict(self._exchange.frontier())
            self._relaying.holds(self._peer, self._theirs.held)
            return [*self._seal(), *found]
        return [*self.proof(), *found]  # cells mean nothing before the proof

    def answer(self) -> Said:
        """Return our seal, for a peer that sent its own; or our proof, if the two seals differ."""
        return self.proof() if self._comparing.proving.doubts else self._seal()

    def _seal(self) -> Said:
        seal = self._comparing.proving.seal(self._theirs.held)
        return [] if seal is None else self._acks(seal)

    def proof(self) -> Said:
        """Return our proof, if it was not sent at this frontier."""
        proof = self._comparing.proving.say(self._theirs.held)
        if proof is None:
            return []
        self.has_flowed = False
        return self.acking.acks(proof=proof)

    # --- what is due --------------------------------------------------------------------------------------------------

    def grown(self, now: float) -> None:
        """Note that changes of others came, so that peers that may lack them are told soon."""
        if not frontier.covers(self.expected(), self._exchange.frontier()):
            self._timers.at("announce", max(now, self._announced + limits.ANNOUNCE_DELAY_S))

    def asked(self, now: float) -> None:
        """Note that somebody wants to know soon whether both are equal."""
        self._asked_until = now + limits.ASKED_S
        self._timers.stop("later")

    def settle(self, now: float) -> None:
        """Note how far apart both are, and set timers for what is left to say."""
        (ours, unread), expected = self._exchange.standing()[:2], self.expected()
        self._progress.measure(ours, self._theirs.held, expected, unread)
        if self._progress.proved:
            self._asked_until = now  # this answers the question
        may_say = not (self._exchange.is_damaged or self._comparing.proving.has_said(ours))
        if may_say and frontier.join(expected, self._sending.sent_all) == ours:
            if self.has_flowed or now < self._asked_until:
                self._timers.at("prove", now + limits.PROVE_DELAY_S)
            else:
                self._timers.at("later", now + limits.ANNOUNCE_LATER_S)
        elif not self.acking.is_told and frontier.covers(expected, ours):
            self._timers.at("later", now + limits.ANNOUNCE_LATER_S)

    def prove(self, now: float) -> Said:
        """Return our seal, after bringing texts up to date."""
        seal = self._comparing.proving.seal(self.reached(), refresh=True)
        return [] if seal is None else [*self._acks(seal), *(self.compare(now) or self.answer())]

    def announce_later(self, now: float) -> Said:
        """Return what to tell a peer that got everything from others."""
        return self.prove(now) or self.ack_if_untold()

    def announce(self, now: float) -> Said:
        """Return what to tell a peer that may lack something."""
        expected = self.expected()
        if frontier.covers(expected, self._exchange.frontier()):
            return []
        self._announced = now
        said = self.ack_if_untold()
        message, has_more = self.acking.announce(expected, self._progress.apart)
        if has_more:
            self._timers.at("announce", now + limits.ANNOUNCE_DELAY_S)
        return said if message is None else [*said, message]
