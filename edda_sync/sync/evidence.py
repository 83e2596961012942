"""Evidence in one talk: what a peer tells and asks of it, how fast, and pieces of chains of which it holds other ones."""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.sync.exchange import Exchange
from edda_sync.sync.learning import News, Wanted
from edda_sync.sync.messages import Branch, Evidence, Known
from edda_sync.sync.rates import Rates
from edda_sync.sync.sending import Sending
from edda_sync.sync.timers import Timers
from edda_sync.words import limits


class EvidenceTalk:
    """
    What is said of evidence to one peer and by it.

    Args:
        exchange: What the store holds of it.
        sending: What the peer is sent.
        rates: How much it brought lately.
        timers: Of the talk: ``pieces``, ``answer`` and ``evidence`` say when :meth:`tell_pieces`, :meth:`answer` and another
            hello are due.

    Attributes:
        unlooked: Whether some came that cannot be looked at before the log behind a segment is here.
    """

    def __init__(self, exchange: Exchange, sending: Sending, rates: Rates, timers: Timers) -> None:
        self._exchange, self._sending, self._rates, self._timers = exchange, sending, rates, timers
        self.unlooked = False
        self._strangers: set[bytes] = set()  # keys that are no members here, of whose forks the peer has proofs
        self._differed: tuple[bytes, bytes] | None = None  # hashes of the two sets, as it was asked last
        self._later: dict[bytes, Wanted] = {}  # pieces of chains, by name, for when more of them may be told

    def take(self, message: Evidence | Branch, now: float) -> News:
        """Take evidence, or a piece of a chain, and tell what is to be told of it; what is left is asked for by a hello."""
        proofs = self._rates.proofs.trial(now)
        if isinstance(message, Evidence):
            news = self._exchange.forks.take_evidence(message.items, proofs)
            self._sending.telling.brought(news.brought, more=message.more)
        else:
            news = self._exchange.forks.take_piece(message, proofs)
        proofs.done()
        self.tell_pieces(news.say, now)
        self.unlooked = self.unlooked or news.unchecked
        if len(self._strangers) < limits.STRANGERS_MAX:
            self._strangers |= news.strangers
        if news.late:
            self._timers.at("evidence", now + limits.PROOFS_WINDOW_S)
        return news

    def tell_pieces(self, pieces: Iterable[Wanted], now: float) -> None:
        """Tell the peer pieces of chains, so many within a window: what it says itself is much shorter. The others wait."""
        self._later.update((each.name, each) for each in pieces)
        while self._later and self._rates.pieces.allows(b"", now):
            self._sending.tell_pieces([self._later.pop(next(iter(self._later)))])
        if self._later:
            self._timers.at("pieces", self._rates.pieces.ends(b"", now))

    def asked(self, message: Known, now: float) -> None:
        """Learn what the peer holds, and that it asks for the rest."""
        if self._sending.telling.said(message.evidence, more=message.more):
            if self._rates.answers.allows(b"", now):
                self.answer()
            else:
                self._timers.at("answer", now + limits.SCANS_WINDOW_S)

    def answer(self) -> None:
        """Tell it that."""
        self._sending.telling.asked()

    def questions(self, ours: bytes, theirs: bytes, now: float) -> list[Known]:
        """Return what asks for what is lacking here, once for each pair of sets that differ: of both, the hashes."""
        if (ours, theirs) == self._differed or self._sending.telling.is_asking:
            return []
        if not self._rates.asks.allows(b"", now):
            self._timers.at("evidence", now + limits.SCANS_WINDOW_S)
            return []
        self._differed = ours, theirs
        return self._sending.telling.ask()

    def agrees(self) -> bool:
        """Learn that both hold the same; tell whether they did not before: content said then could not be looked at."""
        did_differ, self._differed = self._differed is not None, None
        return did_differ

    def has_new_members(self) -> bool:
        """Tell, once, whether one has become a member of whom the peer has proofs that nobody kept here."""
        found = bool(self._strangers) and self._exchange.forks.are_members(self._strangers)
        if found:
            self._strangers.clear()
        return found

    def is_to_look(self) -> bool:
        """Tell, once, whether some was left that can be looked at by now."""
        unlooked, self.unlooked = self.unlooked, False
        return unlooked
