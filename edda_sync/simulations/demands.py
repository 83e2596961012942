"""Somebody waits for attached files, whatever their size."""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt.attachments import File
from edda_sync.simulations.device import SimulatedDevice


def demand(device: SimulatedDevice, files: Iterable[File]) -> None:
    """Let somebody at a device wait for some files; nothing happens if it is down or asleep."""
    replica, wanted = device.replica, list(files)
    if replica is None or not device.is_awake:
        return
    with device.while_powered():
        device.drive(lambda now: replica.filed(lambda filing: filing.demand(wanted), now))
    if device.keeping is not None:
        device.keeping.attend()
