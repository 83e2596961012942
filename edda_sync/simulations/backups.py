"""
The backups of a run: the place where they lie, the recovery code on a sheet of paper, and what an outsider saw of each.

Devices use the product's own ``edda_sync.backup``; only the place, the disk of the proof store and chance are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.manifest import Manifest, decode
from edda_sync.backup.proof import Ground
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.disk import Disk, Image
from edda_sync.simulations.keys import identity_of
from edda_sync.simulations.place import Place
from edda_sync.transport.identity import Identity
from edda_sync.words.config import BackupConfig, RetentionPolicy, StorageConfig

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.simulator import Simulation

EPOCH_S: Final = 1_800_000_000.0  # the place's clock at virtual time 0
KEPT: Final = RetentionPolicy(keep_last=2, daily=0, weekly=0, monthly=0, yearly=0)
CONFIG: Final = BackupConfig(retention=KEPT)
NOBODY: Final = 1_000  # the number of the identity of proof stores
FIRST_NEW: Final = 500  # of those that devices get later
KEPT_PROOF: Final = "kept"
NOTHING: Final = Image(None, b"", rotten=False, lost=False)
"""What is on a disk that is new, or was wiped."""


class Seen(NamedTuple):
    """
    What an outsider saw of a store when a backup of it was made.

    Attributes:
        maker: The device's id.
        frontier: What it held.
        digest: The digest of its content.
        held: Its changes: their dots by their hashes.
    """

    maker: str
    frontier: Frontier
    digest: str
    held: dict[bytes, Dot]


class Backups:
    """
    The backups of one run.

    Args:
        now: True time, in seconds since the run began.
        later: Plans something after a delay.

    Attributes:
        place: Where they lie.
        codes: The recovery codes that were made, the newest last.
        made: What was seen of each backup that was acknowledged, by the bytes of its manifest.
    """

    def __init__(self, now: Callable[[], float], later: Callable[[float, Callable[[], None]], None]) -> None:
        self.place = Place(lambda: EPOCH_S + now(), later)
        self.codes: list[RecoveryCode] = []
        self.made: dict[bytes, Seen] = {}
        self._new = FIRST_NEW

    def new_identity(self) -> Identity:
        """Return an identity that nobody has had."""
        self._new += 1
        return identity_of(self._new)

    def new_code(self) -> RecoveryCode:
        """Return a recovery code that nobody has had."""
        self.codes.append(RecoveryCode(len(self.codes).to_bytes(20, "big")))
        return self.codes[-1]

    def decoded(self, encoded: bytes) -> Manifest:
        """Return the manifest of some bytes."""
        return decode(encoded, "a manifest")

    def manager(self, device: SimulatedDevice, engine: StorageEngine) -> BackupManager:
        """Return the backups of a device's store."""
        grounds: Callable[[str], Ground] = lambda name: ProofDisk(device, kept=name == KEPT_PROOF)  # noqa: E731
        return BackupManager(engine, self.place.reached(device.point), grounds=grounds)

    def seen(self, sim: Simulation, device: SimulatedDevice, engine: StorageEngine) -> Seen:
        """Look at a store, before anything is written in this event."""
        return Seen(device.id, engine.frontier(), engine.digest(), dict(sim.book.held[device.name]))


class ProofDisk:
    """
    Where a device keeps a proof store; it keeps ``backup.proof.Ground``.

    Args:
        device: The device.
        kept: Whether it is the one that outlives the process.
    """

    def __init__(self, device: SimulatedDevice, *, kept: bool) -> None:
        self._device = device
        self._disk = device.proofs if kept else Disk(None, bytes(16), device.point)

    def open(self) -> StorageEngine:
        """Open the store that lies there, or make an empty one."""
        self._disk.close()
        engine = StorageEngine(Path("proof"), now=self._device.wall_s, random=bytes)
        engine.attach(self._disk.open, StorageConfig(backend="memory"), identity_of(NOBODY))
        return engine

    @property
    def file(self) -> Path | None:
        """None: it is in memory, so no image of it can be made."""
        return None

    def clear(self) -> None:
        """Remove what lies there."""
        self._disk.close()
        self._disk.put_back(NOTHING, sidecar=False, copied=False)
