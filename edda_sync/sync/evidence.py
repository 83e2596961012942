"""Evidence in one session: what both sides tell and ask, how fast, and pieces of chains that differ between them."""

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
    What is said about evidence to one peer and by it.

    Args:
        exchange: The store, as sessions see it.
        sending: What the peer is sent.
        rates: How much the peer brought lately.
        timers: The session's; ``pieces``, ``answer`` and ``evidence`` say when :meth:`tell_pieces`, :meth:`answer` and
            another hello are due.

    Attributes:
        unlooked: Whether evidence came that cannot be checked until the log behind a segment is here.
    """

    def __init__(self, exchange: Exchange, sending: Sending, rates: Rates, timers: Timers) -> None:
        self._exchange, self._sending, self._rates, self._timers = exchange, sending, rates, timers
        self.unlooked = False
        self._strangers: set[bytes] = set()  # keys of which the peer has fork proofs, and that are no members here
        self._differed: tuple[bytes, bytes] | None = None  # the hashes of both sets, when it was asked last
        self._later: dict[bytes, Wanted] = {}  # pieces of chains, by name, that wait until more may be told

    def take(self, message: Evidence | Branch, now: float) -> News:
        """Take evidence or a piece of a chain, and return what came of it. A hello asks later for what was too much."""
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
        """Tell the peer pieces of chains, so many per window: the messages that cause them are short. The others wait."""
        self._later.update((each.name, each) for each in pieces)
        while self._later and self._rates.pieces.allows(b"", now):
            self._sending.tell_pieces([self._later.pop(next(iter(self._later)))])
        if self._later:
            self._timers.at("pieces", self._rates.pieces.ends(b"", now))

    def asked(self, message: Known, now: float) -> None:
        """Note what evidence the peer holds, and that it asks for the rest."""
        if self._sending.telling.said(message.evidence, more=message.more):
            if self._rates.answers.allows(b"", now):
                self.answer()
            else:
                self._timers.at("answer", now + limits.SCANS_WINDOW_S)

    def answer(self) -> None:
        """Tell the peer the evidence that it asked for."""
        self._sending.telling.asked()

    def questions(self, ours: bytes, theirs: bytes, now: float) -> list[Known]:
        """Return questions for evidence that is missing here, once for each pair of sets, given the hashes of both."""
        if (ours, theirs) == self._differed or self._sending.telling.is_asking:
            return []
        if not self._rates.asks.allows(b"", now):
            self._timers.at("evidence", now + limits.SCANS_WINDOW_S)
            return []
        self._differed = ours, theirs
        return self._sending.telling.ask()

    def agrees(self) -> bool:
        """Note that both hold the same evidence; tell whether they did not before, when content could not be compared."""
        did_differ, self._differed = self._differed is not None, None
        return did_differ

    def has_new_members(self) -> bool:
        """Tell, once, whether there is a new member for whom the peer has proofs that were not kept here."""
        found = bool(self._strangers) and self._exchange.forks.are_members(self._strangers)
        if found:
            self._strangers.clear()
        return found

    def is_to_look(self) -> bool:
        """Tell whether evidence was left that can be checked now. It says so once."""
        unlooked, self.unlooked = self.unlooked, False
        return unlooked
