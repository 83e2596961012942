"""A network in this process: replicas, links between them that can be cut, and a record of the delivered frames."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edda_sync.crdt.attachments import File
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Blamed, Close, Differs, Effect, Errand, Proved, Send, Work
from edda_sync.sync.filing import FilesProgress, Filing
from edda_sync.sync.messages import Message
from edda_sync.sync.replica import Replica
from edda_sync.sync.wire import Codec
from edda_sync.testing import pair, replica_of, sync
from edda_sync.transport.identity import Identity
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BugError, EddaError

M = TypeVar("M", bound=Message)
_CODEC = Codec()


@dataclass(frozen=True)
class Said:
    """One frame that was delivered."""

    sender: str
    receiver: str
    message: Message
    size: int


class Network:
    """
    Replicas and the frames between them. Time is ``now`` and moves only when nothing else can.

    Args:
        engines: The engines of the replicas.
        defers: Whether long work is done when :meth:`work` is called; otherwise within its turn.
        always_below: The devices exchange attached files, and always fetch those that are smaller; None if they do not.

    Attributes:
        heard: Every frame that was delivered, in order.
        proved: Pairs ``(device, peer)``: a device that proved itself equal to a peer.
        works: Long work that is to be run, each with its device.
        errands: Errands that are to be run, each with its device.
        failed: What went wrong in errands, each with its device.
        blamed: Pairs ``(device, peer)``: a device that got a wrong chunk from a peer.
        loses: Tells which frames get lost, by receiver and message.
    """

    def __init__(self, *engines: StorageEngine, defers: bool = False, always_below: int | None = None) -> None:
        self.now = 0.0
        self.heard: list[Said] = []
        self.proved: set[tuple[str, str]] = set()
        self.differs: list[tuple[str, Differs]] = []
        self.errors: list[EddaError] = []
        self.replicas: dict[str, Replica] = {
            name_of(engine): replica_of(engine, defers=defers, filing=filing_of(engine, always_below))
            for engine in engines
        }
        self.errands: deque[tuple[str, Errand]] = deque()
        self.failed: list[tuple[str, EddaError]] = []
        self.blamed: list[tuple[str, str]] = []
        self.loses: Callable[[str, Message], bool] = lambda receiver, message: False
        self.works: deque[tuple[str, Work]] = deque()
        self._links: set[frozenset[str]] = set()
        self._between: deque[tuple[str, str, bytes]] = deque()

    def connect(self, first: StorageEngine, second: StorageEngine) -> None:
        """Make a link."""
        self._links.add(frozenset((name_of(first), name_of(second))))
        for here, there in itertools.permutations((name_of(first), name_of(second))):
            self._do(here, self.replicas[here].connected(there))

    def cut(self, first: StorageEngine, second: StorageEngine) -> None:
        """Cut a link: frames that are under way are lost."""
        ends = {name_of(first), name_of(second)}
        self._links.discard(frozenset(ends))
        self._between = deque(each for each in self._between if {each[0], each[1]} != ends)
        for here, there in itertools.permutations(ends):
            self.replicas[here].disconnected(there, self.now)

    def are_linked(self, first: StorageEngine, second: StorageEngine) -> bool:
        """Tell whether there is a link."""
        return frozenset((name_of(first), name_of(second))) in self._links

    def committed(self, engine: StorageEngine) -> None:
        """Tell a replica that its device has new changes of its own."""
        self._do(name_of(engine), self.replicas[name_of(engine)].committed(self.now))

    def asked(self, engine: StorageEngine) -> None:
        """Tell a replica that somebody wants to know whether all are equal."""
        self._do(name_of(engine), self.replicas[name_of(engine)].ask(self.now))

    def rebuilt(self, engine: StorageEngine) -> None:
        """Tell a replica that its view was folded again."""
        self.replicas[name_of(engine)].rebuilt(self.now)

    def work(self) -> None:
        """Run the first long work, and tell its replica."""
        here, work = self.works.popleft()
        work.run()
        self._do(here, self.replicas[here].worked(work, self.now))

    def run_errand(self) -> None:
        """Run the first errand, and tell its replica."""
        here, errand = self.errands.popleft()
        errand.run()
        if errand.error is not None:
            self.failed.append((here, errand.error))
        self._do(here, self.replicas[here].ran(errand, self.now))

    def deliver_all(self) -> None:
        """Deliver the frames that are under way, and run no errand."""
        while self._between:
            self._deliver(0)
        if self.errors:
            raise self.errors[0]

    def settle(self, *, steps_max: int = 50_000) -> None:
        """Deliver frames and run errands until neither is left; time stands still."""
        for _ in range(steps_max):
            if self.errands:
                self.run_errand()
            elif self._between:
                self._deliver(0)
            elif any(
                (due := replica.next_deadline()) is not None and due <= self.now for replica in self.replicas.values()
            ):
                self.move_time()
            else:
                break
        else:
            raise AssertionError(f"still talking after {steps_max} steps")
        if self.errors:
            raise self.errors[0]

    def say(self, sender: StorageEngine, receiver: StorageEngine, message: Message) -> None:
        """Let a device say what its software would not."""
        self._between.append((name_of(sender), name_of(receiver), _CODEC.encode(message)))

    def demand(self, engine: StorageEngine, *files: File) -> None:
        """Let somebody ask for some files."""
        replica = self.replicas[name_of(engine)]
        self._do(name_of(engine), replica.filed(lambda filing: filing.demand(files), self.now))

    def progress(self, engine: StorageEngine) -> FilesProgress:
        """Return how a device stands with files."""
        filing = self.replicas[name_of(engine)].filing
        assert filing is not None, "it was made with one"
        return filing.progress

    @property
    def on_its_way(self) -> int:
        """How many frames were sent and did not arrive yet."""
        return len(self._between)

    def step(self) -> bool:
        """Deliver one frame, or move time to the next deadline; return False when neither is left."""
        if self._between:
            self._deliver(0)
            return True
        return self.move_time()

    def deliver_any(self, draw: random.Random) -> bool:
        """Deliver the next frame of any link, in the order of each link; return False when no frame is under way."""
        first_of: dict[tuple[str, str], int] = {}
        for at, (sender, receiver, _) in enumerate(self._between):
            first_of.setdefault((sender, receiver), at)
        if first_of:
            self._deliver(draw.choice(list(first_of.values())))
        return bool(first_of)

    def move_time(self) -> bool:
        """Move time to the next deadline; return False when there is none."""
        deadlines = [(due, name) for name, r in self.replicas.items() if (due := r.next_deadline()) is not None]
        if not deadlines:
            return False
        due, name = min(deadlines)
        self.now = max(self.now, due)
        self._do(name, self.replicas[name].tick(self.now))
        return True

    def _deliver(self, at: int) -> None:
        sender, receiver, frame = self._between[at]
        del self._between[at]
        message = _CODEC.decode(frame)
        if self.loses(receiver, message):
            return
        self.heard.append(Said(sender, receiver, message, len(frame)))
        self._do(receiver, self.replicas[receiver].frame_received(sender, frame, self.now))

    def run(self, *, steps_max: int = 20_000) -> None:
        """Deliver frames until nothing is left to say."""
        for _ in range(steps_max):
            if not self.step():
                break
        else:
            raise AssertionError(f"still talking after {steps_max} steps")
        if self.errors:
            raise self.errors[0]

    def run_for(self, duration_s: float) -> None:
        """Deliver frames, and do what is due, for so long by the network's clock."""
        end = self.now + duration_s
        while self._between or self._due_by(end):
            self.step()
        self.now = end

    def _due_by(self, moment: float) -> bool:
        deadlines = [replica.next_deadline() for replica in self.replicas.values()]
        return any(due is not None and due <= moment for due in deadlines)

    def run_until_said(self, kind: type[Message], number: int = 1) -> None:
        """Deliver frames until so many messages of a kind were delivered."""
        while len(self.said(kind)) < number:
            assert self.step(), f"nobody says a {kind.__name__}"

    def said(self, kind: type[M], sender: StorageEngine | None = None) -> list[M]:
        """Return the delivered messages of a kind, from all senders or from one."""
        name = None if sender is None else name_of(sender)
        return [each.message for each in self.heard if isinstance(each.message, kind) and name in (None, each.sender)]

    def _do(self, here: str, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if frozenset((here, effect.peer)) in self._links:
                    self._between.append((here, effect.peer, effect.frame))
            elif isinstance(effect, Proved):
                self.proved.add((here, effect.peer))
            elif isinstance(effect, Differs):
                self.differs.append((here, effect))
            elif isinstance(effect, Errand):
                self.errands.append((here, effect))
            elif isinstance(effect, Blamed):
                self.blamed.append((here, effect.peer))
            elif isinstance(effect, Work):
                self.works.append((here, effect))
            elif isinstance(effect, Close) and effect.error is not None:
                if isinstance(effect.error, BugError):
                    raise effect.error.bug
                self.errors.append(effect.error)


def filing_of(engine: StorageEngine, always_below: int | None) -> Filing | None:
    """Return what a runner gives the replica of an engine for its files."""
    if always_below is None:
        return None
    chunks, feed = engine.reading.files.chunks, engine.ledger.feed
    return Filing(engine.store, lambda: chunks, always_below, lambda: feed.attached)


IDENTITIES = [Identity.from_private(bytes([number]) * 32) for number in range(5)]


@contextmanager
def repeatable_devices(
    count: int, clock: Callable[[], float], *, newcomers: int = 0
) -> Iterator[tuple[StorageEngine, ...]]:
    """
    Yield devices in memory that behave the same in each run: keys and ids come from seeds.

    The last ones are newcomers, which were let in and hold nothing yet.
    """
    engines: list[StorageEngine] = []
    for number in range(count + newcomers):
        engine = StorageEngine(Path("nowhere"), now=clock, random=random.Random(number).randbytes)
        engine.own._identity = IDENTITIES[number]  # a memory store keeps no identity on disk
        engine.open_store(StorageConfig(backend="memory", name=f"device {number}"))
        if engines:
            pair(engines[0], engine)
        else:
            engine.found()
        engines.append(engine)
    others = engines[1:count]
    for other in [*others, *others[:-1]]:
        sync(engines[0], other)
    yield tuple(engines)
    for engine in engines:
        engine.close()


def name_of(engine: StorageEngine) -> str:
    """The device id of an engine."""
    return engine.identity.device
