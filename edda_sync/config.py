"""How a store is kept: the part of the specification's ``StorageConfig`` that this version has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """
    Configuration of a :class:`~edda_sync.engine.StorageEngine`.

    Attributes:
        backend: ``sqlite``, or ``memory`` for a store that ends with its process.
        database_path: The SQLite file; ``edda.db`` in the store's folder by default.
        state_path: Folder *outside* the store's, where a store's last life is remembered, so that a copied or restored
            store is told from the original; the user's state folder by default.
        name: What people call this device; its host name by default.
    """

    backend: Literal["sqlite", "memory"] = "sqlite"
    database_path: Path | None = None
    state_path: Path | None = None
    name: str | None = None
