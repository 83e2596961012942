"""
Beside: what takes long to take, done between the turns of a replica, so that all others are served meanwhile.

1. What is seen whole is written in one transaction, however large it is: a change of 200,000 operations, a segment, a log
   that confirms one. That transaction cannot be cut, and a turn need not wait for it.
2. One such work is under way at a time, since a store has one writer. Data that comes meanwhile waits for it; what only
   reads is answered: hellos, acknowledgements, pulls and all that is sent.
3. What came of it is taken in a turn of its own. Until then the talk in which it came takes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edda_sync.sync.effects import Then, Work
from edda_sync.sync.exchange import Exchange


class Beside:
    """
    The works of one replica.

    Args:
        exchange: What its store gives and takes, as turns see it.
        defers: Whether whoever carries out effects runs them; else each is done at once, within its turn.
    """

    def __init__(self, exchange: Exchange, *, defers: bool) -> None:
        self._exchange = exchange
        self._other = exchange.beside() if defers else None
        self._work: Work | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a work is under way."""
        return self._work is not None

    def begin(self, peer: str, do: Callable[[Exchange], Then]) -> Work | None:
        """
        Begin a work; return it, or None where works are done at once: do it then.

        Args:
            peer: In the talk with whom.
            do: Does it, with the store as it is seen between turns.
        """
        assert self._work is None, "data waits for the work that is under way"
        if self._other is not None:
            self._work = Work(peer, partial(do, self._other))
        return self._work

    def end(self) -> None:
        """Take in that the work was run: what was moved or lost by it counts from now on, and the next one may begin."""
        assert self._other is not None, "there is none otherwise"
        self._work = None
        self._exchange.count(self._other)
