"""Intake: what one peer says that it holds, and what it brings. Nothing is acknowledged before it is durable."""

from __future__ import annotations

from functools import partial

from edda_sync.sync.apart import Apart
from edda_sync.sync.backfill import Backfill
from edda_sync.sync.beside import Aside
from edda_sync.sync.comparing import Comparing
from edda_sync.sync.effects import Applied, Learned, Mended, Said, Then
from edda_sync.sync.evidence import EvidenceTalk
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.greeting import Greeting
from edda_sync.sync.messages import (
    Ack,
    Branch,
    Cells,
    Changes,
    Earlier,
    Evidence,
    Fetch,
    Found,
    Heads,
    Hello,
    Listed,
    Part,
    Snapshot,
)
from edda_sync.sync.progress import Progress
from edda_sync.sync.rates import Rates, Trial
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.saying import Saying
from edda_sync.sync.sending import Sending
from edda_sync.sync.taking import Taken
from edda_sync.sync.theirs import Theirs
from edda_sync.sync.timers import Timers


class Intake:
    """
    What one peer brings.

    Args:
        exchange: The store, as sessions see it.
        peer: The device at the other end.
        rates: How much the peer brought lately.
        timers, progress, theirs, sending: The session's. The timer ``resume`` says when to ask again for what was left out.
        saying: What the peer is told.
        comparing, evidence, backfill: The parts that handle some of the messages.
        relaying: What all sessions of this device share.
        aside: Runs what takes long.

    Attributes:
        apart: Which actors are not exchanged.
    """

    def __init__(
        self,
        exchange: Exchange,
        peer: str,
        rates: Rates,
        timers: Timers,
        progress: Progress,
        theirs: Theirs,
        sending: Sending,
        saying: Saying,
        comparing: Comparing,
        evidence: EvidenceTalk,
        backfill: Backfill,
        relaying: Relaying,
        aside: Aside,
    ) -> None:
        self._exchange, self._peer, self._rates, self._timers, self._progress = exchange, peer, rates, timers, progress
        self._theirs, self._sending, self._saying, self._comparing = theirs, sending, saying, comparing
        self._evidence, self._backfill, self._relaying, self._aside = evidence, backfill, relaying, aside
        self._greeting = Greeting(exchange)
        self.apart = Apart(exchange, progress, comparing, theirs, sending, evidence)
        self._pushed = b""  # the devices to which the peer pushes its own changes, by its last word
        self._answers = 0  # how many answers about rotten changes it may still send: each scans the whole log
        self._rest: Changes | None = None  # a batch of which only a slice was taken
        self._fetched = False  # whether the peer was asked for rotten changes

    # --- what the peer holds ------------------------------------------------------------------------------------------

    def greeted(self, hello: Hello, tag: bytes, now: float) -> None:
        """Take a hello, which must contain the tag of the workspace and of the peer."""
        self._greeting.begin(hello, self._peer, tag)
        self.page(hello, now)

    def page(self, page: Hello | Heads, now: float) -> None:
        """Take a page of a hello. After the last one, everything that the peer holds is known."""
        self._greeting.page(page, self._peer)
        if not self._sending.telling.said(page.evidence, more=page.more):
            return
        hello, summaries = self._greeting.end()
        held, apart = self._exchange.compared(summaries)
        self._theirs.introduced(held)
        self._progress.waiting = hello.waiting
        if self._progress.met is None:
            self._progress.met = dict(held)
        self.apart.end()
        self._comparing.introduced(hello.nonce)
        self._sending.introduced(held, hello.wanted)
        if self._relaying.is_open(self._peer):  # only what its first hello names comes unasked
            self._relaying.claimed(self._peer, held.items(), now)
        self._relaying.opened(self._peer)
        self._relaying.holds(self._peer, held)
        self._saying.has_flowed = True
        self._saying.acking.greeted()
        self.apart.hold(apart, now)
        self._sending.telling.tell_rest()

    def acknowledged(self, ack: Ack, now: float) -> Said:
        """Note which of our changes are durable at the peer, and what else it holds."""
        self._relaying.claimed(self._peer, ack.moved, now)
        self._theirs.acknowledged(ack.moved, self._exchange.frontier())
        held = self._theirs.held
        self._relaying.holds(self._peer, held)
        self._progress.waiting = ack.waiting
        if ack.again:
            self._comparing.proving.unsaid()
        self._sending.acknowledged(held, ack.frames, now, again=ack.again)
        if not ack.proof:
            return []
        if self._comparing.heard(ack, held):
            evidence = self._exchange.proof().evidence
            if ack.evidence != evidence:  # content is a function of the changes and the evidence
                questions = self._evidence.questions(evidence, ack.evidence, now)
                if questions:
                    self._comparing.proving.recheck()  # the peer could not compare what we said about our content
                return [*self._saying.answer(), *questions]
            if self._evidence.agrees():  # nor could it before both held the same evidence
                self._comparing.proving.recheck()
        return self._saying.compare(now) or self._saying.answer()

    # --- changes ------------------------------------------------------------------------------------------------------

    def changes(self, batch: Changes, now: float) -> Said:
        """Take a batch of changes."""
        if batch.pushed is not None:
            self._pushed = batch.pushed
        if "resume" in self._timers:  # it is asked for again later
            self._rest = None
            self._saying.acking.dealt += 1
            self._note_held(Taken(0, late=True, held=tuple(self._exchange.taking.named(batch))))
            return []
        births = self._rates.births.trial(now)
        apart, is_long = self._progress.apart, self._exchange.taking.takes_long(batch)

        def take(exchange: Exchange) -> Then:
            return partial(self._changed, batch, births, exchange.taking.take(batch, births, apart, ahead=is_long))

        return self._aside.do(take, now, is_long=is_long)

    def _changed(self, batch: Changes, births: Trial, taken: Taken, now: float) -> Said:
        births.done()
        if births.again_s is not None:
            self._timers.at("resume", births.again_s)
        self._rest = batch if taken.more else None
        if taken.more:
            self._timers.at("rest", now)
        own = {name: seq for name, seq in taken.held if self._exchange.author(name) == self._peer}
        self._relaying.pushed(own, self._pushed)
        said = self._taken(taken, now)
        if batch.seal and not taken.more:
            self._comparing.proving.heard_seal(self._saying.expected(), batch.seal)
        return said

    @property
    def is_busy(self) -> bool:
        """Whether earlier data is not processed completely yet, so that later frames wait."""
        return self._rest is not None or self._aside.is_busy

    def go_on(self, now: float) -> Said:
        """Take the next slice of a batch, unless it has to wait for work that is done beside."""
        return [] if self._rest is None or self._aside.is_held else self.changes(self._rest, now)

    def earlier(self, batch: Earlier, now: float) -> Said:
        """Take a batch of the log behind our segment."""

        def take(exchange: Exchange) -> Then:
            return partial(self._came_earlier, batch, exchange.behind.take(batch))

        return self._aside.do(take, now, is_long=self._exchange.behind.completes(batch))

    def _came_earlier(self, batch: Earlier, taken: Taken, now: float) -> Said:
        self._backfill.answered(batch)
        return self._taken(taken, now)

    def part(self, part: Part, now: float) -> Said:
        """Take a part of a large change: one of the log, of the log behind our segment, or one that rotted here."""
        apart, fetched, is_last = self._progress.apart, self._fetched, self._exchange.taking.completes(part)

        def take(exchange: Exchange) -> Then:
            is_over = exchange.behind.take_part(part)
            taken = Taken(0) if is_over is not None else exchange.taking.take_part(part, apart, ahead=is_last)
            return partial(self._came_in_part, is_over, taken, exchange.mending.take_part(part) if fetched else 0)

        return self._aside.do(take, now, is_long=is_last)

    def _came_in_part(self, is_over: bool | None, taken: Taken, mended: int, now: float) -> Said:
        self._backfill.part_came(is_over=bool(is_over))
        return [*self._mended(mended), *self._taken(taken, now)]

    def snapshot(self, part: Snapshot, now: float) -> Said:
        """Take a part of a segment."""
        self._backfill.check(part, self._peer)

        def take(exchange: Exchange) -> Then:
            return partial(self._taken, exchange.merging.take(part))

        return self._aside.do(take, now, is_long=part.number + 1 >= part.parts)

    def _taken(self, taken: Taken, now: float) -> Said:
        if taken.applied:
            self._progress.rcvd_changes += taken.applied
            self._exchange.on_applied(self._peer, taken.applied)
        self._saying.acking.dealt += not taken.more
        self._saying.acking.asked_again(taken.held)
        self._backfill.passed_over = self._backfill.passed_over or taken.unchecked
        self._note_held(taken)
        self._relaying.gave(self._peer, taken.held)
        self._saying.has_flowed = True
        if taken.settled:
            self._sending.grown()
        self.apart.hold_for(taken.apart, now)
        applied = [Applied(self._peer, taken.applied, taken.members, taken.reached)] if taken.applied else []
        return applied if taken.more else [*applied, *self._saying.ack(again=taken.early)]

    def _note_held(self, taken: Taken) -> None:
        """Note that the peer holds what it sent, also if that came too early, or too late, to be taken."""
        ours = self._exchange.frontier()
        self._sending.learned(taken.held, ours)
        self._theirs.sent(taken, ours, self._progress.apart)
        self._relaying.holds(self._peer, self._theirs.held)

    def start_over(self) -> None:
        """Exchange everything again, because less is held here than was told, or other changes."""
        self.apart.start_over()
        self._sending.start_over(self._theirs.held)

    # --- all else -----------------------------------------------------------------------------------------------------

    def evidence(self, message: Evidence | Branch, now: float) -> Said:
        """Take evidence, or a piece of a chain."""
        news = self._evidence.take(message, now)
        if news.differs is not None:
            self.apart.hold_for({news.differs.actor: news.differs}, now)
        self._saying.acking.dealt += 1
        evidence, forked = tuple(news.evidence), frozenset(news.forked)
        learned = Learned(self._peer, evidence, forked, tuple(news.renamed), tuple(news.ends))
        return [*self._saying.ack(), *([learned] if evidence else [])]

    def learned(self, news: Learned) -> None:
        """Note new evidence, from any peer: changes have other names from now on."""
        self._sending.telling.tell(news.evidence)
        if news.renamed:
            self._relaying.renamed()
        for by in news.renamed:
            apart = self._exchange.actor(by.new) in self._progress.apart or self._theirs.is_unnamed(by.old)
            self._theirs.renamed(by, apart=apart)
            self._sending.renamed(by, apart=apart)
        self._theirs.ended(news.ends)
        self._sending.ended(news.ends)
        self.apart.forked(news.forked)

    def compared(self, message: Cells | Listed, now: float) -> Said:
        """Take cells or a page of what the peer holds."""
        found = self._comparing.take(message, now)
        if found is None:
            return []
        if isinstance(message, Cells):
            return [*self._saying.proof(), *found]
        self._saying.acking.dealt += 1
        return [*found, *self._saying.ack()]

    def compared_again(self, now: float) -> Said:
        """Take the cells and pages that waited until the store may be scanned again."""
        left = self._comparing.left()
        return [*self._saying.compare(now), *(each for message in left for each in self.compared(message, now))]

    def fetch(self, wanted: Fetch) -> Said:
        """Ask the peer for changes that rotted here."""
        self._fetched, self._answers = True, len(wanted.wanted)
        return [wanted]

    def found(self, found: Found) -> Said:
        """Take the answer to that."""
        if not self._answers:
            return []
        self._answers -= 1
        return self._mended(self._exchange.mending.take(found))

    def _mended(self, count: int) -> Said:
        return [Mended(self._peer, count)] if count else []
