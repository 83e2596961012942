"""What a liar can do: take up little room, and change nothing with what is refused."""

from __future__ import annotations

from typing import Any, Final

from edda_sync import limits
from edda_sync.errors import RemoteError
from simulations.checker import Checker
from simulations.device import SimulatedDevice
from simulations.simulator import Simulation

WAITING_BYTES_MAX: Final = 16 * 1024 * 1024  # of what is held and not applied, a device


class BoundedHostility(Checker):
    """What is held and not applied stays small, whoever sent it."""

    number = 16

    def changed(self, device: SimulatedDevice) -> None:
        """Weigh what waits while a liar is about."""
        if all(each.honest for each in self.sim.devices):
            return
        with device.running.store.read() as reader:
            halves = reader.incoming()
            parts = sum(len(each.parts) for each in halves) + sum(count for _, count in reader.kept_segments())
            held = sum(len(each.raw) for each in halves) + parts * limits.PART_BYTES_MAX
        if held > WAITING_BYTES_MAX:
            self.fail(device, f"holds {held:,} bytes that are not applied")


class RejectedMeansUnchanged(Checker):
    """After a frame that ended the talk, log, content and names are as they were before it."""

    number = 17

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._before: dict[str, tuple[object, Any]] = {}

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:  # noqa: ARG002 - whatever it is
        """Note how it stands."""
        if not sender.honest:
            self._before[device.name] = (device.last_error, _standing(device))

    def dealt(self, device: SimulatedDevice) -> None:
        """Compare, if the frame was refused."""
        before = self._before.pop(device.name, None)
        if before is None or device.last_error is before[0] or not isinstance(device.last_error, RemoteError):
            return
        if _standing(device) != before[1]:
            self.fail(device, f"changed by what it refused: {device.last_error}")


def _standing(device: SimulatedDevice) -> Any:
    with device.running.store.read() as reader:
        return (
            reader.log_position(),
            sorted((head.actor, head.seq, head.hash) for head in reader.heads().values()),
            dict(reader.buckets()),
            reader.meta("actor"),
        )
