"""What a checker hears of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edda_sync.simulations.violation import Violation
from edda_sync.store.seams import Logged

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.simulator import Simulation


class Checker:
    """
    One invariant. A subclass overrides what it wants to hear of, and calls :meth:`fail`.

    Every method is called with devices that are honest, unless it says otherwise.
    """

    number: int

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def fail(self, device: SimulatedDevice, text: str) -> None:
        """Say that the invariant does not hold."""
        raise Violation(self.number, device.name, text)

    def acknowledged(self, device: SimulatedDevice, own: Sequence[Logged]) -> None:
        """Somebody's call returned, having written these changes."""

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:
        """A device's log has these entries more than before the event."""

    def changed(self, device: SimulatedDevice) -> None:
        """A device's store was written to."""

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """A device is about to hand a frame to the network."""

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """A device is about to take a frame, perhaps a liar's."""

    def dealt(self, device: SimulatedDevice) -> None:
        """A device is done with what it was about to do."""

    def booted(self, device: SimulatedDevice) -> None:
        """A device's process has started on what its disk held."""

    def put_back(self, device: SimulatedDevice) -> None:
        """A device's disk, while it is down, was replaced by an older image, or by another device's."""

    def damaged(self, device: SimulatedDevice, what: str) -> None:
        """A device looked at all that it stores, and something is not what its log says."""

    def mending(self) -> None:
        """Everyone is up and sound again, and the network is about to be."""

    def healed(self) -> None:
        """The second act begins."""

    def ended(self) -> None:
        """The second act is over: everyone says that all are equal."""


HOOKS: Final = (
    "acknowledged", "grew", "changed", "sent", "received", "dealt", "booted", "put_back", "damaged", "mending",
    "healed", "ended",
)  # fmt: skip
"""What a checker may want to hear of; one that does not override it is not told."""


def overrides(checker: type[Checker], hook: str) -> bool:
    """Tell whether a checker wants to hear of something."""
    return getattr(checker, hook) is not getattr(Checker, hook)
