"""Devices that hand over changes in runs."""

from __future__ import annotations

from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.segments.run import Heads
from edda_sync.sync.packing import Packed, Packing
from edda_sync.sync.unpacking import Unpacked, Unpacking
from edda_sync.transport.identity import verify
from tests.sync.batches import exchange_of


def packing_of(engine: StorageEngine) -> Packing:
    """What packs a device's store."""
    return Packing(exchange_of(engine), engine.workspace, engine.identity, lambda: 1_700_000_000.0)


def pack(engine: StorageEngine, since: Heads = ()) -> list[Packed]:
    """All runs of a device beyond some heads."""
    return list(packing_of(engine).pack(since))


def unpack(engine: StorageEngine, packed: list[Packed]) -> list[Unpacked]:
    """What came of runs at a device."""
    unpacking = Unpacking(exchange_of(engine), engine.workspace, verify)
    return [unpacking.take(runs.read([each.data])) for each in packed]
