"""Checkers: what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edda_sync.simulations.violation import Violation
from edda_sync.store.seams import Logged

if TYPE_CHECKING:
    from edda_sync.backup.manifest import Manifest
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.simulator import Simulation
    from edda_sync.words.errors import BackupError


class Checker:
    """
    One invariant. A subclass overrides the methods for what it wants to be told, and calls :meth:`fail`.

    Every method gets honest devices, unless it says otherwise.
    """

    number: int

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def fail(self, device: SimulatedDevice, text: str) -> None:
        """Report that the invariant does not hold."""
        raise Violation(self.number, device.name, text)

    def acknowledged(self, device: SimulatedDevice, own: Sequence[Logged]) -> None:
        """A call that wrote these changes returned."""

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """These entries were added to a device's log by the last event."""

    def changed(self, device: SimulatedDevice) -> None:
        """A device's store was written to."""

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """A device is about to hand a frame to the network."""

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """A device is about to receive a frame, perhaps a liar's."""

    def dealt(self, device: SimulatedDevice) -> None:
        """A device has finished an event."""

    def booted(self, device: SimulatedDevice) -> None:
        """A device's process has started on what its disk holds."""

    def put_back(self, device: SimulatedDevice) -> None:
        """While a device was down, its disk was replaced by an older image, or by another device's."""

    def damaged(self, device: SimulatedDevice, what: str) -> None:
        """A device checked everything that it stores, and something does not match its log."""

    def backed_up(self, device: SimulatedDevice, manifest: Manifest) -> None:
        """A call that made a backup returned."""

    def verified(self, device: SimulatedDevice, manifest: Manifest, error: BackupError | None) -> None:
        """A device verified a backup; ``error`` says why it does not hold."""

    def restored(self, device: SimulatedDevice, manifest: Manifest | None) -> None:
        """While a device was down, its store was made anew from a backup; None if there was none that it could open."""

    def brought_back(
        self, device: SimulatedDevice, manifest: Manifest, restored: StorageEngine, *, exactly: bool
    ) -> None:
        """What a backup has, and ``restored`` holds, was brought back into a device's living store."""

    def blamed(self, device: SimulatedDevice, peer: str) -> None:
        """A device says that a peer, given by its id, gave it a part of a file that is not what it is called."""

    def mending(self) -> None:
        """All devices are up and sound again, and the network is about to be."""

    def healed(self) -> None:
        """The second act begins."""

    def ended(self) -> None:
        """The second act is over: all devices say that all are equal."""


HOOKS: Final = (
    "acknowledged", "grew", "changed", "sent", "received", "dealt", "booted", "put_back", "damaged", "blamed",
    "backed_up", "verified", "restored", "brought_back", "mending", "healed", "ended",
)  # fmt: skip
"""What a checker can be told. It is told only what it overrides."""


def overrides(checker: type[Checker], hook: str) -> bool:
    """Tell whether a checker overrides a hook."""
    return getattr(checker, hook) is not getattr(Checker, hook)
