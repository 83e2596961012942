"""
Sending: the stream of data to one peer. What was sent and not acknowledged is bounded; a refused batch starts it over.

1. ``known`` covers what the peer said that it holds, what it sent, and what was sent to it since: nothing in it is sent.
   Nor is what its author says that it pushed to the peer, until the peer asks for it.
2. Nothing is pushed that is not this device's own, but for what that was made on: what others wrote is sent up to where the
   peer fetched it, by its hello, by asking for the same again, or by a pull.
3. At most ``WINDOW_BYTES_MAX`` are under way: sent, and not yet acknowledged.
4. A peer that refuses a batch as too early says where it stands, and the stream starts over from there.
5. A segment is sent only to a peer that asked for it by name.
6. Evidence goes first, then pieces of chains, within the window like everything: whoever makes others keep much of it
   makes nobody say it all at once. Which evidence the peer lacks, :class:`~edda_sync.sync.telling.Telling` knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from edda_sync.changes.branches import Renaming
from edda_sync.changes.change import decode_header
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import SEQ_MAX, Dot, Frontier
from edda_sync.store.seams import Logged
from edda_sync.sync.beside import Aside
from edda_sync.sync.effects import Said, Then
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.learning import Wanted
from edda_sync.sync.making import MadeSegment
from edda_sync.sync.messages import Fetch, Message, Offer, Snapshot, Want, Wish
from edda_sync.sync.owed import Owed
from edda_sync.sync.telling import Telling
from edda_sync.sync.theirs import renamed_held
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Sending:
    """
    What one peer is sent. Ask :meth:`next` for the next frame of data while there is :attr:`room`.

    Args:
        exchange: What the store gives.
        assumed: What authors say that they pushed to the peer.

    Attributes:
        telling: Evidence to the peer.
        owed: The log behind its segment.
        brought: The last change of each chain in the batch that :meth:`next` returned last.
        lacks_segment: Whether the peer is to be offered a segment, and :meth:`make` is to be called before all else.
    """

    def __init__(self, exchange: Exchange, assumed: Callable[[], Frontier] = dict) -> None:
        self._exchange, self._assumed = exchange, assumed
        self.telling, self.owed = Telling(exchange.forks), Owed(exchange)
        self.brought: Frontier = {}
        self.lacks_segment = False
        self._known: Frontier = {}
        self._granted: Frontier = {}  # up to where it may be sent what is here
        self._fetched_upto: Frontier = {}  # and up to where it asked for that, whatever authors say
        self._queue: list[int] = []
        self._news = False
        self._large: tuple[Logged, int] | None = None  # which change, and which part of it comes next
        self._is_new = True  # whether that is beyond what the peer holds, and not in the log behind its segment
        self._made: MadeSegment | None = None  # to be offered
        self._offered: MadeSegment | None = None
        self._segment: tuple[MadeSegment, int] | None = None
        self._declined = False
        self._fetched: deque[tuple[bytes, int, bytes]] = deque()
        self._fetched_part: int | None = None
        self._wanted: dict[tuple[bytes, int], int] = {}
        self._pieces: dict[bytes, Wanted] = {}  # one of each chain: what was asked for last
        self._under_way: deque[int] = deque()
        self._sent = 0
        self._moves = exchange.moves()
        self._agains = 0  # how often in a row the peer asked for the same again
        self._again_from: Frontier = {}
        self._started_over = 0  # how many frames had been sent when all was begun again

    # --- what is learned ----------------------------------------------------------------------------------------------

    def introduced(self, held: Frontier, wanted: tuple[Wish, ...]) -> None:
        """
        Learn what the peer holds, and of which large changes it has a part: at the start, and when that is another thing.

        The answer to an offer that was made before is still to come.
        """
        self._known, self._queue, self._large, self._segment = dict(held), [], None, None
        self.owed.introduced()
        self._wanted = {(each.actor, each.seq): each.first for each in wanted}
        self.pulled()

    def part(self, actors: frozenset[bytes]) -> None:
        """Send nothing more of actors of whom the peer has other changes than we have."""
        for actor in actors:
            self._known[actor] = SEQ_MAX
        if actors:
            self._queue, self._large, self._news = [], None, True

    def rejoin(self, held: Frontier) -> None:
        """Send again of the actors that were parted: of these the peer holds what it said, and no other changes."""
        self._known = {name: held.get(name, 0) if seq == SEQ_MAX else seq for name, seq in self._known.items()}
        self._news = True

    def tell_pieces(self, pieces: Iterable[Wanted]) -> None:
        """Tell pieces of chains of which the peer holds other changes."""
        self._pieces.update((each.name, each) for each in pieces)

    def renamed(self, by: Renaming, *, apart: bool) -> None:
        """Learn that changes have another name: see :func:`renamed_held`."""
        self._known = renamed_held(self._known, by, apart=apart)
        self._granted = self._fetched_upto = self._exchange.frontier()
        self._news = self._news or apart

    def learned(self, dots: Iterable[Dot], ours: Frontier) -> None:
        """
        Learn that the peer has some changes: it sent them. Of what is not here, and so never sent, it keeps only so much.

        Args:
            dots: The changes.
            ours: What is here.
        """
        for actor, seq in dots:
            if actor in ours or actor in self._known or len(self._known) < len(ours) + limits.CLAIMS_MAX:
                self._known[actor] = max(seq, self._known.get(actor, 0))

    def grown(self) -> None:
        """Learn that the log has grown by this device's own changes: they are pushed, with what they were made on."""
        self._granted = self._exchange.frontier()
        self._news = True

    def relayed(self) -> None:
        """Learn that the log has grown by what others wrote: the peer is sent of it what it fetched and was not here."""
        self._news = self._news or self.owed.in_vain or not frontier.covers(self._known, self._granted)

    def pulled(self) -> None:
        """Learn that the peer asks for all that it has not said that it holds."""
        self._granted = self._fetched_upto = self._exchange.frontier()
        self._news = True

    @property
    def sent_all(self) -> Frontier:
        """What the peer holds once it has taken what was sent, of what is exchanged; nothing while more is to be sent."""
        is_through = not self._queue and self._large is None
        return {name: seq for name, seq in self._known.items() if seq != SEQ_MAX} if is_through else {}

    def acknowledged(self, held: Frontier, frames: int, *, again: bool) -> None:
        """
        Learn what the peer has made durable.

        Args:
            held: All that it holds.
            frames: How many frames of data it has dealt with.
            again: Whether it dropped a batch that came too early.

        Raises:
            RemoteProtocolError: It acknowledges what was never sent, or asks for the same again and again.
        """
        if frames > self._sent:
            raise RemoteProtocolError(f"an acknowledgement of {frames:,} frames, of {self._sent:,} that were sent")
        while self._under_way and len(self._under_way) > self._sent - frames:
            self._under_way.popleft()
        self.telling.acknowledged(frames)
        if again and frames <= self._started_over < self._sent:
            return  # it dropped this one, too, of what was sent before: all of that is on its way anew
        if not again:
            self._known = frontier.join(self._known, held)
            if self._large is not None and self._is_new and held.get(self._large[0].actor, 0) >= self._large[0].seq:
                self._large = None  # somebody else was faster
            return
        ours = self._exchange.frontier()
        taken = {actor: min(seq, ours[actor]) for actor, seq in held.items() if actor in ours}  # claims are no progress
        self._agains = self._agains + 1 if taken == self._again_from else 1
        self._again_from = taken
        if self._agains > limits.AGAINS_MAX:  # else the two would go round and round as fast as they can
            raise RemoteProtocolError("it asks for the same again and again, and takes nothing")
        parted = {actor: seq for actor, seq in self._known.items() if seq == SEQ_MAX}
        self._known, self._queue, self._large = {**held, **parted}, [], None
        self._started_over = self._sent
        self.pulled()

    def wanted(self, want: Want) -> None:
        """Learn what the peer answers to an offer."""
        offered, self._offered = self._offered, None
        if offered is None or want.segment != offered.hash:
            raise RemoteProtocolError("a wish for a segment that was not offered")
        if want.first < offered.parts:
            self._segment = offered, want.first
        else:
            self._declined, self._news = True, True

    def fetch(self, fetch: Fetch) -> None:
        """
        Learn that changes rotted at the peer, and that it asks for them.

        Raises:
            RemoteProtocolError: It asks for more than one message may.
        """
        if len(fetch.wanted) > limits.FETCHED_MAX:
            raise RemoteProtocolError(f"a wish for {len(fetch.wanted):,} changes at once")
        self._fetched, self._fetched_part = deque(fetch.wanted), None

    # --- what is sent -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> bool:
        """Whether more may be under way."""
        return sum(self._under_way) < limits.WINDOW_BYTES_MAX

    def sent(self, size: int) -> None:
        """Note that a frame of data was sent: its size in bytes."""
        self._under_way.append(size)
        self._sent += 1
        self.telling.sent(self._sent)

    def next(self) -> Message | None:
        """Return the next frame of data for the peer, or None when there is nothing (more) to say now."""
        self._follow_log()
        evidence = self.telling.next()
        if evidence is not None:
            return evidence
        while self._pieces:
            piece = self._exchange.forks.piece(self._pieces.pop(next(iter(self._pieces))))
            if piece is not None:
                return piece
        if self._fetched:
            return self._next_fetched()
        if self._made is not None:
            self._offered, self._made = self._made, None
            return Offer(self._offered.hash, self._offered.parts)
        if self.lacks_segment or self._offered is not None:
            return None  # what comes of it decides what follows
        if self._segment is not None:
            return self._next_segment_part()
        if self._large is not None:
            large, number = self._large
            part = self._exchange.giving.part(large, number)
            if part is not None:
                self._large = (large, number + 1)
                return part
            self._large = None
        owed = self.owed.next(news=self._news)
        if owed is not None:
            earlier, long = owed
            if long is not None:
                self._large, self._is_new = (long, self._first_part(long)), False
            return earlier
        if not self._queue and self._news:
            self._news = False
            missing = self._missing()
            is_long = bool(missing) and not self._known and self._exchange.making.pays()
            if (missing is None or is_long) and not self._declined:
                self.lacks_segment = True
                return None
            self._queue = missing or []
        if not self._queue:
            return None
        given = self._exchange.giving.batch(self._queue, self._known, self._granted)
        if given is None:
            self._queue = []
            return None
        self._known, self.brought = given.frontier, given.brought
        if given.large is not None:
            self._large, self._is_new = (given.large, self._first_part(given.large)), True
        return given.message

    def make(self, aside: Aside, now: float) -> Said:
        """
        Have the segment made that the peer is to be offered; beside all else, unless there is one.

        Args:
            aside: Does it, where nothing is under way.
            now: Monotonic time in seconds.
        """
        known = dict(self._known)

        def make(exchange: Exchange) -> Then:
            return partial(self._was_made, exchange.making.given(known))

        return aside.do(make, now, is_long=not self._exchange.making.has(known))

    def _was_made(self, made: MadeSegment | None, _now: float) -> Said:
        if made is not None and self._exchange.making.part(made.hash, made.parts - 1) is None:
            return []  # the view was folded anew since: it is made again
        self.lacks_segment, self._made = False, made
        if made is None:
            self._queue = self._missing() or []
        return []

    def _missing(self) -> list[int] | None:
        """Return where the changes are that the peer may be sent, as far as that can be told before they are read."""
        skipped = dict(self._known)
        for name, seq in self._assumed().items():
            if self._fetched_upto.get(name, 0) <= skipped.get(name, 0) < seq:
                skipped[name] = seq
        return [] if frontier.covers(skipped, self._granted) else self._exchange.giving.missing(skipped)

    def _follow_log(self) -> None:
        """Look again where changes are, if they stand elsewhere in the log by now."""
        if self._moves == self._exchange.moves():
            return
        self._moves = self._exchange.moves()
        if self._large is not None and self._is_new:
            large = self._large[0]
            self._known[large.actor] = min(self._known.get(large.actor, 0), large.seq - 1)
        self._queue, self._large = [], None
        self.grown()

    def _next_fetched(self) -> Message | None:
        """Return the next that is here of what rotted at the peer: a change, then its parts."""
        while self._fetched:
            answer = self._exchange.mending.answer(*self._fetched[0], self._fetched_part)
            if answer is not None:
                self._fetched_part = 0 if self._fetched_part is None else self._fetched_part + 1
                return answer
            self._fetched.popleft()
            self._fetched_part = None
        return self.next()

    def _first_part(self, large: Logged) -> int:
        """Return which part of a large change the peer wants first."""
        return self._wanted.pop(decode_header(large.raw).dot, 0)

    def _next_segment_part(self) -> Message | None:
        assert self._segment is not None, "asked for only while a segment is being sent"
        made, number = self._segment
        data = self._exchange.making.part(made.hash, number)
        if data is None:  # it was made anew meanwhile, for another peer
            self._segment, self._news = None, True
            return self.next()
        self._segment = (made, number + 1) if number + 1 < made.parts else None
        if self._segment is None:
            self._known = frontier.join(self._known, dict(made.frontier))
            self._news = True
        return Snapshot(made.hash, made.parts, number, data)
