"""Attached files: what is said to be here is here, a liar costs little, and nobody is blamed wrongly."""

from __future__ import annotations

from collections import defaultdict

from edda_sync.crdt.attachments import decode
from edda_sync.files.collecting import tree_of
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.sync.filing import Filing
from edda_sync.words import limits


class HereIsHere(Checker):
    """A file that a device says to have is on its disk, whole and sound, unless the disk has damaged or lost a part."""

    number = 28

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._seen: defaultdict[str, set[bytes]] = defaultdict(set)  # by device, the files that were looked at

    def changed(self, device: SimulatedDevice) -> None:
        """Look at the files that a device has newly."""
        if not self.sim.filed.contents:
            return
        seen, spoiled = self._seen[device.name], device.chunks.spoiled
        with device.running.store.read() as reader:
            files = {decode(each.record).file for _, each in reader.attachments.scan()}
            held = {file for file in files if reader.attachments.holds(file.root)}
        for file in sorted(file for file in held if file.root not in seen):
            for name in tree_of(device.chunks, file):
                if name not in spoiled and not device.chunks.is_sound(name):
                    self.fail(device, f"says that {file.root.hex()[:8]} is here, without its part {name.hex()[:8]}")
        self._seen[device.name] = {file.root for file in held}

    def booted(self, device: SimulatedDevice) -> None:
        """Look at all files after a start."""
        self._seen.pop(device.name, None)
        self.changed(device)

    def put_back(self, device: SimulatedDevice) -> None:
        """Expect less: the older store may say that something is here that was dropped since."""
        device.chunks.spoiled |= {name for name in self.sim.filed.names if not device.chunks.is_sound(name)}

    def ended(self) -> None:
        """Look at all files of all devices."""
        for device in self.sim.honest():
            self.booted(device)


class BoundedFiles(Checker):
    """Of files a device holds and asks only so much at a time, and keeps no part that nobody has attached."""

    number = 16

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._kept: dict[str, int] = {}  # how many chunks each device had

    def dealt(self, device: SimulatedDevice) -> None:
        """Measure, in runs that are busy with files."""
        filing = None if device.replica is None else device.replica.filing
        if filing is None or not self.sim.filed.is_busy:
            return
        for what, much, most in _measures(filing):
            if much > most:
                self.fail(device, f"has {much:,} {what}, and {most:,} are the most")
        if self._kept.get(device.name) != len(device.chunks.packed):
            self._kept[device.name] = len(device.chunks.packed)
            if strange := device.chunks.packed.keys() - self.sim.filed.names:
                self.fail(device, f"keeps {min(strange).hex()[:8]}, which is a part of nothing that was attached")


class RightlyBlamed(Checker):
    """No honest device is said to have given a wrong part of a file."""

    number = 10

    def blamed(self, device: SimulatedDevice, peer: str) -> None:
        """Look up who is blamed."""
        if any(each.id == peer for each in self.sim.honest()):
            self.fail(device, f"says that {peer[:6]} gave it a wrong part of a file")


def _measures(filing: Filing) -> list[tuple[str, int, int]]:
    """Return what a device holds and asks of files: what it is, how much it is, and how much it may be."""
    fetching, lending = filing._fetching, filing._lending
    givers = fetching.givers.values()
    held = sum(chunk.got for chunk in fetching._chunks.values())
    one = limits.CHUNK_BYTES  # a single chunk may be larger than what is left of the room
    return [
        ("bytes of chunks in memory", held, max(limits.FILE_HELD_BYTES_MAX, one)),
        ("files on their way", len(fetching.files), limits.FILES_AT_ONCE + len(filing._choosing.demanded)),
        ("files put by", len(filing._choosing.aside), limits.FILE_LACKS_MAX),
        *(("bytes asked of a peer", giver.flow.size, limits.FILE_WINDOW_BYTES_MAX) for giver in givers),
        *(("questions to a peer", len(giver.flow._asked), limits.FILE_ASKS_MAX) for giver in givers),
        *(("chunks that a peer lacks", len(giver.lacks), limits.FILE_LACKS_MAX) for giver in givers),
        *(("questions of a peer", len(asked), limits.FILE_ASKS_MAX) for asked in lending._asked.values()),
        *(("chunks that a peer awaits", len(each), limits.FILE_LACKS_MAX) for each in lending._lacking.values()),
    ]
