"""Shut out: which device refuses this one as a stranger, to be shown to people. ``readmission`` is what follows."""

from __future__ import annotations

from typing import Final

from edda_sync.store.seams import StoreReader, StoreWriter

_KEY: Final = "shut out"


def note(tx: StoreWriter, device: str) -> None:
    """Note that a device that used to know this one refused it as a stranger."""
    tx.meta.set(_KEY, device.encode())


def note_known(tx: StoreWriter, device: str) -> None:
    """Note that a device knows this one."""
    if by(tx) == device:
        forget(tx)


def forget(tx: StoreWriter) -> None:
    """Forget which device refused this one, because it is let in again."""
    tx.meta.drop(_KEY)


def by(reader: StoreReader) -> str | None:
    """Return the id of a device that used to know this one and refuses it now; None if there is none."""
    noted = reader.meta.get(_KEY)
    return None if noted is None else noted.decode()
