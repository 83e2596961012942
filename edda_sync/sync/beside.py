"""
Beside: long work, done between the turns of a replica, so that others are served meanwhile.

1. What must become visible at once is written in one transaction, however large it is: a change of 20,000 operations, a
   segment that is taken or made, a log that confirms one. Such a transaction cannot be cut, but no turn has to wait for it.
2. One work is under way at a time, because a store has one writer. Data that comes meanwhile waits, and so does everything
   that the same peer says after it. What only reads is answered: hellos, acknowledgements, pulls, and sending.
3. A turn of its own handles the result. Until then, the session of the work handles nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edda_sync.sync.effects import Said, Then, Work
from edda_sync.sync.exchange import Exchange


class Beside:
    """
    The long work of one replica.

    Args:
        exchange: The store, as turns see it.
        defers: Whether the caller runs :class:`Work`; otherwise everything is done at once, within the turn.
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
        Begin a work and return it; None where work is done at once: then call ``do`` now.

        Args:
            peer: The peer of the session.
            do: Does the work, with the store as it is seen between turns.
        """
        assert self._work is None, "data waits for the work that is under way"
        if self._other is not None:
            self._work = Work(peer, partial(do, self._other))
        return self._work

    def end(self) -> None:
        """Note that the work was run: take over what it counted, and let the next one begin."""
        assert self._other is not None, "there is none otherwise"
        self._work = None
        self._exchange.count(self._other)


class Aside:
    """
    The long work of one session.

    Args:
        beside: Runs it.
        exchange: The store, as turns see it.
        peer: The device at the other end.
    """

    def __init__(self, beside: Beside, exchange: Exchange, peer: str) -> None:
        self._beside, self._exchange, self._peer = beside, exchange, peer
        self._work: Work | None = None

    @property
    def is_held(self) -> bool:
        """Whether any session's work is under way, so that nothing may begin now."""
        return self._beside.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether work of this session is under way."""
        return self._work is not None

    def do(self, do: Callable[[Exchange], Then], now: float, *, is_long: bool) -> Said:
        """
        Do something, then what follows from it. If it takes long, return it as :class:`Work`; what follows is said later.

        Args:
            do: Does it, and returns what follows from it. It changes nothing but the store.
            now: Monotonic time in seconds.
            is_long: Whether it takes long.
        """
        self._work = self._beside.begin(self._peer, do) if is_long else None
        return do(self._exchange)(now) if self._work is None else [self._work]

    def awaits(self, work: Work) -> bool:
        """Tell whether a work belongs to this session."""
        return self._work is work

    def done(self, now: float) -> Said:
        """Return what follows from the work, once it was run."""
        assert self._work is not None, "it is awaited"
        work, self._work = self._work, None
        return work.done()(now)
