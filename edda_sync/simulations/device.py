"""
A simulated device: the counterpart of ``edda_sync.device.runner``. It passes events to the replica and the steward, and
carries out what they return. It decides nothing.

Power may fail at each *point*: before and after every commit, and before each effect. Then the device starts again on what
the disk holds, which shows whether the store keeps its promises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.backups import CONFIG
from edda_sync.simulations.chunks import SimulatedChunks
from edda_sync.simulations.disk import Disk, PowerCut
from edda_sync.simulations.driver import Witness
from edda_sync.simulations.housekeeping import Housekeeping
from edda_sync.simulations.inbox import Inbox
from edda_sync.simulations.keys import Keys
from edda_sync.sync.effects import Applied, Blamed, Close, Effect, Errand, Learned, Proved, Send, Work
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.orders import ASKED
from edda_sync.sync.replica import Replica
from edda_sync.transport.identity import Identity
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BugError, CorruptError, EddaError, LostStatesError, StorageError
from edda_sync.workspace.welcome import workspace_tag

if TYPE_CHECKING:
    from edda_sync.simulations.links import Link
    from edda_sync.simulations.simulator import Simulation

T = TypeVar("T")

START_S: Final = 1_800_000_000.0  # the wall clock at virtual time 0 is in 2027
WALL_S_MAX: Final = 253_402_300_799.0


class SimulatedDevice:
    """
    A device: a disk, a clock that may be wrong, and a process that may be down or asleep.

    Args:
        sim: The simulation.
        name: The name of its lane in pictures; unique, while copies of a device share its id.
        identity: Its identity.
        keys: Signs and verifies.
        folder: For its files; None for a store in memory.

    Attributes:
        engine, replica, keeping: Set while the process runs; otherwise None.
        newer: Whether it runs a newer version of the software (``levels``).
        is_between_levels: Whether its view is still the older version's.
        proofs: The disk of the store that proves its backups.
        remedy: Starts it in place of the usual start, because its store is lost; None if it is not.
        skew_s: How far its clock is ahead.
        chunks: Those of attached files.
        inbox: Frames that have arrived and are not processed yet.
        honest: Whether it follows the protocol. A liar's own state is not checked.
    """

    honest = True

    def __init__(self, sim: Simulation, name: str, identity: Identity, keys: Keys, folder: Path | None) -> None:
        self.sim, self.name, self.identity, self.keys = sim, name, keys.of(identity), keys
        self.id = identity.device
        machine = blake2b(name.encode(), digest_size=16).digest()
        self.disk = Disk(folder, machine, self.point, in_rocks=sim.profile.backend == "rocksdb")
        self.proofs = Disk(None, machine, self.point)
        self.remedy: Callable[[], None] | None = None
        self.engine: StorageEngine | None = None
        self.replica: Replica | None = None
        self.keeping: Housekeeping | None = None
        self.newer = self.is_between_levels = False
        self.skew_s = 0.0
        self.chunks = SimulatedChunks(self.wall_s, self.disk if sim.filed.is_busy else None)
        self.inbox = Inbox(sim.later, self.when_awake)
        self.links: dict[str, Link] = {}
        self.lives = 0
        self.last_error: EddaError | None = None
        self._draws = sim.tape.source(f"device {name}")
        self._works, self._errands = sim.tape.source(f"works {name}"), sim.tape.source(f"errands {name}")
        self._asleep = False
        self._waiting: deque[Callable[[], None]] = deque()  # events that came while it slept
        self._countdown: int | None = None

    # --- process ------------------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self.replica is not None

    @property
    def is_awake(self) -> bool:
        """Whether it runs and does not sleep."""
        return self.replica is not None and not self._asleep

    @property
    def running(self) -> StorageEngine:
        """The engine of a running device."""
        assert self.engine is not None, f"{self.name} is down"
        return self.engine

    def make_engine(self) -> StorageEngine:
        """Open an engine over the disk."""
        random = self._random(f"nonces {self.name} {self.lives}")
        self.lives += 1
        engine = StorageEngine(Path(self.name), now=self.wall_s, random=random)
        config = StorageConfig(backend="memory", name=self.name, backup_config=CONFIG)
        engine.attach(self.disk.open, config, self.identity, self.disk.sidecar())
        engine.writing.on_commit(self._committed)
        self.engine = engine
        return engine

    def _random(self, concern: str) -> Callable[[int], bytes]:
        """Return a source of random bytes from the tape, so that a run repeats."""
        draws = self.sim.tape.source(concern)
        return lambda count: bytes(draws.draw("byte", 256) for _ in range(count))

    def boot(self) -> None:
        """Start the process on what the disk holds."""
        assert self.replica is None, f"{self.name} runs already"
        engine = self.make_engine()
        workspace = engine.workspace
        random = self._random(f"talks {self.name} {self.lives}")
        exchange = Exchange(engine.store, engine.ledger, self.identity, self.keys.verify, self.wall_s, random)
        filing = self.sim.filed.filing(engine, self.chunks)
        self.replica = Replica(exchange, self.id, partial(workspace_tag, workspace), defers=True, filing=filing)
        self.keeping = Housekeeping(self.sim, self, lambda what: self.sim.damaged(self, what))
        self.sim.note("boot", self)
        self._attend()

    def crash(self, *, power: bool, sidecar_writes: int = 0, in_order: bool = False) -> None:
        """
        End the process at once.

        Args:
            power: Whether the whole machine stops; otherwise its system closes the links, and nothing written is lost.
            sidecar_writes: How many of the sidecar's last writes a power failure loses.
            in_order: Whether the store is closed first, as when somebody shuts the machine down.
        """
        if self.replica is None:
            return
        self.sim.note("crash", self, power=power, **({"in_order": True} if in_order else {}))
        if in_order:
            self.disk.sync()
            self.running.close()
        self.replica = self.engine = self.keeping = None
        self._countdown = None
        self._asleep = False
        self._waiting.clear()
        self.inbox.clear()
        self.disk.lose_power(sidecar_writes if power else 0)
        self.proofs.lose_power()
        if power and self.sim.filed.is_busy:
            self.chunks.lose_power(self.sim.tape.source(f"chunks {self.name} {self.lives}"))
        self.disk.boots += power
        for link in self.sim.network.links_of(self):
            self.sim.network.close(link, self, told=not power)
        self.links.clear()

    def sleep(self) -> None:
        """Stop like a closed laptop: nothing is lost, and nothing goes on."""
        if self.is_awake:
            self._asleep = True
            self.sim.note("sleep", self)
            for link in self.sim.network.links_of(self):
                self.sim.network.expire(link, link.other(self))

    def wake(self) -> None:
        """Go on. What came meanwhile arrives all at once."""
        if self._asleep:
            self._asleep = False
            self.sim.note("wake", self)
            self.sim.network.try_again(self)
            waiting, self._waiting = self._waiting, deque()
            for event in waiting:
                self.when_awake(event)

    def lose_power_after(self, points: int) -> None:
        """Make power fail at the given number of points from here."""
        self._countdown = points

    def lose_no_power(self) -> None:
        """Forget :meth:`lose_power_after`."""
        self._countdown = None

    def wall_s(self) -> float:
        """Its wall clock, in seconds since 1970."""
        return min(max(START_S + self.sim.now + self.skew_s, 0.0), WALL_S_MAX)

    def point(self) -> None:
        """Let power fail here, if it is to fail at this point."""
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown < 0:
                raise PowerCut

    def when_awake(self, event: Callable[[], None]) -> None:
        """Run an event now, or when the device wakes up; never if it is down."""
        if self._asleep:
            self._waiting.append(event)
        elif self.replica is not None:
            event()

    # --- its users ----------------------------------------------------------------------------------------------------

    @property
    def is_proved(self) -> bool:
        """Whether its store does not depend on a segment that is not proved."""
        with self.running.store.read() as reader:
            return not reader.segments.merged()

    def act(self, work: Callable[[StorageEngine], T]) -> T | None:
        """
        Let somebody use the store. What is acknowledged from here on is checked.

        Returns:
            The result of ``work``; None if the device is down, its disk refused, or power failed.
        """
        result = None
        if not self.is_awake:
            return None
        keeping = self.keeping
        assert keeping is not None, "it runs"
        with self.while_powered() as witness:
            try:
                result = work(self.running)
                witness.acknowledged()
                keeping.steward.worked(ASKED)
            except StorageError as error:
                self._check_it_rotted(error)
                self.last_error = error
                self.sim.note("refused", self, why=type(error).__name__)
                keeping.steward.fault(ASKED, error, self.sim.now)
        self._attend()
        return result if self.keeping is keeping else None

    def _check_it_rotted(self, error: EddaError) -> None:
        """Raise an error that says that this disk is damaged, unless it is."""
        is_lost = isinstance(error, LostStatesError) and self.disk.lost
        if isinstance(error, CorruptError) and self.honest and not (self.disk.rotten or is_lost):
            raise error

    @contextmanager
    def while_powered(self) -> Iterator[Witness]:
        """Run a block of code, unless power fails during it."""
        with self.sim.watch(self) as witness:
            try:
                yield witness
            except PowerCut:
                self.sim.power_failed(self)

    # --- links --------------------------------------------------------------------------------------------------------

    def has_link(self, other: SimulatedDevice) -> bool:
        """Tell whether this device has a link to exactly that device (and not to a copy of it), as far as it knows."""
        link = self.links.get(other.id)
        return link is not None and link.other(self) is other

    def trusts(self, other: SimulatedDevice) -> bool:
        """Tell whether another device is a member, as far as this one knows."""
        return self.keeping is not None and other.id in self.keeping.trusted

    def connected(self, link: Link) -> None:
        """Begin a session over a new link."""
        peer = link.peer_of(self)
        old = self.links.get(peer)
        self.links[peer] = link
        if old is not None:
            self.sim.network.close(old, self)
        replica = self.replica
        if replica is not None:
            self._event(lambda _: replica.connected(peer, link.number))

    def disconnected(self, link: Link) -> None:
        """Note that a link is gone."""

        def forget() -> None:
            self._forget(link)
            self.sim.network.close(link, self)

        self.when_awake(forget)

    def disconnected_silently(self, link: Link) -> None:
        """Note that a link is gone without the other end knowing it."""
        if self.is_awake:
            self._forget(link)
            self.sim.note("half-open", self, peer=link.other(self).name)
            self.sim.network.close(link, self, told=False)

    def _forget(self, link: Link) -> None:
        peer = link.peer_of(self)
        if self.links.get(peer) is link:
            del self.links[peer]
        if self.replica is not None:
            self.replica.disconnected(peer, self.sim.now, link.number)

    def received(self, link: Link, sender: SimulatedDevice, frame: bytes, sent: float) -> None:
        """Receive a frame."""
        peer = link.peer_of(self)

        def deal() -> None:
            replica = self.replica
            if self.links.get(peer) is link and replica is not None:
                if sender.id == peer:  # otherwise the sender has become another device since it sent this
                    self.sim.frame(sender, self, frame, sent)
                self._event(lambda now: replica.frame_received(peer, frame, now, link.number))

        self.inbox.add(deal)

    def send(self, link: Link, frame: bytes) -> None:
        """Hand a frame to the network."""
        if self.links.get(link.other(self).id) is link:  # otherwise the other end is another device by now, and is deaf
            self.sim.sent(self, link.other(self), frame)
        self.sim.network.send(link, self, frame)

    # --- the replica --------------------------------------------------------------------------------------------------

    def _event(self, work: Callable[[float], list[Effect] | None]) -> None:
        with self.while_powered():
            self.drive(work)
        self._attend()

    def drive(self, work: Callable[[float], list[Effect] | None]) -> None:
        """Run a turn of the replica, and carry out its effects."""
        replica, keeping = self.replica, self.keeping
        assert replica is not None, "it runs"
        assert keeping is not None, "it runs"
        effects = work(self.sim.now) or []
        for effect in effects:
            self.point()
            self._carry_out(effect)
        keeping.steward.talked(effects, replica.next_deadline(), self.sim.now)

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Work | Errand):
            assert self.keeping is not None, "it runs"
            self.keeping.beside(effect, self._works if isinstance(effect, Work) else self._errands)
            return
        link = self.links.get(effect.peer)
        if isinstance(effect, Send):
            if link is not None and link.number == effect.link:
                self.send(link, effect.frame)
        elif isinstance(effect, Close):
            if isinstance(effect.error, BugError):
                raise effect.error.bug
            if effect.error is not None:
                self._check_it_rotted(effect.error)
                self.last_error = effect.error
                self.sim.note("trouble", self, peer=effect.peer, why=type(effect.error).__name__)
            if link is not None and link.number == effect.link:
                del self.links[effect.peer]
                self.sim.network.close(link, self)
        elif isinstance(effect, Proved):
            if self.keeping is not None:
                self.keeping.proved(effect.peer)
            self.sim.proved(self, effect.peer)
        elif isinstance(effect, Applied):
            self.sim.note("applied", self, peer=effect.peer, changes=effect.changes)
        elif isinstance(effect, Learned):
            self.sim.note("learned", self, peer=effect.peer)
        elif isinstance(effect, Blamed):
            self.sim.blamed(self, effect.peer)

    # --- beside the sessions ------------------------------------------------------------------------------------------

    def _committed(self) -> None:
        if self.keeping is not None:
            self.keeping.steward.committed(self.sim.now)

    def _attend(self) -> None:
        if self.keeping is not None:
            self.keeping.attend()

    def meet(self) -> None:
        """Read the members again, and trust them."""
        if self.keeping is not None:
            self.keeping.meet()

    def scrub(self) -> None:
        """Check everything that is stored, as a running device does within a day."""
        if self.keeping is not None and self.is_awake:
            self.keeping.scrub_all()

    def fold_again(self, work: Callable[[StorageEngine], int]) -> bool:
        """Fold the log again, and compare again with all peers; tell whether that went well."""
        if self.act(work) is None or self.keeping is None:
            return False
        self.keeping.steward.rebuilt(self.sim.now)
        self._attend()
        return True
