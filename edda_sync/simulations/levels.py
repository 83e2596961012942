"""
Two versions of the software side by side: an upgraded device knows one more cell; the others keep what they cannot read.

An operation that waits at one device and not at another keeps the two from being proved equal, and has no other effect. In
the end all devices are upgraded, and fold the log again, as a newer version does when it first opens a store. Then all must
be equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from edda_sync.crdt import schema
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreReader

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.simulator import Simulation

CELL: Final = "estimate"  # ``strange.write_newer`` writes this cell
KEY: Final = "simulated level"
FOLDING, NEWER = b"folding", b"newer"
AGAIN_S: Final = 5.0  # after an upgrade that a fault interrupted


@contextmanager
def software_of(device: SimulatedDevice) -> Iterator[None]:
    """Make the product the version that a device runs."""
    fields = schema._FIELDS["task"]
    before = fields.get(CELL)
    _set(fields, _estimate if device.newer else None)
    try:
        yield
    finally:
        _set(fields, before)


def _set(fields: dict[str, Any], check: Any) -> None:
    fields.pop(CELL, None)
    if check is not None:
        fields[CELL] = check


def _estimate(value: Any) -> None:
    if type(value) is not int:
        raise TypeError("an estimate is a whole number")


def level_of(reader: StoreReader) -> bytes | None:
    """Return the version by whose rules a view was folded; :data:`FOLDING` while it is being folded again."""
    return reader.meta.get(KEY)


def upgrade(sim: Simulation, device: SimulatedDevice) -> None:
    """Make a device run the newer version, which folds the log again; try again later if something prevents it."""

    def begin(engine: StorageEngine) -> bool:
        engine.store.transact(lambda tx: tx.meta.set(KEY, FOLDING))
        return True

    if not device.is_awake or device.act(begin) is None:
        if device.newer:  # it was upgraded before, and its store not yet
            sim.later(AGAIN_S, lambda: booted(sim, device))
        return
    device.newer = device.is_between_levels = True
    sim.note("upgrade", device)

    def fold(engine: StorageEngine) -> int:
        folded = engine.rebuild()
        engine.store.transact(lambda tx: tx.meta.set(KEY, NEWER))
        device.is_between_levels = False
        return folded

    if not device.fold_again(fold):
        sim.later(AGAIN_S, lambda: booted(sim, device))


def recognize(device: SimulatedDevice) -> bytes | None:
    """Set the version that a starting device runs, from its store's level; return the level."""
    with device.running.store.read() as reader:
        level = level_of(reader)
    device.newer = device.newer or level is not None
    device.is_between_levels = device.newer and level != NEWER
    return level


def booted(sim: Simulation, device: SimulatedDevice) -> None:
    """Finish the upgrade of a device that starts, if one was begun."""
    if device.is_up and recognize(device) != NEWER and device.newer:
        upgrade(sim, device)


def upgrade_all(sim: Simulation) -> None:
    """Upgrade all devices, if any was upgraded; from here on, the product is the newer version."""
    if any(device.newer for device in sim.honest()):
        for device in sim.honest():
            if not device.newer:
                upgrade(sim, device)
        _set(schema._FIELDS["task"], _estimate)


def forget() -> None:
    """Restore the product's own version."""
    _set(schema._FIELDS["task"], None)
