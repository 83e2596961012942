"""
A simulated device: the counterpart of ``edda_sync.device.device``. It carries events to the replica and effects from it.

Power may fail at each *point*: before and after every commit, and before each effect. The store's promises are then put
to the test by opening what the disk holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.disk import Disk, PowerCut
from edda_sync.simulations.keys import Keys
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Learned, Mended, Proved, Send
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.replica import Replica
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BugError, CorruptError, EddaError, StorageError
from edda_sync.workspace.welcome import workspace_tag

if TYPE_CHECKING:
    from edda_sync.simulations.links import Link
    from edda_sync.simulations.simulator import Simulation

T = TypeVar("T")

START_S: Final = 1_800_000_000.0  # wall clock at virtual time 0: 2027
WALL_S_MAX: Final = 253_402_300_799.0
MEND_AGAIN_S: Final = 5.0  # after folding anew has failed


class SimulatedDevice:
    """
    One device: a disk, a clock that may be wrong, and a process that may be down or asleep.

    Args:
        sim: The simulation.
        name: What its lane is called; unique, while copies of a device share its id.
        identity: Its key.
        keys: Signs and verifies.
        folder: For its files; None for a store in memory.

    Attributes:
        engine, replica: While the process runs; else None.
        newer: Whether it runs a newer version of the software (``levels``).
        skew_s: How far its clock is ahead.
        pace_s: How long it takes over each frame.
        honest: Whether it does as the protocol says; a liar's state is no one's measure.
    """

    honest = True

    def __init__(self, sim: Simulation, name: str, identity: Identity, keys: Keys, folder: Path | None) -> None:
        self.sim, self.name, self.identity, self.keys = sim, name, keys.of(identity), keys
        self.id = identity.device
        machine = blake2b(name.encode(), digest_size=16).digest()
        self.disk = Disk(folder, machine, self._point)
        self.engine: StorageEngine | None = None
        self.replica: Replica | None = None
        self.newer = False
        self.skew_s = 0.0
        self.pace_s = 0.0
        self.links: dict[str, Link] = {}
        self.lives = 0
        self.last_error: EddaError | None = None
        self._draws = sim.tape.source(f"device {name}")
        self._asleep = False
        self._waiting: deque[Callable[[], None]] = deque()  # what happened while it slept
        self._inbox: deque[Callable[[], None]] = deque()  # frames that a slow device has not come to
        self._taking = False
        self._countdown: int | None = None
        self._timer = 0
        self._told = False
        self._is_mending = False
        self._catching_up = False
        self._caught_up = 0  # how many writes the disk had taken when we last looked
        self._trusted: set[str] = set()

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
        config = StorageConfig(backend="memory", name=self.name)
        engine.attach(self.disk.open, config, self.identity, self.disk.sidecar())
        engine.writing.on_commit(self._own_commit)
        self.engine = engine
        return engine

    def _random(self, concern: str) -> Callable[[int], bytes]:
        """Return a source of random bytes that is the tape's, so that a run repeats."""
        draws = self.sim.tape.source(concern)
        return lambda count: bytes(draws.draw("byte", 256) for _ in range(count))

    def boot(self) -> None:
        """Start the process on what the disk holds."""
        assert self.replica is None, f"{self.name} runs already"
        engine = self.make_engine()
        workspace = engine.workspace
        random = self._random(f"talks {self.name} {self.lives}")
        exchange = Exchange(engine.store, engine.ledger, self.identity, self.keys.verify, self.wall_s, random)
        self.replica = Replica(exchange, self.id, lambda device: workspace_tag(workspace, device))
        self._trusted.clear()
        self.sim.note("boot", self)

    def crash(self, *, power: bool, sidecar_writes: int = 0, in_order: bool = False) -> None:
        """
        End the process at once.

        Args:
            power: Whether the whole machine stops; else its system closes the links, and nothing written is lost.
            sidecar_writes: How many of the sidecar's last writes a failing power takes.
            in_order: Whether the store is closed before, as by somebody who shuts the machine down.
        """
        if self.replica is None:
            return
        self.sim.note("crash", self, power=power, **({"in_order": True} if in_order else {}))
        if in_order:
            self.disk.sync()
            self.running.close()
        self.replica = self.engine = None
        self._countdown = None
        self._asleep = self._told = self._catching_up = self._is_mending = False
        self._waiting.clear()
        self._inbox.clear()
        self._timer += 1
        self.disk.lose_power(sidecar_writes if power else 0)
        self.disk.boots += power
        for link in self.sim.network.links_of(self):
            self.sim.network.close(link, self, told=not power)
        self.links.clear()

    def sleep(self) -> None:
        """Stop, as a closed laptop does: nothing is lost, nothing goes on."""
        if self.is_awake:
            self._asleep = True
            self.sim.note("sleep", self)
            for link in self.sim.network.links_of(self):
                self.sim.network.expire(link, link.other(self))

    def wake(self) -> None:
        """Go on: what came meanwhile is all there at once."""
        if self._asleep:
            self._asleep = False
            self.sim.note("wake", self)
            self.sim.network.try_again(self)
            waiting, self._waiting = self._waiting, deque()
            for event in waiting:
                self._when_awake(event)

    def lose_power_after(self, points: int) -> None:
        """Let power fail at the so many-th point from here."""
        self._countdown = points

    def lose_no_power(self) -> None:
        """Forget :meth:`lose_power_after`."""
        self._countdown = None

    def wall_s(self) -> float:
        """Its wall clock, in seconds since 1970."""
        return min(max(START_S + self.sim.now + self.skew_s, 0.0), WALL_S_MAX)

    def _point(self) -> None:
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown < 0:
                raise PowerCut

    def _when_awake(self, event: Callable[[], None]) -> None:
        if self._asleep:
            self._waiting.append(event)
        elif self.replica is not None:
            event()

    # --- its people ---------------------------------------------------------------------------------------------------

    @property
    def is_proved(self) -> bool:
        """Whether its store believes no segment."""
        with self.running.store.read() as reader:
            return not reader.segments()

    def act(self, work: Callable[[StorageEngine], T]) -> T | None:
        """
        Let somebody do something; what was acknowledged is judged from here on.

        Returns:
            What ``work`` returned; None when the device is down, its disk refused, or power failed.
        """
        if not self.is_awake:
            return None
        engine = self.running
        with self.sim.watch(self) as witness:
            try:
                result = work(engine)
                witness.acknowledged()
            except PowerCut:
                self.sim.power_failed(self)
                return None
            except StorageError as error:
                self.last_error = error
                self.sim.note("refused", self, why=type(error).__name__)
                self._after_fault(error)
                return None
        return result

    def _after_fault(self, error: EddaError) -> None:
        """Do as ``device.py`` does, and as people are told to: look at the log again, or fold it anew."""
        if isinstance(error, CorruptError) and self._is_mending:  # it is the log that cannot be folded
            self.sim.later(MEND_AGAIN_S, lambda: self._when_awake(self.rebuild))
        elif isinstance(error, CorruptError):
            self.sim.later(0.0, lambda: self._when_awake(self.rebuild))
        elif isinstance(error, StorageError):
            self._tell_soon(limits.WATCH_INTERVAL_S)  # what failed may be in the log all the same

    def _own_commit(self) -> None:
        self._tell_soon(0.0)

    def _tell_soon(self, delay_s: float) -> None:
        """Let the replica hear of what is new in the log: a moment later, as in ``device.py``, once for several."""
        if not self._told:
            self._told = True
            self.sim.later(delay_s, self._tell)

    def _tell(self) -> None:
        def tell() -> None:
            self._told = False
            replica = self.replica
            if replica is not None:
                self._drive(replica.committed, self.sim.now)

        self._when_awake(tell)

    # --- links --------------------------------------------------------------------------------------------------------

    def has_link(self, other: SimulatedDevice) -> bool:
        """Tell whether a link to this very device is up, as far as this one knows."""
        link = self.links.get(other.id)
        return link is not None and link.other(self) is other

    def trusts(self, other: SimulatedDevice) -> bool:
        """Tell whether another is a member, as far as this one knows."""
        if other.id not in self._trusted and self.engine is not None:
            with suppress(CorruptError):  # a disk rots: whoever cannot be read is not trusted until that is mended
                self._trusted.update(self.engine.reading.certificates())
        return other.id in self._trusted

    def connected(self, link: Link) -> None:
        """Begin to talk over a new link."""
        peer = link.other(self).id
        old = self.links.get(peer)
        self.links[peer] = link
        if old is not None:
            self.sim.network.close(old, self)
        replica = self.replica
        if replica is not None:
            self._drive(replica.connected, peer)

    def disconnected(self, link: Link) -> None:
        """Learn that a link is gone."""

        def forget() -> None:
            peer = link.other(self).id
            if self.links.get(peer) is link:
                del self.links[peer]
                if self.replica is not None:
                    self.replica.disconnected(peer, self.sim.now)
            self.sim.network.close(link, self)

        self._when_awake(forget)

    def disconnected_silently(self, link: Link) -> None:
        """Learn that a link is gone, of which the other end hears nothing."""
        if self.is_awake:
            peer = link.other(self).id
            if self.links.get(peer) is link and self.replica is not None:
                del self.links[peer]
                self.replica.disconnected(peer, self.sim.now)
            self.sim.note("half-open", self, peer=link.other(self).name)
            self.sim.network.close(link, self, told=False)

    def received(self, link: Link, sender: SimulatedDevice, frame: bytes, sent: float) -> None:
        """Take a frame that arrived."""

        def deal() -> None:
            if self.links.get(sender.id) is link and self.replica is not None:
                self.sim.frame(sender, self, frame, sent)
                self._drive(self.replica.frame_received, sender.id, frame, self.sim.now)

        self._inbox.append(deal)
        self._take_next()

    def _take_next(self) -> None:
        """Take the frames that wait, each after this device's pace."""
        while self._inbox and not self.pace_s:
            self._when_awake(self._inbox.popleft())
        if self._inbox and not self._taking:
            self._taking = True
            self.sim.later(self.pace_s, self._take_slowly)

    def _take_slowly(self) -> None:
        self._taking = False
        if self._inbox:
            self._when_awake(self._inbox.popleft())
        self._take_next()

    def hurry(self) -> None:
        """Be as fast as ever."""
        self.pace_s = 0.0
        self._take_next()

    # --- the replica --------------------------------------------------------------------------------------------------

    def _drive(self, work: Callable[..., list[Effect]], *args: Any) -> None:
        with self.sim.watch(self):
            try:
                for effect in work(*args):
                    self._point()
                    self._carry_out(effect)
            except PowerCut:
                self.sim.power_failed(self)
                return
        self._set_timer()
        self._catch_up_soon()

    def _carry_out(self, effect: Effect) -> None:
        link = self.links.get(effect.peer)
        if isinstance(effect, Send):
            if link is not None:
                self.send(link, effect.frame)
        elif isinstance(effect, Close):
            if isinstance(effect.error, BugError):
                raise effect.error.bug
            if effect.error is not None:
                self.last_error = effect.error
                self.sim.note("trouble", self, peer=effect.peer, why=type(effect.error).__name__)
                self._after_fault(effect.error)
            if link is not None:
                del self.links[effect.peer]
                self.sim.network.close(link, self)
        elif isinstance(effect, Proved):
            self.sim.proved(self, effect.peer)
        elif isinstance(effect, Differs):
            keys = effect.keys
            self.sim.later(0.0, lambda: self._when_awake(lambda: self.refold(keys)))
        elif isinstance(effect, Mended):
            self.sim.later(0.0, lambda: self._when_awake(self.rebuild))
        elif isinstance(effect, Applied):
            self.sim.note("applied", self, peer=effect.peer, changes=effect.changes)
        else:
            assert isinstance(effect, Learned)
            self.sim.note("learned", self, peer=effect.peer)

    def send(self, link: Link, frame: bytes) -> None:
        """Hand a frame to the network."""
        self.sim.sent(self, link.other(self), frame)
        self.sim.network.send(link, self, frame)

    def rebuild(self) -> None:
        """Fold the log anew."""
        self.sim.note("rebuild", self)
        if self.fold_anew(StorageEngine.rebuild):
            self.disk.rotten = False

    def refold(self, keys: tuple[bytes, ...]) -> None:
        """Fold anew what a peer has otherwise, each entity from the log."""
        self.sim.note("refold", self, entities=len(keys))
        self.fold_anew(lambda engine: engine.refold(keys))

    def fold_anew(self, work: Callable[[StorageEngine], int]) -> bool:
        """Fold something anew, and compare anew with everybody; tell whether that went well."""
        self._is_mending = True
        done = self.act(work)
        self._is_mending = False
        if done is None or self.replica is None:
            return False
        self.replica.rebuilt(self.sim.now)
        self._set_timer()
        return True

    def scrub(self) -> None:
        """Look at everything that is stored, as a running device does within a day."""
        after: bytes | None = b""
        while after is not None and self.is_awake:
            seen = self.act(lambda engine, at=after: engine.scrub(at))  # type: ignore[misc]
            if seen is None:
                return
            found, after = seen
            if found:
                self.sim.damaged(self, found[0].what)
                self.rebuild()
                return

    def _catch_up_soon(self) -> None:
        if self._catching_up or self.engine is None or self.disk.writes == self._caught_up:
            return
        self._caught_up = self.disk.writes
        with self.engine.store.read() as reader:
            due = bool(reader.stale_texts())
        if due:
            self._catching_up = True
            self.sim.later(limits.PROJECT_DELAY_S, lambda: self._when_awake(self._catch_up))

    def _catch_up(self) -> None:
        self._catching_up = False
        self.act(lambda engine: engine.store.transact(engine.writing.catch_up))

    def _set_timer(self) -> None:
        replica = self.replica
        if replica is None:
            return
        self._timer += 1
        timer, deadline = self._timer, replica.next_deadline()
        if deadline is None:
            return

        def tick() -> None:
            if timer == self._timer and self.replica is not None:
                self._drive(self.replica.tick, self.sim.now)

        self.sim.at(max(deadline, self.sim.now), lambda: self._when_awake(tick))
