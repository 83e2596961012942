"""
Apart: which actors two devices do not exchange, because they hold different changes of them, and when that ends.

It is a function of what both hold, in whatever order it came. An actor is held apart because of a change of the peer that is
not here, while another change is in its place, or may be. That ends

- when the peer says hello: then what it holds is compared with what is here again;
- when the fork is proved, by whomever: then each of the two changes has a name of its own;
- when the segment that is here is confirmed by its log, or dropped;
- when that change has come after all: the fork was known, and only the beginning of the branch was missing.

Ending it too soon loses nothing. What still differs is found again as it was found before: by what either side sends, and by
what the peer finds in our hello.
"""

from __future__ import annotations

from collections.abc import Mapping

from edda_sync.sync.comparing import Comparing
from edda_sync.sync.evidence import EvidenceTalk
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Summary
from edda_sync.sync.progress import Progress
from edda_sync.sync.sending import Sending
from edda_sync.sync.theirs import Theirs


class Apart:
    """
    The actors that one session holds apart. ``progress.apart`` names them.

    Args:
        exchange: The store, as sessions see it.
        progress, comparing, theirs, sending, evidence: The session's.
    """

    def __init__(
        self,
        exchange: Exchange,
        progress: Progress,
        comparing: Comparing,
        theirs: Theirs,
        sending: Sending,
        evidence: EvidenceTalk,
    ) -> None:
        self._exchange, self._progress, self._comparing = exchange, progress, comparing
        self._theirs, self._sending, self._evidence = theirs, sending, evidence
        self._strange: dict[bytes, Summary] = {}  # changes of the peer that are not here, and may come, by actor
        self._looked_at = -1  # the version of the store in which they were last looked for

    def hold(self, actors: frozenset[bytes], now: float) -> None:
        """
        Stop exchanging the changes of actors whose changes differ on the two devices. Everything else goes on.

        Also tell the peer our pieces of these chains: with both pieces, either side can prove the fork.
        """
        fresh = frozenset(map(self._exchange.actor, actors)) - self._progress.apart
        if fresh:
            self._sending.part(self._exchange.names(fresh))
            self._evidence.tell_pieces(self._exchange.forks.pieces(fresh), now)
            self._progress.apart |= fresh

    def hold_for(self, strange: Mapping[bytes, Summary], now: float) -> None:
        """Do the same because of some changes of the peer, by actor, until one of them is here."""
        self.hold(frozenset(strange), now)
        self._strange |= strange

    def judge(self, now: float) -> bool:
        """
        Hold apart what comparing both stores has shown to differ, and nothing because of a change that has come since.

        Returns:
            Whether such a change has come. Then the peer needs another hello: what it sent meanwhile was passed over.
        """
        self.hold(self._comparing.apart, now)
        version = self._exchange.store.version()
        if not self._strange or version == self._looked_at:
            return False
        self._looked_at = version
        if not self._exchange.are_held(self._strange.values()):
            return False
        self._rejoin()
        return True

    def forked(self, actors: frozenset[bytes]) -> None:
        """Learn that the chains of some actors are proved to fork."""
        if actors & self._progress.apart:
            self._rejoin()

    def start_over(self) -> bool:
        """
        Learn that what is held here has changed in another way than by growing, or is confirmed only now.

        Returns:
            Whether the peer has to say something again. Another hello makes it do so.
        """
        was_apart, is_to_look = bool(self._progress.apart), self._evidence.is_to_look()
        self._rejoin()
        return was_apart or is_to_look

    def end(self) -> None:
        """Hold nothing apart, because the peer says what it holds now."""
        self._progress.apart = self._comparing.apart = frozenset()
        self._strange.clear()

    def _rejoin(self) -> None:
        self.end()
        self._sending.rejoin(self._theirs.held)
