"""
A replica: one device's store and its sessions. The asyncio runner and the simulator both drive this class.

Give it every event with ``now``, and carry out the effects that it returns, in order. It has no socket, clock or thread. Its
store is durable before it returns an effect, so nothing leaves the device before it is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, wraps
from math import inf
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from edda_sync.sync.beside import Beside
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Errand, Learned, Send, Work
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.filing import Filing
from edda_sync.sync.progress import Progress
from edda_sync.sync.rates import Rates
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.session import Session
from edda_sync.sync.states import State
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import RemoteError, StorageError
from edda_sync.words.reasons import Reason

P = ParamSpec("P")
T = TypeVar("T")


def _event(deal: Callable[Concatenate[Replica, P], T]) -> Callable[Concatenate[Replica, P], T]:
    """Mark a method that handles one event: within it, the store shows one state."""

    @wraps(deal)
    def within(replica: Replica, /, *args: P.args, **named: P.kwargs) -> T:
        with replica.exchange.store.event():
            return deal(replica, *args, **named)

    return within


class _Stall(NamedTuple):
    """
    No more of the log behind a segment comes, although peers were asked.

    Attributes:
        reached: How many changes of that log are here.
        witnesses: The devices that must have held the rest.
        left_s: How long to wait for it while peers are linked that were asked and do not have it, counted from ``since``.
        since: When that time was last counted, in monotonic seconds; None while no such peer is linked.
    """

    reached: int
    witnesses: frozenset[str]
    left_s: float = inf
    since: float | None = None

    @property
    def due(self) -> float | None:
        """When to give up, in monotonic seconds; None while no linked peer shows that the rest will not come."""
        return self.since + self.left_s if self.since is not None and self.left_s < inf else None

    def paused(self, now: float) -> _Stall:
        """Return the stall with the time that is left, when the last such peer leaves."""
        waited_s = 0.0 if self.since is None else now - self.since
        return self._replace(left_s=max(self.left_s - waited_s, 0.0), since=None)


class Replica:
    """
    One device.

    Args:
        exchange: The store, as sessions see it.
        device: This device's id.
        workspace_tag: Returns, for a device id, the tag that its hello must contain.
        defers: Whether long work is returned as an effect, to be run between turns; otherwise it is done within the turn.
        filing: Exchanges the content of attached files; None for a device that does not.
    """

    def __init__(
        self,
        exchange: Exchange,
        device: str,
        workspace_tag: Callable[[str], bytes],
        *,
        defers: bool = False,
        filing: Filing | None = None,
    ) -> None:
        self.exchange, self.filing = exchange, filing
        self.device = device
        self._tag = workspace_tag
        self._codec = Codec()
        self._sessions: dict[str, Session] = {}
        self._links: dict[str, int] = {}  # the link of each session
        self._relaying = Relaying(exchange)
        self._beside = Beside(exchange, defers=defers)
        self._rates: dict[str, Rates] = {}
        self._now = 0.0
        self._stall: _Stall | None = None  # set while no more of the log behind comes
        self._mended: dict[str, tuple[float, int]] = {}  # by peer: since when, and how many entities

    @_event
    def connected(self, peer: str, link: int = 0) -> list[Effect]:
        """
        Begin a session with a peer over a new link. An earlier session with it ends; what comes over its link is dropped.

        Args:
            peer: The device at the other end, as proved by the handshake.
            link: The link's number, unique within this replica. Effects for the link carry it.
        """
        if not self._sessions:
            self.exchange.heard(self.exchange.forks.evidence())
        self._links[peer] = link
        self._relaying.gone(peer)
        rates = self._rates.setdefault(peer, Rates())
        session = self._sessions[peer] = Session(
            self.exchange, self._codec, self.device, peer, self._tag, rates, self._relaying, self._beside, self.filing
        )
        return self._settled(session.open())

    def disconnected(self, peer: str, now: float, link: int = 0) -> None:
        """End the session with a peer whose link is gone, unless it uses another link by now."""
        if self._links.get(peer) != link:
            return
        self._now = now
        self._sessions.pop(peer, None)
        self._relaying.gone(peer)
        if self.filing is not None:
            self.filing.gone(peer)
        if self._stall is not None and not self._asked_in_vain():
            self._stall = self._stall.paused(now)

    @_event
    def frame_received(self, peer: str, frame: bytes, now: float, link: int = 0) -> list[Effect]:
        """
        Take one whole frame that arrived from a peer.

        Args:
            peer: The device at the other end, as proved by the handshake.
            frame: The frame, at most ``FRAME_BYTES_MAX + 1`` bytes long.
            now: Monotonic time in seconds.
            link: The number of the link that it came over. Frames of a former link are dropped.

        Returns:
            The effects, to be carried out in this order.
        """
        self._now = now
        session = self._sessions.get(peer)
        if session is None or self._links[peer] != link:
            return []
        effects = self._deal(peer, lambda: session.frame_received(frame, now), now)
        return self._settled(effects + self._pull(now))

    @_event
    def worked(self, work: Work, now: float) -> list[Effect]:
        """
        Handle the result of a work that was run, and what waited for it.

        Args:
            work: The work, from the effect that asked for it.
            now: Monotonic time in seconds.
        """
        self._now = now
        session = self._sessions.get(work.peer)
        is_awaited = session is not None and session.awaits(work)

        def deal() -> list[Effect]:
            self._beside.end()
            return session.worked(now) if session is not None and is_awaited else []

        told = self._settled(self._deal(work.peer, deal, now) + self._pull(now))
        for each in self._sessions.values():
            each.go_on(now)
        if not is_awaited and work.error is not None and not isinstance(work.error, RemoteError):
            told.append(Close(work.peer, work.error, work.link))  # the session is over, and the fault is this device's
        return told

    def _deal(self, peer: str, work: Callable[[], list[Effect]], now: float) -> list[Effect]:
        """Let one session handle something, and let all sessions handle what follows from it."""
        behind = self.exchange.behind
        ended, losses = behind.ended, self.exchange.losses()
        effects = work()
        lost = self.exchange.losses() != losses
        if lost or behind.ended != ended:  # the store may show, and can give, other content than before
            for each in list(self._sessions.values()):
                effects += each.greet_again(now) if lost else each.proved(now)
        self._watch(now)
        for learned in [effect for effect in effects if isinstance(effect, Learned)]:
            for each in list(self._sessions.values()):
                effects += each.learned(learned, now)
            self.exchange.heard(learned.evidence)
        if any(isinstance(effect, Applied) for effect in effects):
            for other in self._others(peer):
                effects += other.news(now, own=False)
        return effects

    @_event
    def committed(self, now: float) -> list[Effect]:
        """Note that this device's own changes are durable."""
        return self._news(now, own=True)

    @_event
    def grown(self, now: float) -> list[Effect]:
        """Note that the log has new changes of peers, perhaps taken by another process; the other peers are told of them."""
        return self._news(now, own=False)

    def _news(self, now: float, *, own: bool) -> list[Effect]:
        """Tell every peer of new changes. If another process has proved a fork, all sessions begin anew."""
        self._now = now
        keeps = self.exchange.keeps_names()  # otherwise the proof came from a bundle, and changes may have new names
        told = [each.news(now, own=own) if keeps else each.close(Reason.FORK) for each in list(self._sessions.values())]
        return self._settled([effect for effects in told for effect in effects])

    @_event
    def tick(self, now: float) -> list[Effect]:
        """Do what is due. Call it at :meth:`next_deadline`."""
        self._now = now
        effects: list[Effect] = []
        for peer, session in list(self._sessions.items()):
            takes_data = session.takes_data(now)
            effects += self._deal(peer, partial(session.tick, now), now)
            if takes_data:  # the others tell what is here then, in turns of their own
                if self._sessions.get(peer) is session:
                    self._sessions[peer] = self._sessions.pop(peer)  # its next turn comes after those of the others
                break
        if self._stall is not None and self._stall.due is not None and now >= self._stall.due:
            effects += self._give_up(now)
        return self._settled(effects + self._pull(now))

    def _pull(self, now: float) -> list[Effect]:
        """Pull what peers hold and nobody sends."""
        sessions = [self._sessions[peer] for peer in self._relaying.due(now) if peer in self._sessions]
        return [effect for session in sessions for effect in session.pull()]

    def _give_up(self, now: float) -> list[Effect]:
        """Give up the log behind a segment. If that cannot be written, the sessions with the peers that were asked fail."""
        asked, stall, self._stall = self._asked_in_vain(), self._stall, None
        if not asked:
            self._stall = None if stall is None else stall.paused(now)
            return []
        try:
            self.exchange.behind.give_up()
        except StorageError as error:  # the sessions end, as they do for anything that cannot be written
            return [effect for session in asked for effect in session.fail(error)]
        return [effect for session in list(self._sessions.values()) for effect in session.greet_again(now)]

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is due, in monotonic seconds; None when nothing is."""
        deadlines = [session.next_deadline() for session in self._sessions.values()]
        deadlines += [None if self._stall is None else self._stall.due, self._relaying.next_deadline()]
        deadlines.append(None if self.filing is None else self.filing.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _watch(self, now: float) -> None:
        """
        Count how long nothing more of the log behind a segment came although peers were asked, to give up after a while.

        How long it takes depends on this device alone, and what was written meanwhile is kept in any case. Links that come
        and go, as they do when a copy of a device runs, do not start the time over.
        """
        if not self.exchange.standing().is_provisional:
            self._stall = None
            return
        behind, stall = self.exchange.behind, self._stall
        reached = behind.reached()
        asked = self._asked_in_vain()
        if stall is None or stall.reached != reached:
            if not asked:
                return
            stall = _Stall(reached, behind.witnesses())
        left_s = stall.paused(now).left_s
        if reached or any(session.peer in stall.witnesses for session in asked):
            left_s = min(left_s, limits.BEHIND_STALLED_S)
        elif any(session.has_more for session in asked):  # otherwise the linked peers know no more than this store does
            left_s = min(left_s, limits.BEHIND_ABSENT_S)
        self._stall = stall._replace(left_s=left_s, since=now if asked else None)

    def _asked_in_vain(self) -> list[Session]:
        """Return the sessions with the peers that were asked for the log behind the segment, and do not have it."""
        return [session for session in self._sessions.values() if session.in_vain]

    @_event
    def ask(self, now: float) -> list[Effect]:
        """Note that somebody wants to know whether all are equal: for a while, sessions prove it soon instead of later."""
        self._now = now
        effects: list[Effect] = []
        for session in list(self._sessions.values()):
            effects += session.ask(now)
        return self._settled(effects)

    @_event
    def ran(self, errand: Errand, now: float) -> list[Effect]:
        """Handle the result of an errand that was run."""
        assert self.filing is not None, "it is its errand"
        self._now = now
        self.filing.ran(errand, now)
        return self._settled([])

    @_event
    def filed(self, work: Callable[[Filing], None], now: float) -> list[Effect]:
        """Let ``work`` say which files somebody asks for, or does no longer."""
        self._now = now
        if self.filing is not None:
            work(self.filing)
        return self._settled([])

    @_event
    def damaged(self, now: float) -> None:
        """Note that stored data is damaged. Until :meth:`rebuilt`, no peer is called equal."""
        self._now = now
        self.exchange.is_damaged = True
        for session in self._sessions.values():
            session.progress.unproved()

    @_event
    def rebuilt(self, now: float) -> None:
        """Note that the view was folded again, so that digests are compared again."""
        self._now = now
        self.exchange.is_damaged = False
        for session in self._sessions.values():
            session.recheck(now)

    @_event
    def fetch(self, now: float) -> list[Effect]:
        """Ask every peer for changes of the log that rotted here. The frames that answer it return what came of it."""
        self._now = now
        wanted = self.exchange.mending.wanted()
        if wanted is None:
            return []
        effects: list[Effect] = []
        for session in list(self._sessions.values()):
            effects += session.fetch(wanted)
        return self._settled(effects)

    @_event
    def close(self, reason: Reason = Reason.CLOSING) -> list[Effect]:
        """Say goodbye to every peer."""
        effects: list[Effect] = []
        for session in list(self._sessions.values()):
            effects += session.close(reason)
        return self._settled(effects)

    def progress(self) -> dict[str, Progress]:
        """Return the progress of every open session, by peer."""
        return {peer: session.progress for peer, session in self._sessions.items() if session.state is State.OPEN}

    def is_taking(self, peer: str) -> bool:
        """Tell whether something that a peer sent is not processed yet: it waits for earlier frames, or for its turn."""
        session = self._sessions.get(peer)
        return session is not None and session.is_taking

    def _others(self, peer: str) -> Iterable[Session]:
        return [session for name, session in self._sessions.items() if name != peer]

    def _settled(self, effects: list[Effect]) -> list[Effect]:
        """
        Return the effects with the numbers of their links, forget the sessions that ended, and limit the differing entities
        to as many as one peer may have folded again in an hour.
        """
        told: list[Effect] = []
        for effect in [*self._files(), *effects]:  # a peer that hears "equal" knows then what files are to come
            if isinstance(effect, Differs):
                keys = self._within_budget(effect.peer, effect.keys)
                if not keys:
                    continue
                effect = Differs(effect.peer, keys)
            elif isinstance(effect, Close):
                self._sessions.pop(effect.peer, None)
                self._relaying.gone(effect.peer)
                effect = Close(effect.peer, effect.error, self._links[effect.peer], effect.reason, effect.heard)
            elif isinstance(effect, Send):
                effect = Send(effect.peer, effect.frame, self._links[effect.peer])
            elif isinstance(effect, Work):
                effect.link = self._links[effect.peer]
            told.append(effect)
        return told

    def _files(self) -> list[Effect]:
        """Return what to do and to say for files now."""
        if self.filing is None:
            return []
        self.filing.linked(
            peer for peer, each in self._sessions.items() if each.speaks_files and each.state is State.OPEN
        )
        effects = self.filing.due(self._now)
        for effect in effects:
            if isinstance(effect, Send):
                self._sessions[effect.peer].progress.sent_bytes += len(effect.frame)
        return effects

    def _within_budget(self, peer: str, keys: tuple[bytes, ...]) -> tuple[bytes, ...]:
        since, count = self._mended.get(peer, (self._now, 0))
        if self._now >= since + limits.MENDED_WINDOW_S:
            since, count = self._now, 0
        allowed = keys[: limits.MENDED_ENTITIES_MAX - count]
        self._mended[peer] = since, count + len(allowed)
        return allowed
