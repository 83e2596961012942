"""Logs are causal, unique, and never shorter; and what a device says about its log is on its disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from edda_sync.changes.chains import Chains
from edda_sync.changes.change import DEP_HASH_BYTES, decode_birth, decode_header, hash_change, hash_header, hash_part
from edda_sync.crdt.frontier import Dot, Frontier, join
from edda_sync.simulations.branches import is_in_a_segment, reach_of
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import heads_of, shown
from edda_sync.simulations.frames import message_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.store.seams import Logged
from edda_sync.sync.messages import Ack, Changes, Earlier, Heads, Hello, Offer, Part, Snapshot, Want
from edda_sync.sync.provisional import FORGED_KEY, UNPROVED_KEY


def dots_in(frame: bytes) -> list[Dot]:
    """Return the dots of the changes in a frame."""
    message = message_of(frame)
    return [decode_header(raw).dot for raw, _ in message.changes] if isinstance(message, Changes) else []


class CausalDelivery(Checker):
    """
    A change enters a log after everything that it depends on, each dependency under the hash that the change names.

    A device that writes before it has met a peer is exempt: the change that made it a member is named and not here yet. A
    change names no less than the change before it in its chain.
    """

    number = 3

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._named: dict[bytes, Frontier] = {}  # by hash of a change: the frontier that its chain named up to it
        self._held: dict[str, set[bytes]] = {}  # by name of a device: the hashes that a dependency may name

    def booted(self, device: SimulatedDevice) -> None:
        """Start with what the log holds."""
        self._held[device.name] = {digest[:DEP_HASH_BYTES] for digest in self.sim.book.held[device.name]}

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Check the log's new entries."""
        held = self._held[device.name]
        with device.running.store.read() as reader:
            for entry in entries:
                header = decode_header(entry.raw)
                needed = list(header.deps)
                if header.seq > 1:
                    needed.append((header.actor, header.seq - 1, header.previous[:DEP_HASH_BYTES]))
                elif (
                    header.birth is not None
                    and header.birth.continues is not None
                    and not self.sim.book.is_own(device, entry)
                ):
                    needed.append(header.birth.continues)
                for actor, seq, digest in needed:
                    if digest not in held and not is_in_a_segment(reader, actor, seq, digest):
                        self.fail(device, f"{shown(header.dot)} is in the log before {shown((actor, seq))}")
                held.add(entry.hash[:DEP_HASH_BYTES])
                before, named = self._named.get(header.previous, {}), {actor: seq for actor, seq, _ in header.deps}
                forked = {actor for actor, _ in self.sim.book.forked}  # of these actors, another branch may be named
                for actor, seq in named.items():
                    if seq < before.get(actor, 0) and actor not in forked:
                        self.fail(device, f"{shown(header.dot)} depends on less than the change before it")
                self._named[entry.hash] = {**before, **named}


class UniqueDots(Checker):
    """
    No two changes share a name, unless a device lied or a whole machine was put back; and no device writes in another's
    name.

    The parts of a large change are those that its header names.
    """

    number = 9

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Compare each new entry with what other devices hold under its name."""
        book = self.sim.book
        for entry in entries:
            dot = (entry.actor, entry.seq)
            if not entry.body:
                self._check_parts(device, entry)
            if book.is_forked(dot):
                continue
            if book.hashes.get(dot, entry.hash) != entry.hash:
                self.fail(device, f"{shown(dot)} is another change than elsewhere")
            if entry.actor in book.makers and book.made.get(dot) != entry.hash:
                self.fail(device, f"holds {shown(dot)}, which {book.makers[entry.actor]} never made")

    def _check_parts(self, device: SimulatedDevice, entry: Logged) -> None:
        with device.running.store.read() as reader:
            parts = tuple(hash_part(part) for part in reader.log.parts(entry.position))
        if parts != decode_header(entry.raw).parts:
            self.fail(device, f"holds {shown((entry.actor, entry.seq))} with other parts than its header names")


class Authority(Checker):
    """Every change is by a member: no log contains a change of a device that no member ever welcomed."""

    number = 15

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Check the device behind each new actor."""
        for entry in entries:
            birth = decode_header(entry.raw).birth if entry.seq == 1 else None
            if birth is not None:
                self._check(device, entry.actor, birth.public_key)

    def ended(self) -> None:
        """Check also the actors that a segment brought."""
        for device in self.sim.honest():
            for head in heads_of(device).values():
                self._check(device, head.actor, decode_birth(head.birth).public_key)

    def _check(self, device: SimulatedDevice, actor: bytes, public_key: bytes) -> None:
        welcomed = [each.identity for each in self.sim.devices] + [each.identity for each in self.sim.backups.codes]
        if all(public_key != each.public_key for each in welcomed):
            self.fail(device, f"holds {actor.hex()[:8]}, an actor of nobody who was ever welcomed")


class Durability(Checker):
    """What was acknowledged, or was ever in a log, is there after every start, unless an older image was put back."""

    number = 5

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._logs: dict[str, dict[bytes, Dot]] = {}
        self._put_back: set[str] = set()

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Remember the entries of the log."""
        self._logs.setdefault(device.name, {}).update({each.hash: (each.actor, each.seq) for each in entries})

    def put_back(self, device: SimulatedDevice) -> None:
        """Expect another log at the next start."""
        self._put_back.add(device.name)

    def booted(self, device: SimulatedDevice) -> None:
        """Compare the log with its earlier entries."""
        book = self.sim.book
        held = book.held[device.name]
        acknowledged = book.acknowledged_by.setdefault(device.name, {})
        if device.name in self._put_back:
            self._put_back.discard(device.name)
            self._logs[device.name] = dict(held)
            alive = {digest for log in book.held.values() for digest in log}
            for known in book.acknowledged_by.values():
                book.destroyed.update((digest, dot) for digest, dot in known.items() if digest not in alive)
            for digest in acknowledged.keys() - held.keys():
                del acknowledged[digest]
        for digest, dot in acknowledged.items():
            if digest not in held:
                self.fail(device, f"{shown(dot)} was acknowledged, and is gone after a start")
        withdrawn = book.withdrawn.get(device.name, set())
        for digest, dot in self._logs.setdefault(device.name, dict(held)).items():
            if digest not in held and digest not in withdrawn:
                self.fail(device, f"{shown(dot)} was in the log, and is gone or changed after a start")


class _Safe(NamedTuple):
    """How far along each chain a disk safely holds changes, after a number of writes."""

    writes: int
    held: Frontier


class PersistBeforePublish(Checker):
    """
    No frame carries or claims a change that the sender's disk does not hold safely.

    A device that asks for a large change, or a segment, from some part on claims to hold all parts before that one.
    """

    number = 8

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._safe: dict[str, _Safe] = {}

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Compare the claims of a frame with the disk."""
        message = message_of(frame)
        said: list[Dot] = []
        if isinstance(message, (Changes, Earlier)):
            self._check_changes(device, message)
        elif isinstance(message, (Hello, Heads)):
            said = [(each.actor, each.seq) for each in message.heads]
            if isinstance(message, Hello) and message.wanted:
                self._check_wishes(device, message)
        elif isinstance(message, Ack):
            said = list(message.moved)
        elif isinstance(message, Part):
            said = [(message.actor, message.seq)]
        elif isinstance(message, Snapshot):
            self._check_segment(device, message)
        elif isinstance(message, (Offer, Want)):
            self._check_parts(device, message)
        held = self._safe_of(device).held if said else {}
        for dot in said:
            if held.get(dot[0], 0) < dot[1]:
                self.fail(device, f"told {receiver.name} of {shown(dot)}, which its disk does not hold for good")

    def _check_changes(self, device: SimulatedDevice, message: Changes | Earlier) -> None:
        held = self._safe_of(device).held
        with device.running.store.read() as reader:
            chains = Chains(reader)
            for raw, _ in message.changes:
                header = decode_header(raw)
                digest = hash_change(header.previous, hash_header(raw))
                if chains.find(*header.dot, digest) is None or held.get(header.actor, 0) < header.seq:
                    self.fail(device, f"sent {shown(header.dot)}, which its disk does not hold for good")

    def _check_wishes(self, device: SimulatedDevice, hello: Hello) -> None:
        with device.running.store.read() as reader:
            halves = [(decode_header(each.raw).dot, each.parts) for each in reader.incoming.all()]
        for actor, seq, first in ((each.actor, each.seq, each.first) for each in hello.wanted):
            if not any(dot == (actor, seq) and parts.issuperset(range(first)) for dot, parts in halves):
                self.fail(device, f"asks for {shown((actor, seq))} from part {first} on, and lacks one before")

    def _check_parts(self, device: SimulatedDevice, message: Offer | Want) -> None:
        """Look for the parts of a segment that a device claims to hold; on a lawless path, parts may overtake each other."""
        with device.running.store.read() as reader:
            assert device.replica is not None, "it speaks"
            refused = message.segment in device.replica.exchange.merging.refused
            bitten = any(map(reader.meta.get, (FORGED_KEY, UNPROVED_KEY)))
            if isinstance(message, Want) and (reader.log.heads() or refused or bitten or self.sim.profile.lawless):
                return  # it declines the offer
            first = message.first if isinstance(message, Want) else message.parts
            if any(reader.blobs.part(message.segment, number) is None for number in range(first)):
                self.fail(device, "speaks of parts of a segment that its disk does not hold for good")

    def _check_segment(self, device: SimulatedDevice, message: Snapshot) -> None:
        with device.running.store.read() as reader:
            kept = reader.blobs.part(message.segment, message.number)
            if kept != message.data or device.disk.is_at_risk:
                self.fail(device, "sent a part of a segment that its disk does not hold for good")

    def _safe_of(self, device: SimulatedDevice) -> _Safe:
        disk = device.disk
        kept = self._safe.get(device.name)
        if disk.is_at_risk and kept is not None:
            return kept
        if kept is None or kept.writes != disk.writes:
            with device.running.store.read() as reader:
                held = join(reach_of(reader), {actor: head.seq for actor, head in reader.log.heads().items()})
            kept = self._safe[device.name] = _Safe(disk.writes, held)
        return kept

    def booted(self, device: SimulatedDevice) -> None:
        """Forget what was safe before."""
        self._safe.pop(device.name, None)


class MonotonicReads(Checker):
    """A device never goes back behind an earlier state, and shows at once what it has just acknowledged."""

    number = 7

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._frontiers: dict[str, Frontier] = {}
        self._fell: Counter[str] = Counter()

    def put_back(self, device: SimulatedDevice) -> None:
        """Allow a step back, because somebody put the device back."""
        self._frontiers.pop(device.name, None)

    def changed(self, device: SimulatedDevice) -> None:
        """Compare with the state before."""
        with device.running.store.read() as reader:
            now = reach_of(reader)
        fell = self.sim.book.fell[device.name]
        if fell != self._fell[device.name]:  # what it began with was wrong, or what let it in is lost
            self._fell[device.name] = fell
            self._frontiers.pop(device.name, None)
        before = self._frontiers.get(device.name, {})
        for actor, seq in before.items():
            if now.get(actor, 0) < seq:
                self.fail(device, f"stands at {shown((actor, now.get(actor, 0)))}, and stood at {seq}")
        self._frontiers[device.name] = now

    def booted(self, device: SimulatedDevice) -> None:
        """Compare with the state before its process ended."""
        self.changed(device)
