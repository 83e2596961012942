"""Shut out: who does not know this device any more, for people to be told; ``readmission`` is what follows."""

from __future__ import annotations

from typing import Final

from edda_sync.store.seams import StoreReader, StoreWriter

_KEY: Final = "shut out"


def note(tx: StoreWriter, device: str) -> None:
    """Note that a device that knew this one refused it as a stranger."""
    tx.meta.set(_KEY, device.encode())


def note_known(tx: StoreWriter, device: str) -> None:
    """Note that a device knows this one."""
    if by(tx) == device:
        forget(tx)


def forget(tx: StoreWriter) -> None:
    """Forget who refused this device: it is let in again."""
    tx.meta.drop(_KEY)


def by(reader: StoreReader) -> str | None:
    """Return the id of the device that knew this one and does not know it any more, as far as this store has heard."""
    noted = reader.meta.get(_KEY)
    return None if noted is None else noted.decode()
