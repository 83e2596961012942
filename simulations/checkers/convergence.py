"""Invariant 1: whoever holds the same changes shows the same content, row for row."""

from __future__ import annotations

from edda_sync.crdt.entity import digest_of
from edda_sync.protocols import Row
from simulations.device import SimulatedDevice
from simulations.simulator import Checker

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


def rows_of(device: SimulatedDevice) -> dict[str, list[Row]]:
    """Return all that a device shows."""
    return {name: device.running.table(name) for name in TABLES}


class Convergence(Checker):
    """Equal frontiers, equal digests, at any moment; at the end, equal rows."""

    number = 1

    def __init__(self, sim: object) -> None:
        super().__init__(sim)  # type: ignore[arg-type]
        self._seen: dict[tuple[tuple[int, int], ...], tuple[str, str]] = {}

    def changed(self, device: SimulatedDevice) -> None:
        """Compare with whoever stood at this frontier before, once edited texts are projected."""
        with device.running.store.read() as reader:
            if reader.stale_texts() or reader.quarantined() or reader.unknown_operations():
                return
            at = tuple(sorted((head.actor, head.seq) for head in reader.heads().values()))
            digest = digest_of(reader.buckets())
        who, before = self._seen.setdefault(at, (device.name, digest))
        if before != digest:
            self.fail(device, f"digest {digest} where {who} had {before} with the same changes")

    def ended(self) -> None:
        """Compare all rows."""
        devices = self.sim.honest()
        expected = rows_of(devices[0])
        for device in devices[1:]:
            found = rows_of(device)
            for name in TABLES:
                if found[name] != expected[name]:
                    other = [row for row in found[name] if row not in expected[name]]
                    self.fail(device, f"{name} differ from {devices[0].name}'s: {other[:2]}")
