"""
Owed: what one peer asked for of the log behind its segment.

The peer says once, in pages, up to which heads it wants the log, and what it already holds. Each later question says only
what has come since, so that a question costs as much as its last answer, however many lives there are.
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
    What one peer is still owed of the log behind its segment.

    Args:
        exchange: The store, as sessions see it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._held: Frontier = {}
        self._upto: list[Summary] = []
        self._is_read = True  # whether the whole question has arrived, with all its pages
        self._last = b""  # the actor of the last head on the page before
        self._asks = False
        self._in_vain = False  # whether the last question could not be answered yet

    def asked(self, behind: Behind) -> None:
        """
        Take a question for the log behind a segment, or a page of one.

        Raises:
            RemoteProtocolError: The heads are not in order.
        """
        actors = [self._last, *(each.actor for each in behind.upto)]
        if actors != sorted(set(actors)) or (behind.more and not behind.upto and not behind.held):
            raise RemoteProtocolError("heads behind a segment that are not in order")
        if self._is_read and behind.upto:  # the peer asks for another segment, or starts over
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
        """Note another hello of the peer: a question that could not be answered is no longer owed."""
        self._in_vain = False

    @property
    def in_vain(self) -> bool:
        """Whether a question could not be answered, so that the peer is answered once that log is here."""
        return self._in_vain

    def next(self, *, news: bool) -> tuple[Earlier, Logged | None] | None:
        """
        Return an answer, and a large change whose parts must follow; None when there is nothing to say.

        A question is answered at once, with an empty answer if there is nothing. Later, the log that has come since is sent.

        Args:
            news: Whether our log has grown.
        """
        if not self._asks and not (self._in_vain and news):
            return None
        is_answer, self._asks = self._asks, False
        earlier, large = self._exchange.giving.earlier(Behind(tuple(frontier.to_pairs(self._held)), tuple(self._upto)))
        self._in_vain = not earlier.changes
        return (earlier, large) if earlier.changes or is_answer else None
