"""After the healing: nothing is held back, every acknowledged change is everywhere, and that did not cost much."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Final

from edda_sync.crdt.change import Dot
from edda_sync.protocols import Logged
from edda_sync.sync.messages import Snapshot
from edda_sync.sync.session import Progress
from edda_sync.sync.snapshots import missing
from simulations.checker import Checker
from simulations.checkers.convergence import is_beyond_proof, rows_of
from simulations.checkers.history import CODEC, dots_in, shown
from simulations.device import SimulatedDevice
from simulations.ending import heads_of
from simulations.simulator import Simulation

TWICE: Final = 2
ROUND_BYTES: Final = 4 * 1024


def talk_of(device: SimulatedDevice, other: SimulatedDevice) -> Progress | None:
    """Return how a device's talk with another stands, as far as it knows; None when there is none."""
    link = device.links.get(other.id)
    if link is None or link.other(device) is not other or device.replica is None:
        return None
    return device.replica.progress().get(other.id)


class NothingHeldBack(Checker):
    """No change waits for its parts or for another one, unless a liar made it, or nobody holds all of it any more."""

    number = 19

    def ended(self) -> None:
        """Look what waits."""
        if any(not device.honest for device in self.sim.devices):
            return
        for device in self.sim.honest():
            with device.running.store.read() as reader:
                halves = ((each.actor, each.seq) for each in reader.incoming())
                waiting = [dot for dot in halves if dot not in self.sim.book.destroyed]
            if waiting:
                self.fail(device, f"{shown(waiting[0])} still waits for its parts")


class BoundedBytes(Checker):
    """
    A path carries at most twice what its receiver lacked when all was healed, and 4 KiB a round; no change ever goes back.

    Where a cut or slow path held up what the receiver said, it lacked as much as its sender had heard.

    A round is a talk: the link that there was, and each that was made in the second act. What a device was sent by another
    it does not send there again, unless the other's disk was put back or a lawless path swallowed what was said of it.
    A sender whose log does not hold what is lacked may send a segment of all that it holds besides, each part once.
    """

    number = 20

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._sizes: dict[Dot, int] = {}
        self._lacking: dict[tuple[str, str], int] = {}
        self._sent: Counter[tuple[str, str]] = Counter()
        self._made: Counter[frozenset[str]] = Counter()
        self._given: defaultdict[tuple[str, str], set[Dot]] = defaultdict(set)
        self._put_back: set[str] = set()
        self._needed: dict[tuple[tuple[str, str], bytes], bool] = {}
        self._parts: defaultdict[tuple[str, str], dict[tuple[bytes, int], int]] = defaultdict(dict)

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:  # noqa: ARG002 - of whatever device
        """Weigh new changes."""
        for entry in entries:
            self._sizes[entry.actor, entry.seq] = len(entry.raw) + len(entry.body)

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """Note what an honest device gave."""
        if sender.honest and not self.sim.profile.lawless:
            self._given[sender.name, device.name].update(dots_in(frame))

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Compare with what the receiver gave itself."""
        given = self._given.get((receiver.name, device.name)) if receiver.name not in self._put_back else None
        back = [dot for dot in dots_in(frame) if dot in given and not self.sim.book.is_forked(dot)] if given else []
        if back:
            self.fail(device, f"sent {receiver.name} {shown(back[0])}, which it has from there")
        if (device.name, receiver.name) in self._lacking:
            self._allow_segment(device, receiver, frame)

    def _allow_segment(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Note a part of a segment whose sender cannot give changes instead."""
        message = CODEC.decode(frame)
        if not isinstance(message, Snapshot):
            return
        ends = (device.name, receiver.name)
        if (ends, message.segment) not in self._needed:
            with device.running.store.read() as reader:
                known = {actor: head.seq for actor, head in heads_of(receiver).items()}
                self._needed[ends, message.segment] = missing(reader, known) is None
        if self._needed[ends, message.segment]:
            self._parts[ends][message.segment, message.number] = len(frame)

    def put_back(self, device: SimulatedDevice) -> None:
        """It may need everything again, also what it sent before and what arrives only now."""
        self._put_back.add(device.name)

    def mending(self) -> None:
        """Weigh what each device lacks."""
        self._sent = self.sim.network.bytes_sent.copy()
        self._made = self.sim.network.made.copy()
        for sender, receiver in permutations(self.sim.honest(), 2):
            lacks = self._weigh({actor: head.seq for actor, head in heads_of(receiver).items()})
            talk = talk_of(sender, receiver)
            heard = self._weigh(talk.theirs) if talk is not None else 0
            self._lacking[sender.name, receiver.name] = max(lacks, heard)

    def _weigh(self, held: Mapping[int, int]) -> int:
        """Return how many bytes of changes are beyond a frontier."""
        return sum(size for (actor, seq), size in self._sizes.items() if held.get(actor, 0) < seq)

    def ended(self) -> None:
        """Weigh what was sent."""
        network = self.sim.network
        for (sender, receiver), sent in network.bytes_sent.items():
            ends = frozenset((sender, receiver))
            rounds = 1 + network.made[ends] - self._made[ends]
            cost = sent - self._sent[sender, receiver]
            segments = sum(self._parts[sender, receiver].values())
            lacked = self._lacking.get((sender, receiver))
            if lacked is not None and cost > TWICE * lacked + ROUND_BYTES * rounds + segments:
                device = next(each for each in self.sim.devices if each.name == sender)
                self.fail(device, f"sent {receiver} {cost:,} bytes, which lacked {lacked:,}, in {rounds} rounds")


class Everywhere(Checker):
    """Every change that was acknowledged, and not destroyed with the disks that held it, is on every device."""

    number = 21

    def ended(self) -> None:
        """Look for each acknowledged change on each device; one that forked is on some."""
        book = self.sim.book
        acknowledged = {dot for dots in book.acknowledged_by.values() for dot in dots} - book.destroyed
        for device in self.sim.honest():
            heads = heads_of(device)
            for dot in sorted(acknowledged):
                if dot[0] not in heads or heads[dot[0]].seq < dot[1]:
                    if book.forked:
                        continue  # whoever holds another branch is apart, and so is what came with it
                    self.fail(device, f"lacks {shown(dot)}, which somebody acknowledged")


class Repair(Checker):
    """
    A view that rotted on its disk was found out and folded anew, or was written over.

    Where something waits no digests are compared, and rot below an edited text that was written over stays: nobody says
    that such a device is equal.
    """

    number = 22

    def ended(self) -> None:
        """Fold the log of whoever has not done so anew: nothing may read otherwise."""
        for device in self.sim.honest():
            if device.disk.rotten and not is_beyond_proof(device):
                before = rows_of(device), device.running.digest()
                device.running.rebuild()
                if (rows_of(device), device.running.digest()) != before:
                    self.fail(device, "its view rotted, and nobody noticed")


class Quarantine(Checker):
    """What could not be applied is counted where people look, there and at the others, and holds nothing up."""

    number = 23

    def ended(self) -> None:
        """Compare what waits with what is said to."""
        for device in self.sim.honest():
            with device.running.store.read() as reader:
                listed = len(reader.quarantined()) + reader.unknown_operations()
            if device.running.waiting() != listed:
                self.fail(device, f"says that {device.running.waiting()} wait, and {listed} do")
            for other in self.sim.honest():
                self._compare(device, other)

    def _compare(self, device: SimulatedDevice, other: SimulatedDevice) -> None:
        """Compare what a device was told of another that is as far with what is so there."""
        talk = talk_of(device, other)
        if talk is None:
            return
        as_far = talk.theirs == other.running.frontier() == device.running.frontier()
        if as_far and talk.waiting != other.running.waiting():
            self.fail(other, f"told {device.name} that {talk.waiting} wait, and {other.running.waiting()} do")
