"""
Owed: the log behind its segment that one peer asked for.

It says once, in pages, up to which heads and what it holds of that; with each later question only what has come since, so
that a question costs what its answer brought, however many lives there are.
"""

from __future__ import annotations

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.store.seams import Logged
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Behind, Earlier, Summary
from edda_sync.sync.theirs import is_kept
from edda_sync.words.errors import RemoteProtocolError


class Owed:
    """
    What one peer is owed of the log behind its segment.

    Args:
        exchange: What the store gives.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._held: Frontier = {}
        self._upto: list[Summary] = []
        self._is_read = True  # the whole question: no more pages of it are to come
        self._last = b""  # the actor of the last head
        self._asks = False
        self._in_vain = False  # whether what was asked for last was not here

    def asked(self, behind: Behind) -> None:
        """
        Learn that the peer wants the log behind its segment, or a page of that.

        Raises:
            RemoteProtocolError: The pages are not in order.
        """
        actors = [self._last, *(each.actor for each in behind.upto)]
        if actors != sorted(set(actors)) or (behind.more and not behind.upto and not behind.held):
            raise RemoteProtocolError("heads behind a segment that are not in order")
        if self._is_read and behind.upto:  # another segment, or one that starts over
            self._held, self._upto = {}, []
        ours = self._exchange.frontier()
        for actor, seq in behind.held:
            if actor in self._held or is_kept(actor, self._held, ours):
                self._held[actor] = max(seq, self._held.get(actor, 0))
        for each in behind.upto:
            if is_kept(each.actor, self._upto, ours):
                self._upto.append(each)
        self._is_read, self._last = not behind.more, actors[-1] if behind.more else b""
        self._asks = self._asks or not behind.more

    def introduced(self) -> None:
        """Learn that the peer said anew what it holds: what it asked for in vain is not owed it any more."""
        self._in_vain = False

    @property
    def in_vain(self) -> bool:
        """Whether the peer asked for what was not here, and is told when it is."""
        return self._in_vain

    def next(self, *, news: bool) -> tuple[Earlier, Logged | None] | None:
        """
        Return an answer, and a large change whose parts must follow: in vain once, and later what has come since.

        Args:
            news: Whether the log has grown.
        """
        if not self._asks and not (self._in_vain and news):
            return None
        is_answer, self._asks = self._asks, False
        earlier, large = self._exchange.giving.earlier(Behind(tuple(frontier.to_pairs(self._held)), tuple(self._upto)))
        self._in_vain = not earlier.changes
        return (earlier, large) if earlier.changes or is_answer else None
