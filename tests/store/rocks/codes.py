"""Data keys for tests, and how a folder is sealed under them."""

from __future__ import annotations

from pathlib import Path

from edda_sync.sealing.datakeys import DataKey, DataKeys
from edda_sync.sealing.wrapping import InKeyring
from edda_sync.store.rocks.sealed import Code, Seals
from edda_sync.words.config import EncryptionAlgorithm

ALGORITHM = EncryptionAlgorithm.AES_256_GCM
KEYS = [DataKey(bytes((n,)) * 8, "2026-01-01T00:00:00.000Z", bytes((n,)) * 16, bytes((n,)) * 32) for n in range(1, 4)]
CODE = Code(KEYS[0], ALGORITHM)


class Held:
    """The data keys of a store, which others add to."""

    def __init__(self, *keys: DataKey) -> None:
        self.keys = list(keys)

    def latest(self) -> DataKeys:
        return DataKeys(Path("edda.db"), InKeyring(bytes(8)), self.keys)


def seals(*keys: DataKey) -> tuple[Held, Seals]:
    """Return the data keys of a store, and how its folders are sealed."""
    held = Held(*keys)
    return held, Seals(held, ALGORITHM)
