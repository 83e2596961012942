"""Invariant 1: devices that hold the same changes show the same content, row for row."""

from __future__ import annotations

from edda_sync.simulations import levels
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import heads_of
from edda_sync.store.seams import Row

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


def rows_of(device: SimulatedDevice) -> dict[str, list[Row]]:
    """Return all that a device shows."""
    return {name: device.running.table(name) for name in TABLES}


class Convergence(Checker):
    """
    Equal frontiers have equal digests, at any moment; at the end, rows, evidence and conflicts are equal too.

    A device that believes a segment is exempt: it knows what came since only in part, until it has the log behind the
    segment.
    """

    number = 1

    def __init__(self, sim: object) -> None:
        super().__init__(sim)  # type: ignore[arg-type]
        self._seen: dict[tuple[bytes | None, tuple[tuple[bytes, int, bytes], ...]], tuple[str, int]] = {}

    def changed(self, device: SimulatedDevice) -> None:
        """Compare with the devices that held exactly these changes before, once edited texts are projected."""
        if device.disk.rotten:
            return
        with device.running.store.read() as reader:
            level = levels.level_of(reader)
            if reader.index.stale() or reader.segments.merged() or level == levels.FOLDING:
                return
            at = tuple(sorted((head.actor, head.seq, head.hash) for head in reader.log.heads().values()))
            digest = reader.index.digest()
        who, before = self._seen.setdefault((level, at), (device.name, digest))
        if before != digest:
            self.fail(device, f"digest {digest:032x} where {who} had {before:032x} with the same changes")

    def ended(self) -> None:
        """Compare all rows."""
        first_of: dict[tuple[tuple[bytes, bytes], ...], SimulatedDevice] = {}
        for device in self.sim.honest():
            branch = tuple(sorted((head.actor, head.hash) for head in heads_of(device).values()))
            first = first_of.setdefault(branch, device)
            expected, found = rows_of(first), rows_of(device)
            for name in TABLES:
                if found[name] != expected[name]:
                    other = [row for row in found[name] if row not in expected[name]]
                    self.fail(device, f"{name} differ from {first.name}'s: {other[:2]}")
            with first.running.store.read() as one, device.running.store.read() as other_reader:
                digests = one.index.digest(), other_reader.index.digest()
                is_whole = not one.segments.merged() and not other_reader.segments.merged()
                evidence = one.evidence.names(), other_reader.evidence.names()
            if digests[0] != digests[1]:
                self.fail(device, f"what is not shown differs from {first.name}'s")
            if is_whole and evidence[0] != evidence[1]:
                self.fail(device, f"holds other evidence than {first.name}")
            if device.running.conflicts() != first.running.conflicts():
                self.fail(device, f"lists other conflicts than {first.name}")
