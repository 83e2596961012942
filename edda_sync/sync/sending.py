"""
Sending: the stream of data to one peer. Unacknowledged data is bounded, and a refused batch makes the stream start over.

1. ``known`` covers what the peer said that it holds, what it sent, and what was sent to it since; none of that is sent
   again. What an author says that it pushed to the peer is not sent either, until the peer asks for it.
2. A device pushes only its own changes, and what they depend on. Changes of others are sent up to where the peer asked for
   them: by its hello, by asking for the same again, or by a pull.
3. At most ``WINDOW_BYTES_MAX`` are under way, which means sent and not yet acknowledged. While parts of a large change are
   sent, it is only as much as arrives soon. Changes that do not depend on the large one are sent between its parts.
4. A peer that refuses a batch as too early says where it is, and the stream starts over from there.
5. A segment is sent only to a peer that asked for it by name.
6. Evidence goes first, then pieces of chains, within the same window, so that a member who makes others keep much evidence
   cannot make them send it all at once. :class:`~edda_sync.sync.telling.Telling` knows which evidence the peer lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from edda_sync.changes.branches import Renaming
from edda_sync.changes.change import decode_header
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import SEQ_MAX, Dot, Frontier
from edda_sync.store.seams import Logged
from edda_sync.sync.answering import Answering
from edda_sync.sync.beside import Aside
from edda_sync.sync.effects import Said, Then
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.learning import Wanted
from edda_sync.sync.making import MadeSegment
from edda_sync.sync.messages import Fetch, Message, Want, Wish
from edda_sync.sync.offering import Offering
from edda_sync.sync.owed import Owed
from edda_sync.sync.telling import Telling
from edda_sync.sync.theirs import ended_held, renamed_held
from edda_sync.sync.under_way import UnderWay
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


class Sending:
    """
    What one peer is sent. While there is :attr:`room`, ask :meth:`next` for the next data frame.

    Args:
        exchange: The store, as sessions see it.
        assumed: What authors say that they pushed to the peer.

    Attributes:
        telling: Evidence for the peer.
        owed: The log behind the peer's segment.
        brought: The last change of each chain in the batch that :meth:`next` last returned.
    """

    def __init__(self, exchange: Exchange, assumed: Callable[[], Frontier] = dict) -> None:
        self._exchange, self._assumed = exchange, assumed
        self.telling, self.owed = Telling(exchange.forks), Owed(exchange)
        self.brought: Frontier = {}
        self._offering, self._answering, self._under_way = Offering(exchange), Answering(exchange), UnderWay()
        self._known: Frontier = {}
        self._granted: Frontier = {}  # up to where the peer may be sent what is here
        self._fetched_upto: Frontier = {}  # up to where the peer asked for it, whatever authors say
        self._queue: list[int] = []
        self._news = False
        self._large: tuple[Logged, int] | None = None  # the change, and the number of its next part
        self._beside: list[int] = []  # changes that need not wait for it
        self._beside_of: object = None  # what was here, and asked for, when these were looked for
        self._is_new = True  # whether it is beyond what the peer holds, or else in the log behind its segment
        self._wanted: dict[tuple[bytes, int], int] = {}
        self._pieces: dict[bytes, Wanted] = {}  # one of each chain: the one that was last asked for
        self._moves = exchange.moves()
        self._agains = 0  # how often in a row the peer asked for the same
        self._again_from: Frontier = {}
        self._started_over = 0  # how many frames had been sent when the stream last started over

    # --- what is noted ------------------------------------------------------------------------------------------------

    def introduced(self, held: Frontier, wanted: tuple[Wish, ...]) -> None:
        """
        Note what the peer holds, and which large changes it has in part. This happens at the start, and after renamings.

        The answer to an earlier offer is still to come.
        """
        self._known, self._queue, self._large = dict(held), [], None
        self._offering.stop()
        self.owed.introduced()
        self._wanted = {(each.actor, each.seq): each.first for each in wanted}
        self.pulled()

    def part(self, actors: frozenset[bytes]) -> None:
        """Send nothing more of actors whose changes differ at the peer."""
        for actor in actors:
            self._known[actor] = SEQ_MAX
        if actors:
            self._queue, self._large, self._news = [], None, True

    def rejoin(self, held: Frontier) -> None:
        """Send changes of these actors again. The peer holds of them what it said, and no other changes."""
        self._known = {name: held.get(name, 0) if seq == SEQ_MAX else seq for name, seq in self._known.items()}
        self._news = True

    def start_over(self, held: Frontier) -> None:
        """Send again what the peer has not said that it holds: what was sent may have been of what is no longer here."""
        self._known, self._queue, self._large = dict(held), [], None
        self._started_over = self._under_way.sent
        self.grown()

    def tell_pieces(self, pieces: Iterable[Wanted]) -> None:
        """Tell pieces of chains to a peer that holds other changes of them."""
        self._pieces.update((each.name, each) for each in pieces)

    def renamed(self, by: Renaming, *, apart: bool) -> None:
        """Note that changes were renamed; see :func:`renamed_held`."""
        self._known = renamed_held(self._known, by, apart=apart)
        self._granted = self._fetched_upto = self._exchange.frontier()
        self._news = self._news or apart

    def ended(self, ends: Iterable[Dot]) -> None:
        """Note where names end from now on; see :func:`ended_held`."""
        self._known = ended_held(self._known, ends)

    def learned(self, dots: Iterable[Dot], ours: Frontier) -> None:
        """
        Note that the peer has some changes, because it sent them. For chains that are not here, a limited number is noted.

        Args:
            dots: The changes.
            ours: What is held here.
        """
        for actor, seq in dots:
            if actor in ours or actor in self._known or len(self._known) < len(ours) + limits.CLAIMS_MAX:
                self._known[actor] = max(seq, self._known.get(actor, 0))

    def grown(self) -> None:
        """Note own changes in the log: they are pushed, with what they depend on."""
        self._granted = self._exchange.frontier()
        self._news = True

    def relayed(self) -> None:
        """Note new changes of others in the log: the peer is sent those that it asked for before they were here."""
        self._news = self._news or self.owed.in_vain or not frontier.covers(self._known, self._granted)

    def pulled(self) -> None:
        """Note that the peer asks for everything that it has not said that it holds."""
        self._granted = self._fetched_upto = self._exchange.frontier()
        self._news = True

    @property
    def sent_all(self) -> Frontier:
        """
        What the peer holds of what is here once it has taken what was sent, except of actors apart; empty while more is to
        be sent. What it holds beyond that, only it can say.
        """
        if self._queue or self._large is not None:
            return {}
        ours = self._exchange.frontier()
        return {name: min(seq, ours[name]) for name, seq in self._known.items() if seq != SEQ_MAX and name in ours}

    def acknowledged(self, held: Frontier, frames: int, now: float, *, again: bool) -> None:
        """
        Note what the peer has made durable.

        Args:
            held: Everything that it holds.
            frames: How many data frames it has processed.
            now: Monotonic time in seconds.
            again: Whether it dropped a batch that came too early.

        Raises:
            RemoteProtocolError: It acknowledges what was never sent, or asks for the same again too often.
        """
        self._under_way.acknowledged(frames, now)
        self.telling.acknowledged(frames)
        if again and frames <= self._started_over < self._under_way.sent:
            return  # it also dropped this frame, sent before the stream started over; it is already on its way again
        if not again:
            self._known = frontier.join(self._known, held)
            if self._large is not None and self._is_new and held.get(self._large[0].actor, 0) >= self._large[0].seq:
                self._large = None  # another peer sent it first
            return
        ours = self._exchange.frontier()
        taken = {actor: min(seq, ours[actor]) for actor, seq in held.items() if actor in ours}  # claims are no progress
        self._agains = self._agains + 1 if taken == self._again_from else 1
        self._again_from = taken
        if self._agains > limits.AGAINS_MAX:  # otherwise the two would repeat this as fast as they can
            raise RemoteProtocolError("it asks for the same again and again, and takes nothing")
        parted = {actor: seq for actor, seq in self._known.items() if seq == SEQ_MAX}
        self._known, self._queue, self._large = {**held, **parted}, [], None
        self._started_over = self._under_way.sent
        self.pulled()

    def wanted(self, want: Want) -> None:
        """Note the peer's answer to an offer."""
        self._offering.wanted(want)
        self._news = self._news or self._offering.is_declined

    def fetch(self, fetch: Fetch) -> None:
        """
        Note that the peer asks for changes that rotted on its disk.

        Raises:
            RemoteProtocolError: It asks for more than one message may.
        """
        self._answering.asked(fetch)

    # --- what is sent -------------------------------------------------------------------------------------------------

    @property
    def room(self) -> bool:
        """Whether more may be under way."""
        return self._under_way.has_room(for_parts=self._large is not None)

    @property
    def lacks_segment(self) -> bool:
        """Whether the peer is to be offered a segment; :meth:`make` must be called before anything else."""
        return self._offering.lacks

    def sent(self, size: int, now: float) -> None:
        """Note that a data frame was sent, with its size in bytes, and when."""
        self._under_way.note(size, now)
        self.telling.sent(self._under_way.sent)

    def next(self) -> Message | None:
        """Return the next data frame for the peer; None when there is nothing more to send now."""
        self._follow_log()
        evidence = self.telling.next()
        if evidence is not None:
            return evidence
        while self._pieces:
            piece = self._exchange.forks.piece(self._pieces.pop(next(iter(self._pieces))))
            if piece is not None:
                return piece
        if (answer := self._answering.next()) is not None:
            return answer
        if (offer := self._offering.next()) is not None:
            return offer
        if self._offering.holds_up:
            return None
        if self._offering.is_sent:
            return self._next_of_segment()
        if self._large is not None and (message := self._next_of_large(*self._large)) is not None:
            return message
        owed = self.owed.next(news=self._news)
        if owed is not None:
            earlier, long = owed
            if long is not None:
                self._large, self._is_new = (long, self._first_part(long)), False
            return earlier
        return self._next_batch()

    def _next_of_large(self, large: Logged, number: int) -> Message | None:
        """Return what is next while a large change is sent: what need not wait for it, or its next part; None at its end."""
        if (beside := self._next_beside()) is not None:
            return beside
        part = self._exchange.giving.part(large, number)
        self._large = None if part is None else (large, number + 1)
        return part

    def _next_batch(self) -> Message | None:
        """Return the next changes that the peer may be sent; None if there are none, or it is to be offered a segment."""
        if not self._queue and self._news:
            self._news = False
            missing = self._missing()
            is_long = bool(missing) and not self._known and self._exchange.making.pays()
            if (missing is None or is_long) and not self._offering.is_declined:
                self._offering.lacks = True
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

    def _next_beside(self) -> Message | None:
        """Return a batch of changes that do not depend on the large change whose parts are under way, if there are any."""
        assert self._large is not None, "otherwise there is nothing to be sent beside"
        if not self._is_new:
            return None  # the peer takes nothing but the log behind its segment
        standing = self._large[0].position, self._exchange.frontier(), self._granted
        if standing != self._beside_of:
            self._beside_of = standing
            self._beside = self._exchange.giving.beside(self._missing() or [], self._large[0])
        given = self._exchange.giving.batch(self._beside, self._known, self._granted) if self._beside else None
        if given is None:
            self._beside = []
            return None
        self._known, self.brought = given.frontier, given.brought
        return given.message

    def make(self, aside: Aside, now: float) -> Said:
        """
        Make the segment that the peer is to be offered, beside the turns unless it already exists.

        Args:
            aside: Runs it, when nothing else is under way.
            now: Monotonic time in seconds.
        """
        known = dict(self._known)

        def make(exchange: Exchange) -> Then:
            return partial(self._was_made, exchange.making.given(known))

        return aside.do(make, now, is_long=not self._exchange.making.has(known))

    def _was_made(self, made: MadeSegment | None, _now: float) -> Said:
        if self._offering.made(made) and made is None:
            self._queue = self._missing() or []
        return []

    def _missing(self) -> list[int] | None:
        """Return the positions of the changes that the peer may be sent, as far as this is known before they are read."""
        skipped = dict(self._known)
        for name, seq in self._assumed().items():
            if self._fetched_upto.get(name, 0) <= skipped.get(name, 0) < seq:
                skipped[name] = seq
        return [] if frontier.covers(skipped, self._granted) else self._exchange.giving.missing(skipped)

    def _follow_log(self) -> None:
        """Find the changes again, if they were moved in the log."""
        if self._moves == self._exchange.moves():
            return
        self._moves = self._exchange.moves()
        if self._large is not None and self._is_new:
            large = self._large[0]
            self._known[large.actor] = min(self._known.get(large.actor, 0), large.seq - 1)
        self._queue, self._large = [], None
        self.grown()

    def _next_of_segment(self) -> Message | None:
        part = self._offering.next_part()
        if self._offering.is_sent:
            return part
        self._known, self._news = frontier.join(self._known, self._offering.brought), True
        return self.next() if part is None else part

    def _first_part(self, large: Logged) -> int:
        """Return the number of the part of a large change that the peer wants first."""
        return self._wanted.pop(decode_header(large.raw).dot, 0)
