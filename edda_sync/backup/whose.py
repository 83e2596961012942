"""Whose: which device somebody means, by its name or by its id, among those that a workspace or its backups name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from edda_sync.backup.manifest import Manifest
from edda_sync.crdt.records import told_apart
from edda_sync.words.errors import NotFoundError, UsageError, shown
from edda_sync.words.limits import SHORT_DEVICE_CHARACTERS

_NAMED_MAX: Final = 10  # devices that an error names


def device_meant(names: Mapping[str, str], reference: str) -> str:
    """
    Return the id of the device that somebody means.

    Args:
        names: The names of devices, by id.
        reference: The name of one, its id, or the beginning of that.

    Raises:
        NotFoundError: There is none.
        UsageError: There are several.
    """
    found = [device for device, name in names.items() if reference in (name, device)]
    if not found and reference:
        found = [device for device in names if device.startswith(reference.lower())]
    if not found:
        error = NotFoundError("device", reference)  # `edda devices` needs a store, and there may be none yet
        called = {device: name or device[:SHORT_DEVICE_CHARACTERS] for device, name in names.items()}
        known = sorted(told_apart(called).values())[:_NAMED_MAX]
        named = f"those that are known here are {', '.join(known)}" if known else "no other device is known here"
        error.args = (f"There is no device {shown(reference)} here; {named}.",)
        raise error
    if len(found) > 1:
        ids = ", ".join(sorted(device[:SHORT_DEVICE_CHARACTERS] for device in found))
        raise UsageError(f"{len(found)} devices are called {reference} ({ids}): type the beginning of an id.")
    return found[0]


def names_in(backups: Iterable[Manifest]) -> dict[str, str]:
    """Return the names of the devices that made backups or are in them, by id. Of some only the id is known."""
    names = dict[str, str]()
    for each in backups:
        names.setdefault(each.device, "")
        names |= {device.device: device.name for device in each.devices}
    return names
