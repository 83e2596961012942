"""Answering: what one peer is sent because it rotted on that peer's disk."""

from __future__ import annotations

from collections import deque

from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Fetch, Message
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Answering:
    """
    The changes that one peer asks for again. Ask :meth:`next` for the next answer.

    Args:
        exchange: The store, as sessions see it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._wanted: deque[tuple[bytes, int, bytes]] = deque()
        self._part: int | None = None  # the number of the next part of the first change; None before the change itself

    def asked(self, fetch: Fetch) -> None:
        """
        Note what the peer asks for, instead of what it asked for before.

        Raises:
            RemoteProtocolError: It asks for more than one message may.
        """
        if len(fetch.wanted) > limits.FETCHED_MAX:
            raise RemoteProtocolError(f"a wish for {len(fetch.wanted):,} changes at once")
        self._wanted, self._part = deque(fetch.wanted), None

    def next(self) -> Message | None:
        """Return the next answer: a change, then its parts; None if there are no more."""
        while self._wanted:
            answer = self._exchange.mending.answer(*self._wanted[0], self._part)
            if answer is not None:
                self._part = 0 if self._part is None else self._part + 1
                return answer
            self._wanted.popleft()
            self._part = None
        return None
