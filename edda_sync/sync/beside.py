"""
Beside: what takes long, done between the turns of a replica, so that all others are served meanwhile.

1. What is seen whole is written in one transaction, however large it is: a change of 200,000 operations, a segment that is
   taken or made, a log that confirms one. That transaction cannot be cut, and a turn need not wait for it.
2. One such work is under way at a time, since a store has one writer. Data that comes meanwhile waits for it, and what is
   said after that; what only reads is answered: hellos, acknowledgements, pulls and all that is sent.
3. What came of it is taken in a turn of its own. Until then the talk that it belongs to hears nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edda_sync.sync.effects import Said, Then, Work
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


class Aside:
    """
    What takes long in one talk.

    Args:
        beside: Where it is done.
        exchange: What the store gives and takes, as turns see it.
        peer: The device at the other end.
    """

    def __init__(self, beside: Beside, exchange: Exchange, peer: str) -> None:
        self._beside, self._exchange, self._peer = beside, exchange, peer
        self._work: Work | None = None

    @property
    def is_held(self) -> bool:
        """Whether something is under way, of whichever talk: nothing may begin now."""
        return self._beside.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether something of this talk is."""
        return self._work is not None

    def do(self, do: Callable[[Exchange], Then], now: float, *, is_long: bool) -> Said:
        """
        Do something, and what follows from it; beside all else if it takes long: then that is said later.

        Args:
            do: Does it, and returns what follows from it; it changes nothing but the store.
            now: Monotonic time in seconds.
            is_long: Whether it takes long.
        """
        self._work = self._beside.begin(self._peer, do) if is_long else None
        return do(self._exchange)(now) if self._work is None else [self._work]

    def awaits(self, work: Work) -> bool:
        """Tell whether a work is of this talk."""
        return self._work is work

    def done(self, now: float) -> Said:
        """Return what follows from it, once it is done."""
        assert self._work is not None, "it is awaited"
        work, self._work = self._work, None
        return work.done()(now)
