"""
The simulator: one virtual clock, one heap of events, two acts.

Act one: the tape's events happen, with all faults; checkers watch safety after each event. Act two: faults end, all devices
are up, all paths work; the devices must become equal, prove it, and stay within bounds of time and bytes.

Sources: two acts, and checkers written in terms of production code: TigerBeetle's VOPR. One tape of labelled choices:
Dropbox's Trinity.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from edda_sync.simulations import branches, ending, levels
from edda_sync.simulations.audience import Audience
from edda_sync.simulations.backups import Backups
from edda_sync.simulations.book import Book
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.clock import Clock
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.driver import Witness
from edda_sync.simulations.filed import Filed
from edda_sync.simulations.keys import Keys, identity_of
from edda_sync.simulations.links import Host
from edda_sync.simulations.network import Network
from edda_sync.simulations.protocols import Action, Recorder, Verdict
from edda_sync.simulations.tape import ONLY_IN_PLAYS, UNDOING, Event, Profile, Tape
from edda_sync.simulations.violation import Violation
from edda_sync.words import limits
from edda_sync.workspace.welcome import DeviceCard

NAMES: Final = ("laptop", "phone", "tablet", "desktop", "server", "watch", "reader", "car")
EQUAL_WITHIN_S: Final = 60.0  # invariant 18
QUIET_S: Final = 2.0  # from the end of the last fault to the measurement, so that what is under way arrives


class Simulation:
    """
    One run. Call :meth:`run` once.

    Args:
        tape: The choices.
        actions: What can happen.
        checkers: What must hold.
        folder: The folder for stores in files, made and removed by the caller; None keeps everything in memory.
        recorder: Also listens.
        script: Replaces the tape's events: it plans its own with :meth:`at`.
        plans: Each plans what a run has beside the tape's events.
    """

    def __init__(
        self,
        tape: Tape,
        actions: Sequence[Action],
        checkers: Sequence[type[Checker]],
        *,
        folder: Path | None = None,
        recorder: Recorder | None = None,
        script: Callable[[Simulation], float] | None = None,
        profile: Profile | None = None,
        plans: Sequence[Callable[[Simulation], object]] = (),
    ) -> None:
        self.tape = tape
        groups = sorted({action.group for action in actions if action.group} - {ONLY_IN_PLAYS, UNDOING})
        self.profile = profile or tape.profile(groups)
        self.clock = Clock()
        self.devices: list[SimulatedDevice] = []
        self.book = Book()
        self.is_over = False
        self.is_healing = False
        self.network = Network(self, self.profile.lawless)
        self.filed = Filed(tape, may_be_busy=bool(plans))
        self.backups = Backups(lambda: self.now, self.later)
        self.keys = Keys(real=self.profile.real_keys)
        self._script, self._plans = script, plans
        self.folder = folder
        self._actions = {action.name: action for action in actions}
        self._audience = Audience([checker(self) for checker in checkers], recorder)
        self._proofs: set[tuple[str, str]] = set()
        self._undo: list[Callable[[], None]] = []
        self._watching: SimulatedDevice | None = None
        self.planned: list[Event] = []
        self.taken: list[Event] = []

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Run both acts and return the result. An exception of the product is a violation too."""
        verdict = Verdict(self.tape.seed, self.profile, is_busy=self.filed.is_busy)
        try:
            self._first_act()
            self._second_act()
        except Violation as violation:
            verdict.violation = violation
        except Exception as error:  # noqa: BLE001 - to find any exception of the product is the purpose of the run
            where = self._watching.name if self._watching is not None else "the simulator"
            verdict.violation = Violation(0, where, f"{type(error).__name__}: {error}")
            verdict.trace = traceback.format_exc()
        finally:
            self.is_over = True
            levels.forget()
            for device in self.devices:
                device.disk.close()
                device.proofs.close()
        verdict.digest = self._audience.digest
        verdict.virtual_s, verdict.events = self.now, self.clock.planned
        verdict.changes = len(self.book.hashes)
        verdict.planned, verdict.taken = self.planned, self.taken
        return verdict

    def _first_act(self) -> None:
        for _ in range(self.profile.devices):
            self.add_device()
        if self.profile.line:
            self.network.line_up()
        for plan in self._plans:
            plan(self)
        if self._script is not None:
            self.clock.run_until(self._script(self))
            return
        groups = self.profile.groups | ({UNDOING} if self.tape.has(UNDOING) else set())
        weights = [(a.name, a.weight) for a in self._actions.values() if not a.group or a.group in groups]
        events = self.planned = self.tape.events(weights)
        for event in events:
            self.at(event.at_s, lambda event=event: self._happen(event))  # type: ignore[misc]
        self.clock.run_until(events[-1].at_s + QUIET_S if events else QUIET_S)

    def _happen(self, event: Event) -> None:
        self.taken.append(event)
        self.note("event", None, number=event.number, action=event.action)
        self._actions[event.action](self, self.tape.source(f"event {event.number}"))

    def _second_act(self) -> None:
        self.heal()
        if self.network.is_lined_up:
            self._wait_for(self._holds_the_same)
            self.network.mingle()
        self._wait_for(lambda: ending.is_over(self))
        self.note("all equal", None)
        self.clock.run_until(self.now + limits.ANNOUNCE_LATER_S + QUIET_S)  # so that what is told late arrives, too
        self._audience.tell("ended")

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        within_s = EQUAL_WITHIN_S
        self.clock.run_until(self.now + within_s, is_so)
        if not is_so() and ending.wait_for_the_absent(self):
            within_s += limits.BEHIND_ABSENT_S
            self.clock.run_until(self.now + limits.BEHIND_ABSENT_S, is_so)
        if not is_so():
            raise Violation(*ending.who_is_apart(self, within_s))

    def _holds_the_same(self) -> bool:
        """Tell whether all honest devices hold the same changes, or cannot have them."""
        devices = self.honest()
        if self.book.forked or len({device.id for device in devices}) < len(devices):
            return True
        first = self.book.frontier(devices[0])
        return all(self.book.frontier(device) == first for device in devices[1:])

    def heal(self) -> None:
        """End all faults. From here on everything must go well."""
        self.is_healing = True
        self.note("heal", None)
        for device in self.devices:
            if not device.honest:
                device.crash(power=False)  # a liar is silent from here on, and not needed
        undo, self._undo = self._undo, []
        for end in undo:
            end()
        self.backups.place.mend()
        for device in self.devices:
            device.disk.faults.clear()
            device.disk.full = False
            device.inbox.hurry()
            device.lose_no_power()
            if device.honest and not device.is_up:
                self.boot(device)
            device.wake()
        for device in self.honest():
            if not device.is_up:  # its store is lost, and no other device ran a moment ago that could let it in again
                self.boot(device)
        for device in self.honest():
            if device.disk.rotten:
                device.scrub()  # what was written on top of rot looks sound here, but a peer's digest differs
        self._invite_again()
        levels.upgrade_all(self)
        self._audience.tell("mending")
        self.network.heal()
        self.clock.run_until(self.now + QUIET_S)
        for device in self.honest():
            device.scrub()
        self._audience.tell("healed")

    def _invite_again(self) -> None:
        """Let devices in again that are no longer known because the only disk that knew them was put back, as people do."""
        inviter = next((each for each in self.honest() if each.is_proved), self.honest()[0])
        known = inviter.running.reading.certificates()
        for device in self.honest():
            if device.id not in known:
                self.let_in_again(inviter, device)

    # --- for actions --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time, in seconds since the run began."""
        return self.clock.now

    def at(self, due: float, work: Callable[[], object]) -> None:
        """Plan an event for a time."""
        self.clock.at(due, work)

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Plan an event after a delay."""
        self.clock.later(delay_s, work)

    def for_a_while(self, duration_s: float, end: Callable[[], None]) -> None:
        """Plan the end of something: after a while, or when all is healed."""
        self._undo.append(end)

        def over() -> None:
            if end in self._undo:
                self._undo.remove(end)
                end()

        self.later(duration_s, over)

    def add_device(self, kind: type[SimulatedDevice] = SimulatedDevice) -> SimulatedDevice:
        """Add a device. The first one founds the workspace; the others join through a member that is awake."""
        number = len(self.devices)
        name = NAMES[number] if number < len(NAMES) else f"device {number}"
        return self.add(kind(self, name, identity_of(number), self.keys, self.folder_of(name)))

    def add(self, device: SimulatedDevice, *, member: bool = False) -> SimulatedDevice:
        """
        Start a device that was not there before.

        Args:
            device: The device, with its disk.
            member: Whether its disk already holds a member's store.
        """
        if not member:
            inviter = next((each for each in self.honest() if each.is_awake and each.is_proved), None)
            if inviter is None and self.devices:
                return device
            with self.watch(device):
                engine = device.make_engine()
                if inviter is None:
                    engine.found()
                else:
                    welcome = inviter.act(lambda member: member.welcome(card_of(device)))
                    if welcome is None:  # its disk refused, or its power failed: it does not join
                        device.disk.close()
                        return device
                    engine.adopt(welcome)
            device.disk.close()
        self.devices.append(device)
        self.boot(device)
        self.network.join(device)
        return device

    def let_in_again(self, inviter: SimulatedDevice, device: SimulatedDevice) -> None:
        """Pair a device once more with a member of its workspace; its store stays."""
        welcome = inviter.act(lambda engine: engine.welcome(card_of(device)))
        if welcome is not None:
            self.note("let in again", device, by=inviter.name)
            device.act(lambda engine: engine.adopt(welcome))
            device.act(lambda _: device.meet())

    def folder_of(self, name: str) -> Path | None:
        """Return the folder of a device's files; None if it has none."""
        return None if self.profile.backend == "memory" or self.folder is None else self.folder / name

    def boot(self, device: SimulatedDevice) -> None:
        """Start a device's process, and look at what it finds. A liar stays down once all is healed."""
        if self.is_healing and not device.honest:
            return
        if device.remedy is not None:
            device.remedy()
            return
        device.boot()
        levels.recognize(device)
        self.book.came_back(device)
        self.network.try_again(device)
        if device.honest:
            self._audience.changed(self.now, device)
            self._audience.tell("booted", device)
        levels.booted(self, device)
        if device.honest:
            device.act(lambda engine: engine.membership.readmit())

    def put_back(self, device: SimulatedDevice) -> None:
        """Report that a device's disk now holds an older state, or another device's."""
        self.note("put back", device)
        self._audience.tell("put_back", device)

    def damaged(self, device: SimulatedDevice, what: str) -> None:
        """Report that a device's scrub found something."""
        if device.honest:
            self._audience.tell("damaged", device, what)

    def blamed(self, device: SimulatedDevice, peer: str) -> None:
        """Report that a device says that a peer gave it a wrong part of a file."""
        self.note("blamed", device, peer=peer)
        if device.honest:
            self._audience.tell("blamed", device, peer)

    def power_failed(self, device: SimulatedDevice) -> None:
        """Carry out a power failure at a device. It starts again later."""
        draws = self.tape.source(f"power {device.name} {device.lives}")
        device.crash(power=True, sidecar_writes=draws.draw("sidecar", 4))
        self.later(draws.seconds("reboot", 0.1, 60), lambda: None if device.is_up else self.boot(device))

    def honest(self) -> list[SimulatedDevice]:
        """Return the devices that must fulfil the invariants."""
        return [device for device in self.devices if device.honest]

    def running(self) -> list[SimulatedDevice]:
        """Return the honest devices that run."""
        return [device for device in self.devices if device.honest and device.is_up]

    # --- what devices say ---------------------------------------------------------------------------------------------

    @contextmanager
    def watch(self, device: SimulatedDevice) -> Iterator[Witness]:
        """Watch a device during an event; afterwards the checkers look at what has changed."""
        before, refused = device.disk.writes, device.disk.refused
        outer, self._watching = self._watching, device
        witness = Witness(device)
        with levels.software_of(device):
            yield witness
        if witness.is_acknowledged and device.disk.refused != refused:
            raise Violation(5, device.name, "acknowledged what its disk refused")
        if device.honest and device.is_up and device.disk.writes != before:
            with device.disk.share():
                self._tell_of_writes(device, is_acknowledged=witness.is_acknowledged)
        if device.honest and device.is_up:
            self._audience.tell("dealt", device)
        self._watching = outer

    def _tell_of_writes(self, device: SimulatedDevice, *, is_acknowledged: bool) -> None:
        entries = self.book.read_on(device)
        self._audience.changed(self.now, device)
        if is_acknowledged:
            own = [each for each in entries if self.book.is_new(device, each)]
            self.book.acknowledge(device, own)
            self._audience.tell("acknowledged", device, own)
        if entries:
            self._audience.tell("grew", device, entries)
        self._audience.tell("changed", device)

    def sent(self, device: Host, receiver: Host, frame: bytes) -> None:
        """Report that a device hands a frame to the network."""
        if device.honest:
            self._audience.tell("sent", device, receiver, frame)

    def frame(self, sender: Host, receiver: Host, frame: bytes, sent: float) -> None:
        """Report that a frame is about to be received."""
        self._audience.frame(sent, self.now, sender.name, receiver.name, frame)
        if receiver.honest:
            self._audience.tell("received", sender, receiver, frame)

    def proved(self, device: SimulatedDevice, peer: str) -> None:
        """Report that a device has proved itself equal to a peer."""
        if self.book.forked and device.honest:
            self._check_proof(device, peer)
        self.note("equal", device, peer=peer)

    def _check_proof(self, device: SimulatedDevice, peer: str) -> None:
        """Check that a device was not proved equal to one that holds another branch of a fork."""
        link = device.links.get(peer)
        if link is None or device.replica is None:
            return
        other = link.other(device)
        if not other.honest or other.links.get(device.id) is not link:  # the other device has restarted since
            return
        forks = branches.forks_between(device, other, device.replica.progress()[peer].proved_at)
        if forks:
            raise Violation(
                10, device.name, f"proved equal to {other.name}, whose {ending.shown(forks[0])} is another change"
            )

    def tell(self, hook: str, *facts: Any, **more: Any) -> None:
        """Tell the checkers one of :data:`~edda_sync.simulations.checker.HOOKS`."""
        self._audience.tell(hook, *facts, **more)

    def note(self, what: str, device: Host | None, **facts: Any) -> None:
        """Record what happens, in the digest and for the recorder."""
        self._audience.note(self.now, what, "" if device is None else device.name, facts)


def card_of(device: SimulatedDevice) -> DeviceCard:
    """Return the card with which a device asks to join."""
    return DeviceCard(device.identity.certificate, device.name, device.identity.sealing_keys)
