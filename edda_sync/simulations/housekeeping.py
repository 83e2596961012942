"""
What a simulated device does beside its sessions: it carries out its steward's orders.

Like ``edda_sync.device.runner``, it decides nothing. Each order is carried out a moment after it was given, and power may
fail during it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

from edda_sync.engine import backend, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.disk import Disk
from edda_sync.simulations.driver import Driver
from edda_sync.simulations.links import Host
from edda_sync.simulations.tape import Draws
from edda_sync.sync.effects import Effect, Errand, Work
from edda_sync.sync.orders import Duty, End, Mend, Order, Report, Scrub, Scrubbed, Tell
from edda_sync.sync.replica import Replica
from edda_sync.sync.steward import EVENTS, Steward
from edda_sync.words import limits
from edda_sync.words.config import ROCKSDB_FOLDER
from edda_sync.words.errors import EddaError

T = TypeVar("T")
FILES: Final = "attached files"
WORK_MS: Final = (1, 10, 100, 2_000)  # the delay before work beside the sessions, and its duration


class Keeper(Host, Protocol):
    """The device, as its housekeeping sees it; ``device.SimulatedDevice`` is one."""

    disk: Disk
    is_between_levels: bool

    @property
    def keeping(self) -> object:
        """Its present housekeeping."""
        ...

    def wall_s(self) -> float:
        """Return its wall clock, in seconds since 1970."""
        ...

    def act(self, work: Callable[[StorageEngine], T]) -> T | None:
        """Use the store; return None if that failed."""
        ...

    def drive(self, work: Callable[[float], list[Effect] | None]) -> None:
        """Run a turn of the replica, and carry out its effects."""
        ...

    def when_awake(self, event: Callable[[], None]) -> None:
        """Run an event now, or when the device wakes up; never if it is down."""
        ...

    def while_powered(self) -> AbstractContextManager[object]:
        """Run a block of code, unless power fails during it."""
        ...


class Housekeeping:
    """
    The housekeeping of one process of a device. Call :meth:`attend` after each event.

    Args:
        sim: The simulation.
        device: The device; it runs, with an engine and a replica.
        damaged: Is told what a scrub found.

    Attributes:
        steward: The steward.
        trusted: The members, as far as the device knows.
    """

    def __init__(self, sim: Driver, device: Keeper, damaged: Callable[[str], None]) -> None:
        self.steward = Steward(standing.written(device.running), sim.now)
        self.trusted: set[str] = set()
        self._device, self._sim, self._damaged = device, sim, damaged
        self._proofs: dict[str, standing.Remembered] = {}
        self._alarm_at: float | None = None  # when the steward is to be asked again
        self._alarm: object = None  # by which that one is told from earlier ones, which may be due at the same time
        self._seen = -1  # how many writes the disk had taken at the last look
        self._catching_up = False

    def attend(self) -> None:
        """Begin what is due for the steward."""
        self._look_out()
        for said in self.steward.due(self._sim.now):
            if isinstance(said, End):
                raise said.error
            if isinstance(said, Tell):
                self._sim.note("told", self._device, text=_repeatable(said.text))
            else:
                self._later(0.0, lambda order=said: self._perform(order))  # type: ignore[misc]
        deadline = self.steward.next_deadline()
        if deadline is not None and (self._alarm_at is None or deadline < self._alarm_at):
            self._alarm_at, self._alarm = deadline, (alarm := object())
            self._later(max(deadline - self._sim.now, 0.0), lambda: self._awaken(alarm))

    def meet(self) -> None:
        """Read the members again, and trust them."""
        self.trusted = set(self._device.running.reading.certificates())

    def proved(self, peer: str) -> None:
        """Note that a peer is proved equal."""
        replica = self._device.replica
        progress = None if replica is None else replica.progress().get(peer)
        if progress is not None and progress.proved_at is not None:
            self._proofs[peer] = standing.Remembered(self._device.wall_s(), standing.count(progress.proved_at))

    def scrub_all(self) -> None:
        """Check everything that is stored now, as a running device does within a day."""
        after: bytes | None = b""
        while after is not None:
            order = Scrub(Duty.SCRUBBING, after, limits.SCRUB_ENTITIES_MIN)
            seen = self._device.act(lambda _, order=order: self._scrub(order))  # type: ignore[misc]
            if seen is None or seen.following == after:  # it failed, or checks nothing between two versions
                break
            for damage in seen.found:
                self.steward.damaged(damage.what, damage.key, self._sim.now)
            after = seen.following
        self.attend()

    def beside(self, work: Work | Errand, draws: Draws) -> None:
        """
        Run long work, or an errand, after a delay, and report it to the replica after another one, so that other events come
        between.
        """
        device = self._device

        def report(now: float) -> list[Effect]:
            assert device.replica is not None, "it runs"
            return device.replica.worked(work, now) if isinstance(work, Work) else self._ran(device.replica, work, now)

        def later(event: Callable[[], None]) -> None:
            choices = WORK_MS[:-1] if self._sim.is_healing else WORK_MS  # a slow machine is a fault, which ends then
            self._later(draws.pick("milliseconds", choices) / 1_000, event)

        def run() -> None:
            with device.while_powered():
                work.run()
            if device.keeping is self:
                later(end)

        def end() -> None:
            with device.while_powered():
                device.drive(report)
            if device.keeping is self:
                self.attend()

        later(run)

    def _ran(self, replica: Replica, errand: Errand, now: float) -> list[Effect]:
        if errand.error is not None:
            self.steward.fault(FILES, errand.error, now)
        else:
            self.steward.worked(FILES)
        return replica.ran(errand, now)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _awaken(self, alarm: object) -> None:
        if alarm is self._alarm:  # otherwise an earlier one was set meanwhile
            self._alarm_at = self._alarm = None
            self.attend()

    def _later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do something after a delay, once the device is awake, unless it has crashed by then."""
        device = self._device
        self._sim.later(delay_s, lambda: device.when_awake(lambda: work() if device.keeping is self else None))

    def _perform(self, order: Order) -> None:
        with self._device.while_powered():
            try:
                report = self._do(order)
            except EddaError as error:
                self._device.last_error = error
                self.steward.failed(order, error, self._sim.now)
            else:
                self.steward.done(order, report, self._sim.now)
        if self._device.keeping is self:
            self.attend()

    def _do(self, order: Order) -> Report:
        engine, replica = self._device.running, self._device.replica
        assert replica is not None, "it runs"
        if isinstance(order, Mend):
            self._mend(engine, order.keys)
        elif isinstance(order, Scrub):
            return self._scrub(order)
        elif (event := EVENTS.get(order.duty)) is not None:
            written = standing.written(engine) if order.duty is Duty.TELLING else None
            self._device.drive(lambda now: event(replica, now))
            return written
        elif order.duty is Duty.LOOKING:
            return standing.written(engine)
        elif order.duty is Duty.MEETING:
            self.meet()
        elif order.duty is Duty.SAVING:
            standing.save(engine, self._proofs)
        return None

    def _mend(self, engine: StorageEngine, keys: tuple[bytes, ...] | None) -> None:
        if keys is not None:
            self._sim.note("refold", self._device, entities=len(keys))
            engine.refold(keys)
            return
        self._sim.note("rebuild", self._device)
        engine.rebuild()
        self._device.disk.rotten = False

    def _scrub(self, order: Scrub) -> Scrubbed:
        device = self._device
        if device.is_between_levels:  # a version scrubs a view only after folding it by its own rules
            return Scrubbed([], order.after, 0)
        backend.check(device.running.store)
        found, following = device.running.reading.scrub(order.after, order.limit)
        if found:
            self._damaged(found[0].what)
        return Scrubbed(found, following, sum(device.running.counts().values()))

    def _look_out(self) -> None:
        """Notice soon what was written, as the lookout does, and then do what may wait until after a write."""
        if self._device.disk.writes == self._seen:
            return
        self._seen = self._device.disk.writes
        self._later(limits.WATCH_INTERVAL_S, self._notice)
        if self._catching_up:
            return
        with self._device.running.store.read() as reader:
            self._catching_up = bool(reader.index.stale())
        if self._catching_up:
            self._later(limits.PROJECT_DELAY_S, self._catch_up)

    def _notice(self) -> None:
        self.steward.noticed(self._sim.now)
        self.attend()

    def _catch_up(self) -> None:
        self._catching_up = False
        self._device.act(lambda engine: engine.store.transact(engine.writing.catch_up))


def _repeatable(text: str) -> str:
    """Return what is told, without the path and the random name of RocksDB's folder, which differ when a run is repeated."""
    return ROCKSDB_FOLDER if ROCKSDB_FOLDER in text else text
