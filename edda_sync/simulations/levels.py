"""
Two levels of the software side by side: an upgraded device knows one more cell, and the others keep what they cannot read.

An operation that waits at one device and not at another keeps the two from being proved equal, and from nothing else. In the
end everybody is upgraded, and folds the log anew, as a newer version does when it first opens a store: then all must be
equal.
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

CELL: Final = "estimate"  # which ``strange.write_newer`` writes
KEY: Final = "simulated level"
FOLDING, NEWER = b"folding", b"newer"
AGAIN_S: Final = 5.0  # after an upgrade that a fault interrupted


@contextmanager
def software_of(device: SimulatedDevice) -> Iterator[None]:
    """Let the product be the version that a device runs."""
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
    """Return by which version's rules a view was folded; :data:`FOLDING` while that is being changed."""
    return reader.meta.get(KEY)


def upgrade(sim: Simulation, device: SimulatedDevice) -> None:
    """Let a device run the newer version, which folds the log anew; once more later, if something comes between."""

    def begin(engine: StorageEngine) -> bool:
        engine.store.transact(lambda tx: tx.meta.set(KEY, FOLDING))
        return True

    if not device.is_awake or device.act(begin) is None:
        if device.newer:  # it was upgraded before, and its store is not yet
            sim.later(AGAIN_S, lambda: booted(sim, device))
        return
    device.newer = device.is_between_levels = True
    sim.note("upgrade", device)

    def fold(engine: StorageEngine) -> int:
        folded = engine.rebuild()
        engine.store.transact(lambda tx: tx.meta.set(KEY, NEWER))
        device.is_between_levels = False
        return folded

    if not device.fold_anew(fold):
        sim.later(AGAIN_S, lambda: booted(sim, device))


def recognize(device: SimulatedDevice) -> bytes | None:
    """Tell a device that starts from its store's level, which is returned, which version it runs."""
    with device.running.store.read() as reader:
        level = level_of(reader)
    device.newer = device.newer or level is not None
    device.is_between_levels = device.newer and level != NEWER
    return level


def booted(sim: Simulation, device: SimulatedDevice) -> None:
    """Let a device that starts run what its store needs, and what it ran before."""
    if device.is_up and recognize(device) != NEWER and device.newer:
        upgrade(sim, device)


def upgrade_all(sim: Simulation) -> None:
    """Let everybody run the newer version, if anybody does; from here on it is the product's."""
    if any(device.newer for device in sim.honest()):
        for device in sim.honest():
            if not device.newer:
                upgrade(sim, device)
        _set(schema._FIELDS["task"], _estimate)


def forget() -> None:
    """Let the product be what it is."""
    _set(schema._FIELDS["task"], None)
