"""Logs: causal, unique, never shorter; and what is said of them is on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from edda_sync.crdt.change import Dot, decode_header, hash_part
from edda_sync.protocols import Logged
from edda_sync.sync.messages import Ack, Changes, Hello, Part, Snapshot
from edda_sync.sync.wire import Codec
from simulations.checker import Checker
from simulations.device import SimulatedDevice
from simulations.ending import heads_of
from simulations.simulator import Simulation

CODEC: Final = Codec()


def shown(dot: Dot) -> str:
    """Return a change's name for a person."""
    return f"{dot[0]:013x}:{dot[1]}"


def dots_in(frame: bytes) -> list[Dot]:
    """Return which changes a frame brings."""
    message = CODEC.decode(frame)
    return [decode_header(raw).dot for raw, _ in message.changes] if isinstance(message, Changes) else []


class CausalDelivery(Checker):
    """A change enters a log after all that it depends on."""

    number = 3

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._deps: dict[bytes, dict[int, int]] = {}  # by hash: two branches of a fork depend on different changes

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Follow the log's new entries."""
        held = {actor: head.seq for actor, head in heads_of(device).items()}
        last: dict[int, bytes | None] = {}
        with device.running.store.read() as reader:
            for entry in reversed(entries):
                held[entry.actor] = entry.seq - 1
                last[entry.actor] = reader.hash_at(entry.actor, entry.seq - 1)
        for entry in entries:
            header = decode_header(entry.raw)
            before = self._deps.get(last[entry.actor] or b"", {})
            deps = self._deps[entry.hash] = {**before, **dict(header.deps)}
            last[entry.actor] = entry.hash
            missing = [(actor, seq) for actor, seq in deps.items() if held.get(actor, 0) < seq]
            if missing or held[entry.actor] != entry.seq - 1:
                self.fail(device, f"{shown(header.dot)} is in the log before {shown((missing or [header.dot])[0])}")
            held[entry.actor] = entry.seq


class UniqueDots(Checker):
    """
    No two changes share a name, unless somebody lied or a whole machine was put back; nobody writes in another's.

    Of a large change the parts are those that its header names.
    """

    number = 9

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Compare each new entry with what others hold under its name."""
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
            parts = tuple(hash_part(part) for part in reader.parts(entry.position))
        if parts != decode_header(entry.raw).parts:
            self.fail(device, f"holds {shown((entry.actor, entry.seq))} with other parts than its header names")


class Authority(Checker):
    """Every change is by a member: nobody's log has one by a device that no member ever welcomed."""

    number = 15

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Look who is behind each new actor."""
        for entry in entries:
            birth = decode_header(entry.raw).birth if entry.seq == 1 else None
            if birth is not None:
                self._check(device, entry.actor, birth.public_key)

    def ended(self) -> None:
        """Look at those too that a segment brought."""
        for device in self.sim.honest():
            for head in heads_of(device).values():
                self._check(device, head.actor, head.public_key)

    def _check(self, device: SimulatedDevice, actor: int, public_key: bytes) -> None:
        if all(public_key != member.identity.public_key for member in self.sim.devices):
            self.fail(device, f"holds {actor:013x}, an actor of nobody who was ever welcomed")


class Durability(Checker):
    """What was acknowledged, or was ever in a log, is there after every start, unless an older image was put there."""

    number = 5

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._logs: dict[str, dict[Dot, bytes]] = {}
        self._put_back: set[str] = set()

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Remember what stands in the log."""
        self._logs.setdefault(device.name, {}).update({(each.actor, each.seq): each.hash for each in entries})

    def put_back(self, device: SimulatedDevice) -> None:
        """Expect another log at the next start."""
        self._put_back.add(device.name)

    def booted(self, device: SimulatedDevice) -> None:
        """Compare the log with what stood there."""
        book = self.sim.book
        held = book.held[device.name]
        acknowledged = book.acknowledged_by.setdefault(device.name, set())
        reached = heads_of(device)
        if device.name in self._put_back:
            self._put_back.discard(device.name)
            self._logs[device.name] = dict(held)
            alive = {dot for log in book.held.values() for dot in log}
            book.destroyed |= {dot for dots in book.acknowledged_by.values() for dot in dots} - alive
            acknowledged.intersection_update(held)
        for dot in sorted(acknowledged):
            if dot not in held and (dot[0] not in reached or reached[dot[0]].seq < dot[1]):
                self.fail(device, f"{shown(dot)} was acknowledged, and is gone after a start")
        before = self._logs.setdefault(device.name, dict(held))
        for dot, known in before.items():
            if held.get(dot) != known:
                self.fail(device, f"{shown(dot)} was in the log, and is gone or changed after a start")


class PersistBeforePublish(Checker):
    """
    No frame carries or claims a change that the sender's disk does not hold for good.

    Whoever asks for a large change from some part on claims to hold all parts before it.
    """

    number = 8

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._safe: dict[str, tuple[int, dict[int, int]]] = {}

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Compare what a frame says with the disk."""
        message = CODEC.decode(frame)
        if isinstance(message, Changes):
            said = [decode_header(raw).dot for raw, _ in message.changes]
            said += [(each.actor, each.seq) for each in message.heads if not each.proof]
        elif isinstance(message, Hello):
            said = [(each.actor, each.seq) for each in message.heads]
            if message.wanted:
                self._check_wishes(device, message)
        elif isinstance(message, Ack):
            said = list(message.frontier)
        elif isinstance(message, Part):
            said = [(message.actor, message.seq)]
        elif isinstance(message, Snapshot):
            self._check_segment(device, message)
            return
        else:
            return
        held = self._held(device)
        for dot in said:
            if held.get(dot[0], 0) < dot[1]:
                self.fail(device, f"told {receiver.name} of {shown(dot)}, which its disk does not hold for good")

    def _check_wishes(self, device: SimulatedDevice, hello: Hello) -> None:
        with device.running.store.read() as reader:
            held = {(each.actor, each.seq): each.parts for each in reader.incoming()}
        for actor, seq, _, first in hello.wanted:
            if seq and not held.get((actor, seq), frozenset()).issuperset(range(first)):
                self.fail(device, f"asks for {shown((actor, seq))} from part {first} on, and lacks one before")

    def _check_segment(self, device: SimulatedDevice, message: Snapshot) -> None:
        with device.running.store.read() as reader:
            kept = reader.segment_part(message.segment, message.number)
            if kept != message.data or device.disk.is_at_risk:
                self.fail(device, "sent a part of a segment that its disk does not hold for good")

    def _held(self, device: SimulatedDevice) -> Mapping[int, int]:
        disk = device.disk
        kept = self._safe.get(device.name)
        if disk.is_at_risk and kept is not None:
            return kept[1]
        if kept is None or kept[0] != disk.writes:
            kept = self._safe[device.name] = (disk.writes, {a: head.seq for a, head in heads_of(device).items()})
        return kept[1]

    def booted(self, device: SimulatedDevice) -> None:
        """Forget what stood there before."""
        self._safe.pop(device.name, None)


class MonotonicReads(Checker):
    """A device never stands behind where it stood, and shows at once what it has just acknowledged."""

    number = 7

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._frontiers: dict[str, dict[int, int]] = {}

    def put_back(self, device: SimulatedDevice) -> None:
        """It may: somebody wanted it."""
        self._frontiers.pop(device.name, None)

    def changed(self, device: SimulatedDevice) -> None:
        """Compare with where it stood."""
        now = {actor: head.seq for actor, head in heads_of(device).items()}
        before = self._frontiers.get(device.name, {})
        for actor, seq in before.items():
            if now.get(actor, 0) < seq:
                self.fail(device, f"stands at {shown((actor, now.get(actor, 0)))}, and stood at {seq}")
        self._frontiers[device.name] = now

    def booted(self, device: SimulatedDevice) -> None:
        """Compare with where it stood before its process ended."""
        self.changed(device)
