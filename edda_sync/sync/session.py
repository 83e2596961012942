r"""
A session: one talk with one peer, from hello to goodbye. Frames, news and ``now`` in; effects out.

    OPENING --hello--> OPEN --goodbye / fault--> CLOSED          (the table below is the whole of it)
        \\--a page of it--> READING --the last page--> OPEN

Theory. Each side says hello with its frontier and then streams, in its log order, the changes that the other lacks; the
other acknowledges what it made durable. Events only change what is known; one function, :meth:`Session._evaluate`,
decides what to send. What is known of the stream is in :class:`~edda_sync.sync.sending.Sending`, what is known of equality
in :class:`~edda_sync.sync.proving.Proving`; each has its invariants.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from edda_sync.changes.change import decode_header
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.pages import BEFORE_ALL
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Learned, Mended, Proved, Send
from edda_sync.sync.exchange import Exchange, Proof
from edda_sync.sync.learning import News, Wanted
from edda_sync.sync.messages import (
    Ack,
    Behind,
    Branch,
    Cells,
    Changes,
    Earlier,
    Evidence,
    Fetch,
    Found,
    Goodbye,
    Heads,
    Hello,
    Known,
    Listed,
    Message,
    Offer,
    Part,
    Snapshot,
    Summary,
    Want,
)
from edda_sync.sync.proving import Difference, Outcome, Proving
from edda_sync.sync.rates import Rates
from edda_sync.sync.sending import Sending, ended_held, renamed_held
from edda_sync.sync.taking import Taken
from edda_sync.sync.wire import Codec
from edda_sync.words import limits
from edda_sync.words.errors import (
    BugError,
    EddaError,
    LocalError,
    RemoteError,
    RemoteFaultError,
    RemoteMismatchError,
    RemoteProtocolError,
    StorageError,
)

PROTOCOLS: Final = (limits.PROTOCOL_VERSION, limits.PROTOCOL_VERSION)
WORDS_MAX: Final = 200  # of a goodbye's reason that are shown


class State(Enum):
    """Where a session stands."""

    OPENING = "opening"
    READING = "reading"
    OPEN = "open"
    CLOSED = "closed"


class Event(Enum):
    """What can come from the peer."""

    HELLO = "hello"
    PAGE = "page"
    DATA = "data"
    OFFER = "offer"
    ACK = "ack"
    CELLS = "cells"
    FETCH = "fetch"
    GOODBYE = "goodbye"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.OPENING, Event.HELLO): State.OPEN,  # or READING, while more of it is to come
    (State.OPENING, Event.GOODBYE): State.CLOSED,
    (State.READING, Event.PAGE): State.OPEN,  # or READING
    (State.READING, Event.GOODBYE): State.CLOSED,
    (State.OPEN, Event.HELLO): State.OPEN,  # its names have changed: a fork was proved
    (State.OPEN, Event.DATA): State.OPEN,
    (State.OPEN, Event.OFFER): State.OPEN,
    (State.OPEN, Event.ACK): State.OPEN,
    (State.OPEN, Event.CELLS): State.OPEN,
    (State.OPEN, Event.FETCH): State.OPEN,
    (State.OPEN, Event.GOODBYE): State.CLOSED,
}

EVENT_OF: Final[dict[type[Message], Event]] = {
    Hello: Event.HELLO,
    Heads: Event.PAGE,
    Changes: Event.DATA,
    Part: Event.DATA,
    Snapshot: Event.DATA,
    Earlier: Event.DATA,
    Evidence: Event.DATA,
    Branch: Event.DATA,
    Listed: Event.DATA,
    Behind: Event.OFFER,
    Known: Event.OFFER,
    Offer: Event.OFFER,
    Want: Event.OFFER,
    Ack: Event.ACK,
    Cells: Event.CELLS,
    Fetch: Event.FETCH,
    Found: Event.FETCH,
    Goodbye: Event.GOODBYE,
}


@dataclass(slots=True)
class Progress:
    """What a person may want to know of a session."""

    behind: int = 0  # changes that we lack of the peer's
    ahead: int = 0  # changes that the peer lacks of ours
    sent_bytes: int = 0
    rcvd_bytes: int = 0
    proved_at: Frontier | None = None  # the frontier at which both were last proved equal
    proved: bool = False  # whether that is where both still are
    waiting: int = 0  # held but not applied at the peer
    theirs: Frontier = field(default_factory=dict)  # what the peer said that it holds
    apart: frozenset[bytes] = frozenset()  # actors of whom the two hold different changes
    differing: tuple[
        Difference, ...
    ] = ()  # entities that differ where the changes are the same, not proved equal since


_P = ParamSpec("_P")


def _ending(work: Callable[Concatenate[Session, _P], list[Effect]]) -> Callable[Concatenate[Session, _P], list[Effect]]:
    """Let whatever goes wrong in a talk end that talk; a bug, too: all else that the device does goes on."""

    @wraps(work)
    def ending(session: Session, /, *args: _P.args, **kwargs: _P.kwargs) -> list[Effect]:
        try:
            return work(session, *args, **kwargs)
        except EddaError as error:
            return session.fail(error)
        except Exception as bug:  # noqa: BLE001 - it is told, with its trace, by whoever carries out the effects
            return session.fail(BugError(bug))

    return ending


class Session:
    """
    One talk with one peer. Call :meth:`open` first, carry out the effects in order, and ask :meth:`next_deadline`.

    Args:
        exchange: What the store gives and takes.
        codec: Frames of this replica.
        device: This device's id.
        peer: The peer's, as its certificate proved.
        workspace_tag: Of a device id: what its hello must say of the workspace.
        rates: How much this peer brought lately, in this talk and before it.
    """

    def __init__(
        self,
        exchange: Exchange,
        codec: Codec,
        device: str,
        peer: str,
        workspace_tag: Callable[[str], bytes],
        rates: Rates,
    ) -> None:
        self.state = State.OPENING
        self.peer = peer
        self.progress = Progress()
        self._exchange, self._codec = exchange, codec
        self._device, self._tag, self._rates = device, workspace_tag, rates
        self._nonce = exchange.random(16)
        self._sending = Sending(exchange)
        self._proving = Proving(exchange, self._nonce, lambda: self._rates.scans.allows(b"", self._now))
        self._deferred: list[Cells | Listed] = []  # of a comparison: for when all may be looked at again
        self._frames: deque[bytes] = deque()  # of data, for when they may be expanded; and how many bytes
        self._frames_bytes = 0
        self._now = 0.0
        self._hello: Hello | None = None  # the peer's, while its pages come
        self._pages: list[Summary] = []
        self._last = b""  # the last actor of which a page said something
        self._held: Frontier = {}  # what the peer itself said that it holds
        self._unnamed: set[bytes] = set()  # names of which it sent what is not here yet: it may be of another branch
        self._told: Frontier = {}  # what it was told that we hold
        self._told_waiting = 0  # and how much of that is not applied
        self._relaying: Frontier = {}  # what was here when it was last put off to pass something on
        self._dealt = 0
        self._wants: bytes | None = None  # the segment that was asked for
        self._asked = False  # for the log behind our segment
        self._question: Behind | None = None  # what was asked of it last
        self._awaited: Dot | None = None  # a large change of it, whose parts are to come first
        self._in_vain = False  # whether the peer did not have it
        self._strangers: set[bytes] = set()  # keys that are no members here, of whose forks the peer has proofs
        self._unlooked = False  # whether evidence came that cannot be looked at before the segment is confirmed
        self._passed_over = False  # whether changes came that cannot be checked before it is here
        self._differed: tuple[bytes, bytes] | None = None  # hashes of the two sets of evidence, as it was asked last
        self._fetched = False  # whether changes that rotted here were asked for
        self._answers = 0  # how many may still come: for each, the whole log is looked at
        self._later: dict[bytes, Wanted] = {}  # pieces of chains, by name, for when more of them may be told
        self._deadlines: dict[str, float] = {}

    # --- in -----------------------------------------------------------------------------------------------------------

    @_ending
    def open(self) -> list[Effect]:
        """Say hello."""
        ours = self._exchange.introduction()
        self._told, self._told_waiting = {head.actor: head.seq for head in ours.heads}, ours.waiting
        self._sending.telling.is_asking = False  # it says all that a question does
        tag, (first, *rest) = self._tag(self._device), ours.pages()
        page = first.heads, first.more, first.evidence
        hello = Hello(PROTOCOLS, tag, self._device, self._nonce, *page, ours.waiting, ours.wanted)
        return [self._send(hello), *map(self._send, rest)]

    @_ending
    def frame_received(self, frame: bytes, now: float) -> list[Effect]:
        """
        Take one whole frame that arrived from the peer.

        Args:
            frame: As it arrived.
            now: Monotonic time in seconds.

        Returns:
            What must be done, in order. After a fault the last effect is a :class:`Close`.
        """
        if self.state is State.CLOSED:
            return []
        self.progress.rcvd_bytes += len(frame)
        self._now = now
        return self._take_frame(frame, now)

    def _take_frame(self, frame: bytes, now: float, *, waited: bool = False) -> list[Effect]:
        message = self._codec.decode(frame)
        event = EVENT_OF[type(message)]
        following = TRANSITIONS.get((self.state, event))
        if following is None:
            raise RemoteProtocolError(f"{event.value} while {self.state.value}", self.peer)
        if event is Event.DATA and not waited and (self._frames or not self._may_expand(frame)):
            self._frames.append(frame)
            self._frames_bytes += len(frame)
            if self._frames_bytes > limits.WINDOW_BYTES_MAX + limits.FRAME_BYTES_MAX:
                raise RemoteProtocolError("it goes on to send, and waits for nobody to take it", self.peer)
            return []
        effects = self._deal(message, now)
        self._follow(State.READING if isinstance(message, (Hello, Heads)) and message.more else following)
        return effects + self._evaluate(now)

    def _may_expand(self, frame: bytes) -> bool:
        """Tell whether a frame that becomes much more than itself may be taken now; else it is taken in a while."""
        excess = self._codec.excess(frame)
        if not excess or self._rates.expanded.allows(b"", self._now, excess):
            return True
        if self._exchange.standing().is_provisional:
            return True  # what we asked for: a log behind a segment that comes so slowly would be given up
        self._deadlines.setdefault("expand", self._rates.expanded.ends(b"", self._now))
        return False

    def _take_waiting(self, now: float) -> list[Effect]:
        """Take the frames of data that waited, in order, as many as may be taken now."""
        effects: list[Effect] = []
        while self._frames and self.state is State.OPEN and self._may_expand(self._frames[0]):
            frame = self._frames.popleft()
            self._frames_bytes -= len(frame)
            effects += self._take_frame(frame, now, waited=True)
        return effects

    def _follow(self, following: State) -> None:
        if self.state is not State.CLOSED:  # dealing with a message may have ended the talk
            self.state = following

    @_ending
    def news(self, now: float, *, own: bool) -> list[Effect]:
        """
        Learn that the log has grown.

        Args:
            now: Monotonic time in seconds.
            own: Whether by this device's own change; what another peer sent is passed on a little later, since most
                peers have it from where we have it.
        """
        if self.state is not State.OPEN:
            return []
        if own:
            self._sending.grown()
            return self._evaluate(now)
        ours = self._exchange.frontier()
        self._measure(ours)
        self._relay_later(ours, now)
        self._deadlines.setdefault("announce", now + limits.ANNOUNCE_DELAY_S)
        return []

    def _relay_later(self, ours: Frontier, now: float) -> None:
        """Pass on in a while what the peer lacks now, unless that is to be done for what came before."""
        if "relay" not in self._deadlines and (self._sending.owed.in_vain or not frontier.covers(self._held, ours)):
            self._deadlines["relay"], self._relaying = now + limits.RELAY_DELAY_S, ours

    def _relay(self, now: float) -> None:
        """Pass on what the peer lacks; if that is only what has just come, give others the time to be faster."""
        if self._sending.owed.in_vain or not frontier.covers(self._held, self._relaying):
            self._sending.grown()
        else:
            self._relay_later(self._exchange.frontier(), now)

    @_ending
    def tick(self, now: float) -> list[Effect]:
        """Do what is due; call it at :meth:`next_deadline`."""
        self._now = now
        if self.state is not State.OPEN:
            return []  # what is due then is due all the same once the rest of the peer's hello is here
        due = [name for name, deadline in self._deadlines.items() if deadline <= now]
        for name in due:
            del self._deadlines[name]
        if not due:
            return []
        effects: list[Effect] = []
        if "pieces" in due:
            self._tell_pieces(())
        if "answer" in due:
            self._sending.telling.asked()
        if "relay" in due:
            self._relay(now)
        if "expand" in due:
            effects += self._take_waiting(now)
        if "compare" in due:
            deferred, self._deferred = self._deferred, []
            effects += [*self._compare(), *(effect for each in deferred for effect in self._deal_compared(each))]
        if "prove" in due:
            effects += self._say_proof()
        if "evidence" in due:
            effects += self.open()  # the peer hears in it what of its evidence was left
        elif "resume" in due:
            effects += self._ack(again=True)
        elif "announce" in due and self._exchange.standing()[:2] != (self._told, self._told_waiting):
            effects += self._ack()
        return effects + self._evaluate(now)

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is due, in monotonic seconds; None when nothing is."""
        return min(self._deadlines.values(), default=None) if self.state is State.OPEN else None

    def recheck(self, now: float) -> None:
        """Compare anew: the view was folded anew, and until then nothing is proved."""
        self._proving.recheck()
        self.progress.proved, self.progress.proved_at = False, None
        self._deadlines["prove"] = now

    @_ending
    def proved(self, now: float) -> list[Effect]:
        """Learn that the log has confirmed our segment: what was kept back meanwhile is given, and looked at."""
        if self.state is not State.OPEN:
            return []
        self.recheck(now)
        unlooked, self._unlooked = self._unlooked, False
        return (self.open() if unlooked else []) + self.news(now, own=True)

    @_ending
    def anew(self, now: float) -> list[Effect]:
        """Say hello again: less is held here than what was told, or other changes."""
        if self.state is not State.OPEN:
            return self.open() if self.state is not State.CLOSED else []
        self.recheck(now)
        self._unlooked = False  # the peer hears in our hello that it has to say that again
        self._asked = self._in_vain = False
        return self.open()

    @property
    def in_vain(self) -> bool:
        """Whether the peer was asked for the log behind our segment, and does not have it."""
        return self.state is State.OPEN and self._in_vain

    @property
    def has_more(self) -> bool:
        """Whether the peer sent changes that cannot be taken before the log behind our segment is here."""
        return self._passed_over

    @_ending
    def fetch(self, wanted: Fetch) -> list[Effect]:
        """Ask for changes that rotted here."""
        if self.state is not State.OPEN:
            return []
        self._fetched, self._answers = True, len(wanted.wanted)
        return [self._send(wanted)]

    def _mended(self, count: int) -> list[Effect]:
        return [Mended(self.peer, count)] if count else []

    def close(self, reason: str = "closing") -> list[Effect]:
        """Say goodbye."""
        if self.state is State.CLOSED:
            return []
        self.state = State.CLOSED
        return [self._send(Goodbye(reason, "none")), Close(self.peer, None)]

    # --- dealing with messages ----------------------------------------------------------------------------------------

    def _deal(self, message: Message, now: float) -> list[Effect]:
        if isinstance(message, Hello):
            return self._deal_hello(message)
        if isinstance(message, Heads):
            return self._deal_heads(message)
        if isinstance(message, Ack):
            return self._deal_ack(message)
        if isinstance(message, Cells | Listed):
            return self._deal_compared(message)
        if isinstance(message, Goodbye):
            self.state = State.CLOSED
            error: RemoteError | None = None
            reason = message.reason[:WORDS_MAX]
            if message.fault == "mine":
                error = RemoteFaultError(reason, self.peer)
            elif message.fault != "none":
                error = RemoteMismatchError(f"it ended the talk: {reason}", self.peer)
            return [Close(self.peer, error)]
        if isinstance(message, Offer):
            return self._deal_offer(message)
        if isinstance(message, Want):
            self._sending.wanted(message)
            return []
        if isinstance(message, Behind):
            self._sending.owed.asked(message)
            return []
        if isinstance(message, Known):
            if self._sending.telling.said(message.evidence, more=message.more):
                if self._rates.answers.allows(b"", now):
                    self._sending.telling.asked()
                else:
                    self._deadlines.setdefault("answer", now + limits.SCANS_WINDOW_S)
            return []
        if isinstance(message, Fetch):
            self._sending.fetch(message)
            return []
        if isinstance(message, Found):
            if not self._answers:
                return []
            self._answers -= 1
            return self._mended(self._exchange.mending.take(message))
        if isinstance(message, Evidence):
            proofs = self._rates.proofs.trial(now)
            news = self._exchange.forks.take_evidence(message.items, proofs)
            proofs.done()
            self._sending.telling.brought(news.brought, more=message.more)
            return self._after_evidence(news, now)
        if isinstance(message, Branch):
            proofs = self._rates.proofs.trial(now)
            news = self._exchange.forks.take_piece(message, proofs)
            proofs.done()
            if not news.agrees:  # so the peer says; else it was said before what it says next of all that it holds
                self._part(frozenset((message.actor,)))
            return self._after_evidence(news, now)
        if isinstance(message, Changes):
            if "resume" in self._deadlines:
                self._dealt += 1
                self._sending.learned(self._exchange.taking.named(message), self._exchange.frontier())
                return []  # it is asked for again
            births = self._rates.births.trial(now)
            taken = self._exchange.taking.take(message, births, self.progress.apart)
            births.done()
            if births.again_s is not None:
                self._deadlines["resume"] = births.again_s
        elif isinstance(message, Earlier):
            taken = self._exchange.behind.take(message)
            # Without changes the peer cannot help; with a large one at the end, its parts come first.
            self._in_vain = not message.changes
            last = decode_header(message.changes[-1][0]) if message.changes else None
            self._awaited = last.dot if last is not None and last.parts else None
            self._asked = self._in_vain or self._awaited is not None
        elif isinstance(message, Part):
            is_over = self._exchange.behind.take_part(message)
            if is_over:
                self._awaited = None
                self._asked = False
            taken = self._exchange.taking.take_part(message, self.progress.apart) if is_over is None else Taken(0)
            mended = self._mended(self._exchange.mending.take_part(message) if self._fetched else 0)
            return mended + self._after_data(taken)
        else:
            if message.segment != self._wants:
                raise RemoteProtocolError("a segment that nobody asked for", self.peer)
            taken = self._exchange.merging.take(message)
        return self._after_data(taken)

    def _deal_hello(self, hello: Hello) -> list[Effect]:
        if not hello.protocol[0] <= PROTOCOLS[1] or not hello.protocol[1] >= PROTOCOLS[0]:
            raise RemoteMismatchError(
                f"it speaks version {hello.protocol[1]} of the protocol, and we {PROTOCOLS[1]}", self.peer
            )
        if hello.device != self.peer or hello.workspace != self._tag(self.peer):
            raise RemoteMismatchError("it belongs to another workspace", self.peer)
        self._hello = hello
        return self._deal_heads(hello)

    def _deal_heads(self, page: Hello | Heads) -> list[Effect]:
        heads = page.heads
        actors = [self._last, *(each.actor for each in heads)]
        if len(heads) > limits.HEADS_MAX or actors != sorted(set(actors)):
            raise RemoteProtocolError("heads that are not in order, or too many at once", self.peer)
        self._last = actors[-1]
        ours = self._exchange.frontier()
        for each in heads:
            if self._is_kept(each.actor, self._pages, ours):
                self._pages.append(each)
        if not self._sending.telling.said(page.evidence, more=page.more):
            return []
        hello, summaries = self._hello, tuple(self._pages)
        assert hello is not None, "pages come after it"
        self._hello, self._pages, self._last = None, [], b""
        self._held, apart = self._exchange.compared(summaries)
        self._unnamed.clear()
        self.progress.waiting, self.progress.apart = hello.waiting, frozenset()
        self._proving.introduced(hello.nonce)
        self._sending.introduced(self._held, hello.wanted)
        self._part(apart)
        self._sending.telling.tell_rest()
        return []

    def _part(self, actors: frozenset[bytes]) -> None:
        """
        Exchange nothing more of actors of whom the two hold different changes; all else goes on.

        Tell the peer what we hold of them: of both pieces either can prove the fork.
        """
        actors = frozenset(map(self._exchange.actor, actors))
        fresh = actors - self.progress.apart
        if not fresh:
            return
        self._sending.part(self._exchange.names(actors))
        self._tell_pieces(self._exchange.forks.pieces(fresh))
        self.progress.apart |= actors

    def _tell_pieces(self, pieces: Iterable[Wanted]) -> None:
        """Tell the peer pieces of chains, so many within a window: what it says itself is much shorter. The others wait."""
        self._later.update((each.name, each) for each in pieces)
        while self._later and self._rates.pieces.allows(b"", self._now):
            self._sending.tell_pieces([self._later.pop(next(iter(self._later)))])
        if self._later:
            self._deadlines.setdefault("pieces", self._rates.pieces.ends(b"", self._now))

    def _after_evidence(self, news: News, now: float) -> list[Effect]:
        """Tell what came of evidence or of a piece of a chain; what was left is asked for again, by a hello."""
        self._dealt += 1
        self._tell_pieces(news.say)
        self._unlooked = self._unlooked or news.unchecked
        if len(self._strangers) < limits.STRANGERS_MAX:
            self._strangers |= news.strangers
        if news.late:
            self._deadlines.setdefault("evidence", now + limits.PROOFS_WINDOW_S)
        evidence, forked = tuple(news.evidence), frozenset(news.forked)
        learned = Learned(self.peer, evidence, forked, tuple(news.renamed), tuple(news.ends))
        return [*self._ack(), *([learned] if evidence else [])]

    @_ending
    def learned(self, news: Learned, now: float) -> list[Effect]:
        """
        Learn that there is new evidence, and pass it on: a peer that lacks more is told when it says so.

        Where something is called otherwise from now on, or the two were apart in a chain that is proved to fork, say also
        what is held by the names that it has now; the peer does the same if it holds anything of that chain.

        Args:
            news: What is new of it.
            now: Monotonic time in seconds.
        """
        if self.state is not State.OPEN:  # our hello is on its way, and says what is held by the names of before
            return self.open() if news.renamed and self.state is not State.CLOSED else []
        self._sending.telling.tell(news.evidence)
        says_hello = bool(news.renamed or news.forked & self.progress.apart)
        for by in news.renamed:
            apart = self._exchange.actor(by.new) in self.progress.apart or by.old in self._unnamed
            self._held = renamed_held(self._held, by, apart=apart)
            self._sending.renamed(by, apart=apart)
        self._held = ended_held(self._held, news.ends)
        self.recheck(now)
        effects = self._evaluate(now)
        return effects + self.open() if says_hello else effects

    def _deal_offer(self, offer: Offer) -> list[Effect]:
        first = self._exchange.merging.first_wanted(offer)
        self._wants = None if first is None else offer.segment
        return [self._send(Want(offer.segment, offer.parts if first is None else first))]

    def _after_data(self, taken: Taken) -> list[Effect]:
        self._dealt += 1
        again = {actor for actor, seq in taken.held if seq <= self._told.get(actor, 0)}
        if again:  # the peer does not know (any more) that these are here: it is said again
            self._told = {actor: seq for actor, seq in self._told.items() if actor not in again}
        self._passed_over = self._passed_over or taken.unchecked
        effects: list[Effect] = []
        if taken.applied:
            effects.append(Applied(self.peer, taken.applied))
        ours = self._exchange.frontier()
        self._sending.learned(taken.held, ours)  # also of what came too early or too late to be taken
        for actor, seq in taken.held:
            if (taken.unchecked or seq > ours.get(actor, 0)) and self._is_kept(actor, self._unnamed, ours):
                self._unnamed.add(actor)
            if actor in ours and actor not in self.progress.apart:
                self._held[actor] = max(seq, self._held.get(actor, 0))  # whoever sends a change has it
        if taken.settled:
            self._sending.grown()
        self._part(taken.apart)
        effects += self._ack(again=taken.early)
        return effects

    def _deal_ack(self, ack: Ack) -> list[Effect]:
        ours = self._exchange.frontier()
        for actor, seq in ack.moved:
            if actor in self._held or self._is_kept(actor, self._held, ours):
                self._held[actor] = max(seq, self._held.get(actor, 0))
        self.progress.waiting = ack.waiting
        self._sending.acknowledged(self._held, ack.frames, again=ack.again)
        if ack.proof:
            self._proving.heard(self._held, ack.proof, ack.unread, ack.evidence)
            evidence = self._exchange.proof().evidence
            if ack.evidence != evidence:  # content is a function of the changes and the evidence
                return self._ask_for_evidence(evidence, ack.evidence)
            if self._differed:  # what we said of our content, before the evidence was the same, it could not look at
                self._differed = None
                self._proving.recheck()
            return self._compare()
        return []

    def _ask_for_evidence(self, ours: bytes, theirs: bytes) -> list[Effect]:
        """Ask for what is lacking of the peer's evidence, once for each pair of sets that differ: of both, the hashes."""
        if (ours, theirs) == self._differed or self._sending.telling.is_asking:
            return []
        if not self._rates.asks.allows(b"", self._now):
            self._deadlines.setdefault("evidence", self._now + limits.SCANS_WINDOW_S)
            return []
        self._differed = ours, theirs
        self._proving.recheck()  # it could not look at what we said of our content
        return [self._send(page) for page in self._sending.telling.ask()]

    @staticmethod
    def _is_kept(actor: bytes, claims: Sized, ours: Frontier) -> bool:
        """
        Tell whether it is kept what a peer says that it holds of an actor: of some that are not known here, and no more.

        A peer that is sent what it has says again that it has it, so nothing hangs on the others.
        """
        return actor in ours or len(claims) < len(ours) + limits.CLAIMS_MAX

    # --- proof of equality --------------------------------------------------------------------------------------------

    def _say_proof(self) -> list[Effect]:
        proof = self._proving.say(self._held)
        return [] if proof is None else [*self._ack(proof=proof), *self._compare()]

    def _compare(self) -> list[Effect]:
        effects = self._outcome(self._proving.compare())
        if effects:
            proof = self._proving.say(self._held)
            if proof is not None:  # whoever is proved may leave at once, and cells mean nothing before their proof
                effects = [*self._ack(proof=proof), *effects]
        return effects

    def _deal_compared(self, message: Cells | Listed) -> list[Effect]:
        """Take cells or a page, if all that is here may be looked at for it now; else keep it for then."""
        goes_on = isinstance(message, Listed) and message.after != BEFORE_ALL  # a page looks at its own range alone
        if self._deferred or not (goes_on or self._rates.scans.allows(b"", self._now)):
            if len(self._deferred) >= limits.DEFERRED_MAX:
                raise RemoteProtocolError("it goes on to compare, and waits for no answer", self.peer)
            self._deferred.append(message)
            self._deadlines.setdefault("compare", self._now + limits.SCANS_WINDOW_S)
            return []
        if isinstance(message, Cells):
            return self._outcome(self._proving.take_cells(message))
        self._dealt += 1
        return [*self._outcome(self._proving.take_page(message)), *self._ack()]

    def _outcome(self, outcome: Outcome) -> list[Effect]:
        effects: list[Effect] = [self._send(message) for message in outcome.say]
        self._part(outcome.apart & self._exchange.frontier().keys())
        if outcome.late:
            self._deadlines.setdefault("compare", self._now + limits.SCANS_WINDOW_S)
        if outcome.proved:
            self.progress.proved, self.progress.proved_at = True, self._exchange.frontier()
            self.progress.differing = ()
            effects.append(Proved(self.peer))
        elif outcome.say or outcome.differing:
            self.progress.proved, self.progress.proved_at = False, None
        if outcome.differing:
            self.progress.differing = outcome.differing
            effects.append(Differs(self.peer, tuple(each.key for each in outcome.differing)))
        return effects

    # --- out ----------------------------------------------------------------------------------------------------------

    def _evaluate(self, now: float) -> list[Effect]:
        """Decide, from all that is known, what to send."""
        if self.state is not State.OPEN:
            return []
        effects: list[Effect] = []
        while self._sending.room:
            message = self._sending.next() or self._proving.next_page()
            if message is None:
                break
            send = self._send(message)
            if EVENT_OF[type(message)] is Event.DATA:
                self._sending.sent(len(send.frame))
            effects.append(send)
        ours, _, is_provisional = self._exchange.standing()
        if self._awaited is not None and not self._exchange.behind.lacks(self._awaited):
            self._awaited, self._asked = None, False  # somebody else was faster
        if is_provisional and not self._asked and (wanted := self._exchange.behind.wanted()) is not None:
            self._asked = True
            effects += [self._send(page) for page in wanted.since(self._question).pages()]
            self._question = wanted
        if self._strangers and self._exchange.forks.are_members(self._strangers):
            self._strangers.clear()
            effects += self.open()  # the peer hears in it that we lack its evidence
        if self._passed_over and not is_provisional:
            self._passed_over = False
            effects += self._ack(again=True)
        self._measure(ours)
        if self._held == ours and not self._proving.has_said(ours):
            self._deadlines.setdefault("prove", now + limits.PROVE_DELAY_S)
        return effects

    def _measure(self, ours: Frontier) -> None:
        """Say how far apart the two are."""
        self.progress.theirs = self._held
        self.progress.behind = frontier.lacking(ours, self._held)
        self.progress.ahead = frontier.lacking(self._held, ours)
        self.progress.proved = self._held == ours == self.progress.proved_at

    def _ack(self, *, again: bool = False, proof: Proof | None = None) -> list[Effect]:
        """Say what is durable here; in several messages where more actors have moved than one has room for."""
        ours, waiting = self._exchange.standing()[:2] if proof is None else (proof.frontier, proof.waiting)
        moved = tuple(frontier.to_pairs(frontier.difference(ours, self._told)))
        self._told, self._told_waiting = ours, waiting
        effects: list[Effect] = []
        size = limits.HEADS_MAX
        while len(moved) > size:
            first, moved = moved[:size], moved[size:]
            effects.append(self._send(Ack(first, self._dealt, False, b"", waiting)))
        said = (b"", waiting) if proof is None else (proof.encoded, waiting, proof.evidence, proof.unread)
        effects.append(self._send(Ack(moved, self._dealt, again, *said)))
        return effects

    def _send(self, message: Message) -> Send:
        frame = self._codec.encode(message)
        self.progress.sent_bytes += len(frame)
        return Send(self.peer, frame)

    def fail(self, error: EddaError) -> list[Effect]:
        """End the talk over an error, and tell the peer whose it is."""
        self.state = State.CLOSED
        fault = "mine" if isinstance(error, (StorageError, LocalError, BugError)) else "yours"
        reason = getattr(error, "reason", str(error))
        return [self._send(Goodbye(str(reason)[:WORDS_MAX], fault)), Close(self.peer, error)]
