"""What a liar may achieve: it takes up little room, and what is refused changes nothing."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Final

from edda_sync.changes.change import decode_header
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.frames import message_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.store.seams import Logged
from edda_sync.sync.messages import Snapshot, Want
from edda_sync.words import limits
from edda_sync.words.errors import RemoteError

WAITING_BYTES_MAX: Final = 16 * 1024 * 1024  # per device, for changes that are held and not applied


class BoundedHostility(Checker):
    """Changes that are held and not applied take up little room, whichever member sent them."""

    number = 16

    def changed(self, device: SimulatedDevice) -> None:
        """Measure what waits, if there is a liar."""
        if all(each.honest for each in self.sim.devices):
            return
        with device.running.store.read() as reader:
            halves = reader.incoming.all()
            parts = sum(len(each.parts) for each in halves) + sum(count for _, count in reader.blobs.unreferenced())
            held = sum(len(each.raw) for each in halves) + parts * limits.PART_BYTES_MAX
        if held > WAITING_BYTES_MAX:
            self.fail(device, f"holds {held:,} bytes that are not applied")


class AskedFor(Checker):
    """No device keeps a part of a segment that it did not ask for, by name and in the same session."""

    number = 16

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._asked: dict[tuple[str, int], bytes] = {}  # by device and link
        self._unasked: dict[str, tuple[bytes, int]] = {}  # the name, and how many parts were there before

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Note what a device asks for."""
        message = message_of(frame)
        if isinstance(message, Want):
            self._asked[device.name, device.links[receiver.id].number] = message.segment

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """Check whether a part of a segment was asked for."""
        try:
            message = message_of(frame)
        except RemoteError:
            return
        if not isinstance(message, Snapshot):
            return
        link = device.links[sender.id].number
        if self._asked.get((device.name, link)) != message.segment:
            self._unasked[device.name] = message.segment, _parts_of(device, message.segment)

    def dealt(self, device: SimulatedDevice) -> None:
        """Check whether a part that was not asked for was kept."""
        name, before = self._unasked.pop(device.name, (b"", 0))
        if name and _parts_of(device, name) > before:
            self.fail(device, "keeps a part of a segment that it did not ask for")


def _parts_of(device: SimulatedDevice, segment: bytes) -> int:
    with device.running.store.read() as reader:
        return dict(reader.blobs.unreferenced()).get(segment, 0) + sum(
            name == segment for _, name in reader.segments.merged()
        )


class BoundedBirths(Checker):
    """However many lives a device has begun, one peer brings only a limited number of them at a time."""

    number = 16

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._from: dict[str, str] = {}  # the peer whose frame a device is processing
        self._taken: defaultdict[tuple[str, str, bytes], deque[float]] = defaultdict(deque)

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:  # noqa: ARG002 - any frame
        """Note the peer that brings it."""
        self._from[device.name] = sender.name

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """Count the lives that began in the last window."""
        if device.name in self.sim.book.catching_up:
            return  # the log begins with these lives
        sender = self._from.get(device.name)
        births = [decode_header(entry.raw).birth for entry in entries if entry.seq == 1]
        for birth in births:
            if sender is not None and birth is not None:
                taken = self._taken[sender, device.name, birth.public_key]
                taken.append(self.sim.now)
                while taken[0] <= self.sim.now - limits.BIRTHS_WINDOW_S:
                    taken.popleft()
                if len(taken) > 2 * limits.BIRTHS_MAX:  # once at a window's end, once at the next one's beginning
                    self.fail(device, f"took {len(taken):,} lives of one device from {sender} at once")

    def dealt(self, device: SimulatedDevice) -> None:
        """Forget the peer: what comes now is from elsewhere."""
        self._from.pop(device.name, None)

    def booted(self, device: SimulatedDevice) -> None:
        """Start counting again, in a new process."""
        for ends in [ends for ends in self._taken if ends[1] == device.name]:
            del self._taken[ends]


class RejectedMeansUnchanged(Checker):
    """After a frame that ended the session, log, content and names are as they were before it."""

    number = 17

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._before: dict[str, tuple[object, Any]] = {}

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:  # noqa: ARG002 - any frame
        """Note the state."""
        if not sender.honest:
            self._before[device.name] = (device.last_error, _standing(device))

    def dealt(self, device: SimulatedDevice) -> None:
        """Compare the state, if the frame was refused."""
        before = self._before.pop(device.name, None)
        if before is None or device.last_error is before[0] or not isinstance(device.last_error, RemoteError):
            return
        standing = _standing(device)
        if standing[:-1] != before[1][:-1] or before[1][-1] not in (None, standing[-1]):
            self.fail(device, f"changed by what it refused: {device.last_error}")


def _standing(device: SimulatedDevice) -> Any:
    with device.running.store.read() as reader:
        return (
            reader.log.position(),
            sorted((head.actor, head.seq, head.hash) for head in reader.log.heads().values()),
            reader.meta.get("actor"),
            None
            if reader.index.stale()
            else reader.index.digest(),  # the digest is brought up to date whenever it is read
        )
