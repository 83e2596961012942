"""
A session: one talk with one peer, from hello to goodbye. Frames, news and ``now`` in; effects out.

    OPENING --hello--> OPEN --goodbye / fault--> CLOSED          (the table below is the whole of it)

Theory. Each side says hello with its frontier and then streams, in its log order, the changes that the other lacks; the
other acknowledges what it made durable. Events only change what is known; one function, :meth:`Session._evaluate`,
decides what to send. What lives here keeps these invariants:

1. ``known`` covers what the peer said that it holds, what it sent, and what was sent to it since: nothing in it is
   sent.
2. At most ``WINDOW_BYTES_MAX`` are under way: sent, and not yet acknowledged.
3. A peer that refuses a batch as too early says where it stands, and the stream starts over from there.
4. "Equal" is said only after both sides compared a digest taken at one common frontier with nothing waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from edda_sync import limits
from edda_sync.crdt import frontier
from edda_sync.crdt.change import decode_header
from edda_sync.crdt.frontier import Frontier
from edda_sync.errors import EddaError, ForkError, LocalError, RemoteMismatchError, RemoteProtocolError, StorageError
from edda_sync.protocols import Logged
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Proved, Send
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Ack, Buckets, Changes, Goodbye, Hello, Message, Part, Snapshot, Summary
from edda_sync.sync.snapshots import MadeSegment, Taken
from edda_sync.sync.wire import Codec

PROTOCOLS: Final = (limits.PROTOCOL_VERSION, limits.PROTOCOL_VERSION)
WORDS_MAX: Final = 200  # of a goodbye's reason that are shown


class State(Enum):
    """Where a session stands."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Event(Enum):
    """What can come from the peer."""

    HELLO = "hello"
    DATA = "data"
    ACK = "ack"
    BUCKETS = "buckets"
    GOODBYE = "goodbye"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.OPENING, Event.HELLO): State.OPEN,
    (State.OPENING, Event.GOODBYE): State.CLOSED,
    (State.OPEN, Event.DATA): State.OPEN,
    (State.OPEN, Event.ACK): State.OPEN,
    (State.OPEN, Event.BUCKETS): State.OPEN,
    (State.OPEN, Event.GOODBYE): State.CLOSED,
}

EVENT_OF: Final[dict[type[Message], Event]] = {
    Hello: Event.HELLO,
    Changes: Event.DATA,
    Part: Event.DATA,
    Snapshot: Event.DATA,
    Ack: Event.ACK,
    Buckets: Event.BUCKETS,
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


class Session:
    """
    One talk with one peer. Call :meth:`open` first, carry out the effects in order, and ask :meth:`next_deadline`.

    Args:
        exchange: What the store gives and takes.
        codec: Frames of this replica.
        device: This device's id.
        peer: The peer's, as its certificate proved.
        workspace_tag: Of a device id: what its hello must say of the workspace.
    """

    def __init__(
        self, exchange: Exchange, codec: Codec, device: str, peer: str, workspace_tag: Callable[[str], bytes]
    ) -> None:
        self.state = State.OPENING
        self.peer = peer
        self.progress = Progress()
        self._exchange, self._codec = exchange, codec
        self._device, self._tag = device, workspace_tag
        self._known: Frontier = {}
        self._held: Frontier = {}  # what the peer itself said that it holds
        self._queue: list[int] = []
        self._news = False
        self._large: tuple[Logged, int] | None = None
        self._segment: tuple[MadeSegment, int] | None = None
        self._agains = 0  # how often in a row it asked for the same again
        self._again_from: Frontier = {}
        self._wanted: dict[tuple[int, int], int] = {}
        self._wanted_segments: dict[bytes, int] = {}
        self._under_way: deque[int] = deque()
        self._sent_frames = self._dealt = 0
        self._deadlines: dict[str, float] = {}
        self._said: Frontier | None = None  # the frontier whose digest was sent last
        self._their_digest: tuple[Frontier, str, int] | None = None
        self._compared: tuple[Frontier, str] | None = None  # where, and with which digest of theirs

    # --- in -----------------------------------------------------------------------------------------------------------

    def open(self) -> list[Effect]:
        """Say hello."""
        ours = self._exchange.introduction()
        tag = self._tag(self._device)
        return [self._send(Hello(PROTOCOLS, tag, self._device, ours.heads, "", ours.waiting, ours.wanted))]

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
        try:
            message = self._codec.decode(frame)
            event = EVENT_OF[type(message)]
            following = TRANSITIONS.get((self.state, event))
            if following is None:
                raise RemoteProtocolError(f"{event.value} while {self.state.value}", self.peer)
            effects = self._deal(message)
            self._follow(following)
            return effects + self._evaluate(now)
        except EddaError as error:
            return self._fail(error)

    def _follow(self, following: State) -> None:
        if self.state is not State.CLOSED:  # dealing with a message may have ended the talk
            self.state = following

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
            self._news = True
            return self._guarded(now)
        self._measure(self._exchange.frontier())
        self._deadlines.setdefault("relay", now + limits.RELAY_DELAY_S)
        self._deadlines.setdefault("announce", now + limits.ANNOUNCE_DELAY_S)
        return []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; call it at :meth:`next_deadline`."""
        due = [name for name, deadline in self._deadlines.items() if deadline <= now]
        for name in due:
            del self._deadlines[name]
        if self.state is not State.OPEN or not due:
            return []
        effects: list[Effect] = []
        if "relay" in due:
            self._news = True
        try:
            if "prove" in due:
                effects += self._say_digest()
            elif "announce" in due:
                effects.append(self._ack(self._exchange.standing()))
            return effects + self._evaluate(now)
        except EddaError as error:
            return self._fail(error)

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is due, in monotonic seconds; None when nothing is."""
        return min(self._deadlines.values(), default=None)

    def close(self, reason: str = "closing") -> list[Effect]:
        """Say goodbye."""
        if self.state is State.CLOSED:
            return []
        self.state = State.CLOSED
        return [self._send(Goodbye(reason, "none")), Close(self.peer, None)]

    # --- dealing with messages ----------------------------------------------------------------------------------------

    def _deal(self, message: Message) -> list[Effect]:
        if isinstance(message, Hello):
            self._deal_hello(message)
            return []
        if isinstance(message, Ack):
            return self._deal_ack(message)
        if isinstance(message, Buckets):
            return self._deal_buckets(message)
        if isinstance(message, Goodbye):
            self.state = State.CLOSED
            error = None
            if message.fault != "none":
                error = RemoteMismatchError(f"it ended the talk: {message.reason[:WORDS_MAX]}", self.peer)
            return [Close(self.peer, error)]
        if isinstance(message, Changes):
            taken = self._exchange.take(message)
        elif isinstance(message, Part):
            taken = self._exchange.take_part(message)
        else:
            taken = self._exchange.snapshots.take(message)
        return self._after_data(message, taken)

    def _deal_hello(self, hello: Hello) -> None:
        if not hello.protocol[0] <= PROTOCOLS[1] or not hello.protocol[1] >= PROTOCOLS[0]:
            raise RemoteMismatchError(
                f"it speaks version {hello.protocol[1]} of the protocol, and we {PROTOCOLS[1]}", self.peer
            )
        if hello.device != self.peer or hello.workspace != self._tag(self.peer):
            raise RemoteMismatchError("it belongs to another workspace", self.peer)
        theirs = _frontier(tuple((each.actor, each.seq) for each in hello.heads))
        self._refuse_forks(hello.heads)
        self.progress.waiting = hello.waiting
        if any(not 0 <= first <= limits.SEGMENT_PARTS_MAX for *_, first in hello.wanted):
            raise RemoteProtocolError("a wish for a part out of bounds", self.peer)
        self._wanted = {(actor, seq): first for actor, seq, _, first in hello.wanted if seq}
        self._wanted_segments = {name: first for _, seq, name, first in hello.wanted if not seq}
        self._known, self._held = dict(theirs), theirs
        self._news = True

    def _refuse_forks(self, heads: tuple[Summary, ...]) -> None:
        forks = self._exchange.find_forks(heads)
        if forks:
            raise ForkError(*forks[0], self.peer)

    def _after_data(self, message: Changes | Part | Snapshot, taken: Taken) -> list[Effect]:
        self._dealt += 1
        effects: list[Effect] = []
        if taken.applied:
            effects.append(Applied(self.peer, taken.applied))
        ours, waiting = self._exchange.standing()
        if not taken.early:
            for actor, seq in _dots_of(message):  # whoever sends a change has all before it too
                self._known[actor] = max(seq, self._known.get(actor, 0))
        effects.append(self._ack((ours, waiting), again=taken.early))
        return effects

    def _deal_ack(self, ack: Ack) -> list[Effect]:
        held = _frontier(ack.frontier)
        self.progress.waiting = ack.waiting
        self._held = held
        while self._under_way and len(self._under_way) > self._sent_frames - ack.frames:
            self._under_way.popleft()
        if ack.again:
            self._agains = self._agains + 1 if held == self._again_from else 1
            self._again_from = held
            if self._agains > limits.AGAINS_MAX:  # else the two would go round and round as fast as they can
                raise RemoteProtocolError("it asks for the same again and again, and takes nothing", self.peer)
            self._known, self._queue, self._large, self._news = dict(held), [], None, True
        else:
            self._known = frontier.join(self._known, held)
        if ack.digest:
            self._their_digest = (held, ack.digest, ack.waiting)
            return self._compare()
        return []

    # --- proof of equality --------------------------------------------------------------------------------------------

    def _say_digest(self) -> list[Effect]:
        ours = self._exchange.frontier()
        if ours != self._held or ours == self._said:
            return []
        proof = self._exchange.proof()
        if proof.frontier != ours:  # something was written meanwhile, whose own turn comes
            return []
        self._said = ours
        return [self._ack((ours, proof.waiting), digest=proof.digest), *self._compare()]

    def _compare(self) -> list[Effect]:
        if self._their_digest is None:
            return []
        at, digest, waiting = self._their_digest
        if at != self._exchange.frontier() or self._compared == (at, digest):
            return []
        proof = self._exchange.proof()
        if at != proof.frontier:
            return []
        self._compared = at, digest
        if waiting or proof.waiting:  # no content to compare, but the same changes, or else a fork
            return [] if proof.digest == digest else [self._send(Buckets(proof.heads, b""))]
        if proof.digest == digest:
            self.progress.proved, self.progress.proved_at = True, at
            effects: list[Effect] = []
            if self._said != at:  # whoever is proved may leave at once: first let the peer prove it too
                self._said = at
                effects.append(self._ack((at, proof.waiting), digest=digest))
            return [*effects, Proved(self.peer)]
        self.progress.proved, self.progress.proved_at = False, None
        sums = b"".join(b.to_bytes(2, "big") + s.to_bytes(16, "big") for b, s in sorted(proof.buckets.items()) if s)
        return [self._send(Buckets(proof.heads, sums))]

    def _deal_buckets(self, message: Buckets) -> list[Effect]:
        theirs_at = _frontier(tuple((each.actor, each.seq) for each in message.heads))
        self._refuse_forks(message.heads)
        proof = self._exchange.proof()
        if theirs_at != proof.frontier or proof.waiting or self.progress.waiting:
            return []
        if len(message.sums) % 18 or len(message.sums) > 18 * limits.DIGEST_BUCKETS:
            raise RemoteProtocolError("malformed bucket sums", self.peer)
        theirs = {
            int.from_bytes(message.sums[at : at + 2], "big"): int.from_bytes(message.sums[at + 2 : at + 18], "big")
            for at in range(0, len(message.sums), 18)
        }
        ours = {bucket: total for bucket, total in proof.buckets.items() if total}
        differing = tuple(sorted(bucket for bucket in {*ours, *theirs} if ours.get(bucket) != theirs.get(bucket)))
        return [Differs(self.peer, differing)] if differing else []

    def recheck(self, now: float) -> None:
        """Compare digests anew: the view was rebuilt."""
        self._said = self._compared = None
        self._deadlines["prove"] = now

    # --- out ----------------------------------------------------------------------------------------------------------

    def _guarded(self, now: float) -> list[Effect]:
        try:
            return self._evaluate(now)
        except EddaError as error:
            return self._fail(error)

    def _evaluate(self, now: float) -> list[Effect]:
        """Decide, from all that is known, what to send."""
        if self.state is not State.OPEN:
            return []
        effects: list[Effect] = []
        while sum(self._under_way) < limits.WINDOW_BYTES_MAX:
            message = self._next_data()
            if message is None:
                break
            send = self._send(message)
            self._under_way.append(len(send.frame))
            self._sent_frames += 1
            effects.append(send)
        ours = self._exchange.frontier()
        self._measure(ours)
        if self._held == ours and self._said != ours:
            self._deadlines.setdefault("prove", now + limits.PROVE_DELAY_S)
        return effects

    def _measure(self, ours: Frontier) -> None:
        """Say how far apart the two are."""
        self.progress.theirs = self._held
        self.progress.behind = frontier.lacking(ours, self._held)
        self.progress.ahead = frontier.lacking(self._held, ours)
        self.progress.proved = self._held == ours == self.progress.proved_at

    def _next_data(self) -> Message | None:
        """Return the next frame of data for the peer, or None when there is nothing (more) to say now."""
        if self._segment is not None:
            return self._next_segment_part()
        if self._large is not None:
            large, number = self._large
            part = self._exchange.part(large, number)
            if part is not None:
                self._large = (large, number + 1)
                return part
            self._large = None
        if not self._queue and self._news:
            self._news = False
            missing = self._exchange.missing(self._known)
            is_long = missing is not None and not self._known and len(missing) >= limits.SNAPSHOT_CHANGES_MIN
            if missing is None or is_long:
                made = self._exchange.snapshots.given(self._known)
                if made is not None:
                    self._segment = (made, min(self._wanted_segments.pop(made.hash, 0), made.parts - 1))
                    return self._next_segment_part()
            self._queue = missing or []
        if not self._queue:
            return None
        given = self._exchange.batch(self._queue, self._known)
        if given is None:
            self._queue = []
            return None
        self._known = given.frontier
        if given.large is not None:
            self._large = (given.large, self._wanted.pop((given.large.actor, given.large.seq), 0))
        return given.message

    def _next_segment_part(self) -> Message | None:
        assert self._segment is not None, "asked for only while a segment is being sent"
        made, number = self._segment
        needless = frontier.covers(self._known, dict(made.frontier))  # another peer was faster
        data = None if needless else self._exchange.snapshots.part(made.hash, number)
        if data is None:  # or it was made anew meanwhile, for another peer
            self._segment, self._news = None, True
            return self._next_data()
        self._segment = (made, number + 1) if number + 1 < made.parts else None
        if self._segment is None:
            self._known = frontier.join(self._known, dict(made.frontier))
            self._news = True
        return Snapshot(made.hash, made.parts, number, data)

    def _ack(self, standing: tuple[Frontier, int], *, again: bool = False, digest: str = "") -> Send:
        ours, waiting = standing
        return self._send(Ack(tuple(frontier.to_pairs(ours)), self._dealt, again, digest, waiting))

    def _send(self, message: Message) -> Send:
        frame = self._codec.encode(message)
        self.progress.sent_bytes += len(frame)
        return Send(self.peer, frame)

    def _fail(self, error: EddaError) -> list[Effect]:
        """End the talk over an error, and tell the peer whose it is."""
        self.state = State.CLOSED
        fault = "mine" if isinstance(error, (StorageError, LocalError)) else "yours"
        reason = getattr(error, "reason", str(error))
        return [self._send(Goodbye(str(reason)[:WORDS_MAX], fault)), Close(self.peer, error)]


def _dots_of(message: Changes | Part | Snapshot) -> list[tuple[int, int]]:
    """Return which changes whoever sent this has; a segment says more than that, and its sender said so in its hello."""
    if isinstance(message, Changes):
        return [decode_header(raw).dot for raw, _ in message.changes]
    return [(message.actor, message.seq)] if isinstance(message, Part) else []


def _frontier(pairs: tuple[tuple[int, int], ...]) -> Frontier:
    try:
        return frontier.from_pairs(pairs)
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from None
