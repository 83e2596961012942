r"""
A session: the exchange with one peer over one link, from hello to goodbye. Frames, news and ``now`` go in, effects come out.

       OPENING --hello--> OPEN --goodbye / fault--> CLOSED          (the whole table is in ``states``)
        \\--first page of a hello--> READING --last page--> OPEN

Theory. Each side says hello with its frontier, and then streams the changes that the other lacks, in the order of its log.
The other side acknowledges what it made durable. Events only change what is known; one function, :meth:`Session._evaluate`,
decides what to send. This module says which message may come when, and which part handles it. The parts have their own state
and invariants: what the peer holds (:mod:`~edda_sync.sync.theirs`), brings (:mod:`~edda_sync.sync.intake`), is told
(:mod:`~edda_sync.sync.saying`) and is sent (:mod:`~edda_sync.sync.sending`); whether both stores are equal
(:mod:`~edda_sync.sync.comparing`); evidence (:mod:`~edda_sync.sync.evidence`), and the log behind a segment
(:mod:`~edda_sync.sync.backfill`). What all sessions of a device share is in :mod:`~edda_sync.sync.relaying`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edda_sync.crdt import ext as exts
from edda_sync.sync import messages
from edda_sync.sync.backfill import Backfill
from edda_sync.sync.beside import Aside, Beside
from edda_sync.sync.comparing import Comparing
from edda_sync.sync.effects import Close, Effect, Learned, Said, Send, Work
from edda_sync.sync.ending import ending
from edda_sync.sync.evidence import EvidenceTalk
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.file_messages import FILES, FileMessage, Has, Lacks, Seek, Slice
from edda_sync.sync.filing import Filing
from edda_sync.sync.greeting import PROTOCOLS
from edda_sync.sync.inflow import Inflow
from edda_sync.sync.intake import Intake
from edda_sync.sync.messages import Changes, Fetch, Goodbye, Heads, Hello, Message, Pull
from edda_sync.sync.progress import Progress
from edda_sync.sync.rates import Rates
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.saying import Saying
from edda_sync.sync.sending import Sending
from edda_sync.sync.states import TRANSITIONS, Event, State
from edda_sync.sync.theirs import Theirs
from edda_sync.sync.timers import Timers
from edda_sync.sync.wire import Codec
from edda_sync.words import errors
from edda_sync.words.reasons import Reason

WORDS_MAX: Final = 200  # how many characters of a goodbye's reason are used


class Session:
    """
    A session with one peer. Call :meth:`open` first, carry out the effects in order, and ask :meth:`next_deadline`.

    Args:
        exchange: The store, as sessions see it.
        codec: Encodes and decodes the frames of this replica.
        device: This device's id.
        peer: The peer's id, as its certificate proved.
        workspace_tag: Returns, for a device id, the tag that its hello must contain.
        rates: How much this peer brought lately, in this session and before.
        relaying: What all sessions of this device share.
        beside: Runs what takes long.
        filing: Exchanges the content of attached files; None for a device that does not.

    Attributes:
        speaks_files: Whether the peer exchanges the content of attached files, too.
    """

    def __init__(
        self,
        exchange: Exchange,
        codec: Codec,
        device: str,
        peer: str,
        workspace_tag: Callable[[str], bytes],
        rates: Rates,
        relaying: Relaying,
        beside: Beside,
        filing: Filing | None = None,
    ) -> None:
        self.state, self.peer, self.progress = State.OPENING, peer, Progress()
        self.speaks_files, self._filing = False, filing
        self._exchange, self._codec, self._relaying, self._device = exchange, codec, relaying, device
        self._tag, self._nonce, self._now, self._timers = workspace_tag, exchange.random(16), 0.0, Timers()
        self._theirs, self._backfill, self._aside = Theirs(), Backfill(exchange), Aside(beside, exchange, peer)
        self._sending = Sending(exchange, lambda: relaying.assumed(peer))
        self._comparing = Comparing(
            exchange, self._nonce, peer, self.progress, self._timers, lambda: rates.scans.allows(b"", self._now)
        )
        self._evidence = EvidenceTalk(exchange, self._sending, rates, self._timers)
        self._saying = Saying(
            exchange, peer, self._theirs, self._sending, self.progress, self._timers, self._comparing, relaying
        )
        self._intake = Intake(
            exchange, peer, rates, self._timers, self.progress, self._theirs, self._sending, self._saying, self._comparing,
            self._evidence, self._backfill, relaying, self._aside,
        )  # fmt: skip
        self._inflow = Inflow(
            codec, rates, self._timers, lambda: self._intake.is_busy, lambda: beside.is_busy,
            lambda: exchange.standing().is_provisional,
        )  # fmt: skip

    # --- in -----------------------------------------------------------------------------------------------------------

    @ending
    def open(self) -> Said:
        """Say hello."""
        return self._hello()

    def _hello(self) -> Said:
        ours = self._exchange.introduction()
        self._saying.acking.introduced({head.actor: head.seq for head in ours.heads}, ours.waiting)
        self._sending.telling.is_asking = False  # a hello also asks for what is missing
        tag, (first, *rest) = self._tag(self._device), ours.pages()
        page = first.heads, first.more, first.evidence
        ext = exts.NONE if self._filing is None else ((FILES, b""),)
        return [Hello(PROTOCOLS, tag, self._device, self._nonce, *page, ours.waiting, ours.wanted, ext), *rest]

    @ending
    def frame_received(self, frame: bytes, now: float) -> Said:
        """
        Take one whole frame that arrived from the peer.

        Args:
            frame: The frame.
            now: Monotonic time in seconds.

        Returns:
            The effects, to be carried out in order. After a fault the last effect is a :class:`Close`.
        """
        if self.state is State.CLOSED:
            return []
        self.progress.rcvd_bytes += len(frame)
        self._now = now
        message = self._codec.decode(frame)
        if self._waits(DISPATCH[type(message)][0], frame, now):
            return []
        return [*self._dealt(message), *self._evaluate(now)]

    def _waits(self, event: Event, frame: bytes, now: float) -> bool:
        if event is Event.FILES or (event is Event.DATA and self.state is not State.OPEN):
            return False  # files do not depend on changes; data is refused below, because it may not come now
        return self._inflow.waits(frame, self.peer, now, is_data=event is Event.DATA)

    def _dealt(self, message: Message) -> Said:
        """Handle a message. What to send is decided after all messages that are due were handled."""
        event, deal = DISPATCH[type(message)]
        following = TRANSITIONS.get((self.state, event))
        if following is None:
            raise errors.RemoteProtocolError(f"{event.value} while {self.state.value}", self.peer)
        said = deal(self, message) or ()
        self.state = State.READING if isinstance(message, (Hello, Heads)) and message.more else following
        return said

    @ending
    def news(self, now: float, *, own: bool) -> Said:
        """
        Note that the log has new changes.

        Args:
            now: Monotonic time in seconds.
            own: Whether they are this device's own, which are pushed; those of other devices are announced.
        """
        self._now = now
        if self.state is not State.OPEN:
            return []
        if own:
            self._sending.grown()
        else:
            self._sending.relayed()
            self._saying.grown(now)
        return self._evaluate(now)

    @ending
    def tick(self, now: float) -> Said:
        """Do what is due. Call it at :meth:`next_deadline`."""
        self._now = now
        if self.state is not State.OPEN:
            return []  # timers wait until the rest of the peer's hello is here
        due = self._timers.take(now)
        said = [each for name in due for each in TICKS[name](self, now) or ()]
        return [*said, *self._evaluate(now)] if due else []

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is due, in monotonic seconds; None when nothing is."""
        return self._timers.next() if self.state is State.OPEN else None

    def recheck(self, now: float) -> None:
        """Compare again, because the view was folded again; until then nothing is proved."""
        self._comparing.proving.recheck()
        self.progress.unproved()
        self._timers.at("prove", now)

    @ending
    def proved(self, now: float) -> Said:
        """Note that the log confirmed our segment: give and check what was kept back meanwhile."""
        if self.state is not State.OPEN:
            return []
        self.recheck(now)
        hello = self._hello() if self._intake.apart.start_over() else []
        self._sending.grown()
        return [*hello, *self._evaluate(now)]

    @ending
    def greet_again(self, now: float) -> Said:
        """Say hello again, because less is held here than was told, or other changes."""
        if self.state is State.OPEN:
            self.recheck(now)
            self._intake.start_over()
            self._backfill.ask_again()
        return self._hello() if self.state is not State.CLOSED else []

    @ending
    def ask(self, now: float) -> Said:
        """Prove soon, for a while, whether both are equal, because somebody wants to know."""
        self._saying.asked(now)
        return self._evaluate(now) if self.state is State.OPEN else []

    @ending
    def pull(self) -> Said:
        """Ask for everything that the peer holds and is missing here."""
        return [*self._saying.ack_if_untold(), Pull()] if self.state is State.OPEN else []

    @property
    def in_vain(self) -> bool:
        """Whether the peer was asked for the log behind our segment, and does not have it."""
        return self.state is State.OPEN and self._backfill.in_vain

    @property
    def has_more(self) -> bool:
        """Whether the peer sent changes that cannot be taken before the log behind our segment is here."""
        return self._backfill.passed_over

    @ending
    def fetch(self, wanted: Fetch) -> Said:
        """Ask for changes that rotted on this disk."""
        return self._intake.fetch(wanted) if self.state is State.OPEN else []

    @ending
    def learned(self, news: Learned, now: float) -> Said:
        """
        Note new evidence, and pass it on. A peer that lacks more is told when it says so.

        If changes were renamed, or the two were apart in a chain that is now proved to fork, also say hello again with the
        new names. The peer does the same if it holds any of that chain.

        Args:
            news: The new evidence.
            now: Monotonic time in seconds.
        """
        if self.state is not State.OPEN:  # our hello is under way, and uses the old names
            return self._hello() if news.renamed and self.state is not State.CLOSED else []
        says_hello = bool(news.renamed or news.forked & self.progress.apart)
        self._intake.learned(news)
        self.recheck(now)
        said = self._evaluate(now)
        return [*said, *self._hello()] if says_hello else said

    def awaits(self, work: Work) -> bool:
        """Tell whether a work belongs to this session."""
        return self._aside.awaits(work)

    @ending
    def worked(self, now: float) -> Said:
        """Handle the result of the work of this session."""
        self._now = now
        return [*self._aside.done(now), *self._evaluate(now)]

    def go_on(self, now: float) -> None:
        """Take in a turn of its own what waited for work that has ended."""
        self._timers.at("rest", now)

    @property
    def is_taking(self) -> bool:
        """Whether something that the peer sent is not processed yet."""
        return self._intake.is_busy or self._inflow.is_waiting

    def takes_data(self, now: float) -> bool:
        """Tell whether the next :meth:`tick` will take data that waited."""
        return self.state is State.OPEN and self._timers.is_due("rest", "expand", now=now)

    def close(self, reason: Reason = Reason.CLOSING) -> list[Effect]:
        """Say goodbye."""
        if self.state is State.CLOSED:
            return []
        self.state = State.CLOSED
        return self.spoken([Goodbye(reason.value, "none"), Close(self.peer, None, reason=reason)])

    def fail(self, error: errors.EddaError) -> list[Effect]:
        """End the session over an error, and tell the peer whose fault it is."""
        self.state = State.CLOSED
        fault = "mine" if isinstance(error, (errors.StorageError, errors.LocalError, errors.BugError)) else "yours"
        reason = str(getattr(error, "reason", error))[:WORDS_MAX]
        return self.spoken([Goodbye(reason, fault), Close(self.peer, error)])

    # --- handling of messages -----------------------------------------------------------------------------------------

    def _greeted(self, hello: Hello) -> None:
        self.speaks_files = exts.get(hello.ext, FILES) is not None
        self._intake.greeted(hello, self._tag(self.peer), self._now)

    def _filed(self, message: FileMessage) -> None:
        if self._filing is None:
            raise errors.RemoteProtocolError("files, which this device does not exchange", self.peer)
        self._filing.heard(self.peer, message, self._now)

    def _left(self, goodbye: Goodbye) -> Said:
        error: errors.RemoteError | None = None
        reason = goodbye.reason[:WORDS_MAX]
        if goodbye.fault == "mine":
            error = errors.RemoteFaultError(reason, self.peer)
        elif goodbye.fault != "none":
            error = errors.RemoteComplaintError(reason, self.peer)
        return [Close(self.peer, error, heard=reason if error is None else None)]

    def _expanded(self, now: float) -> Said:
        return [each for frame in self._inflow.ready(now) for each in self._dealt(self._codec.decode(frame))]

    # --- out ----------------------------------------------------------------------------------------------------------

    def _evaluate(self, now: float) -> Said:
        """Decide what to send, from everything that is known."""
        if self.state is not State.OPEN:
            return []
        said = [*self._saying.compare(now)]
        said += self._hello() if self._intake.apart.judge(now) else []
        said += self._stream()
        if self._sending.lacks_segment and not self._aside.is_held:
            said += [*self._sending.make(self._aside, now), *self._stream()]
        said += self._backfill.questions()
        if self._evidence.has_new_members():
            said += self._hello()  # it tells the peer that we lack its evidence
        if self._backfill.can_take_again():
            said += self._saying.ack(again=True)
        self._saying.settle(now)
        return said

    def _stream(self) -> Said:
        """Return data frames, as many as may be under way."""
        said: list[Effect] = []
        while self._sending.room and (message := self._sending.next() or self._comparing.proving.next_page()):
            if isinstance(message, Changes):
                message = self._saying.addressed(message)
            send = self._send(message)
            if DISPATCH[type(message)][0] is Event.DATA:
                self._sending.sent(len(send.frame), self._now)
            said.append(send)
        return said

    def spoken(self, said: Said) -> list[Effect]:
        """Return messages as frames, and effects as they are."""
        return [self._send(each) if isinstance(each, Message) else each for each in said]

    def _send(self, message: Message) -> Send:
        frame = self._codec.encode(message)
        self.progress.sent_bytes += len(frame)
        return Send(self.peer, frame)


DISPATCH: Final[dict[type[Message], tuple[Event, Callable[[Session, Any], Said | None]]]] = {
    Hello: (Event.HELLO, Session._greeted),
    Heads: (Event.PAGE, lambda on, it: on._intake.page(it, on._now)),
    Changes: (Event.DATA, lambda on, it: on._intake.changes(it, on._now)),
    messages.Part: (Event.DATA, lambda on, it: on._intake.part(it, on._now)),
    messages.Snapshot: (Event.DATA, lambda on, it: on._intake.snapshot(it, on._now)),
    messages.Earlier: (Event.DATA, lambda on, it: on._intake.earlier(it, on._now)),
    messages.Evidence: (Event.DATA, lambda on, it: on._intake.evidence(it, on._now)),
    messages.Branch: (Event.DATA, lambda on, it: on._intake.evidence(it, on._now)),
    messages.Listed: (Event.DATA, lambda on, it: on._intake.compared(it, on._now)),
    messages.Behind: (Event.OFFER, lambda on, it: on._sending.owed.asked(it)),
    messages.Known: (Event.OFFER, lambda on, it: on._evidence.asked(it, on._now)),
    messages.Offer: (Event.OFFER, lambda on, it: [on._backfill.offered(it)]),
    messages.Want: (Event.OFFER, lambda on, it: on._sending.wanted(it)),
    messages.Ack: (Event.ACK, lambda on, it: on._intake.acknowledged(it, on._now)),
    messages.Announce: (Event.ACK, lambda on, it: on._relaying.shown(on.peer, it.heads)),
    messages.Cells: (Event.CELLS, lambda on, it: on._intake.compared(it, on._now)),
    Fetch: (Event.FETCH, lambda on, it: on._sending.fetch(it)),
    messages.Found: (Event.FETCH, lambda on, it: on._intake.found(it)),
    Pull: (Event.FETCH, lambda on, _: on._sending.pulled()),
    **dict.fromkeys((Seek, Slice, Lacks, Has), (Event.FILES, Session._filed)),
    Goodbye: (Event.GOODBYE, Session._left),
}
"""The event of each kind of message, and the function that handles it."""

EVENT_OF: Final = {kind: event for kind, (event, _) in DISPATCH.items()}

TICKS: Final[dict[str, Callable[[Session, float], Said | None]]] = {
    "rest": lambda on, now: [*on._intake.go_on(now), *on._expanded(now)],
    "pieces": lambda on, now: on._evidence.tell_pieces((), now),
    "answer": lambda on, _: on._evidence.answer(),
    "expand": Session._expanded,
    "compare": lambda on, now: on._intake.compared_again(now),
    "prove": lambda on, now: on._saying.prove(now),
    "evidence": lambda on, _: on._hello(),  # it tells the peer which of its evidence was left out
    "resume": lambda on, _: on._saying.ack(again=True),
    "announce": lambda on, now: on._saying.announce(now),
    "later": lambda on, now: on._saying.announce_later(now),
}
"""What to do when a timer is due."""
