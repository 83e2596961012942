"""Encrypted stores for tests. Their key is in a file beside the store's folder, so that other processes find it too."""

from __future__ import annotations

from pathlib import Path

from edda_sync.files.coding import Sealed
from edda_sync.sealing import datakeys, keyfile
from edda_sync.sealing.datakeys import FollowedKeys
from edda_sync.words.config import EncryptionAlgorithm, EncryptionConfig, KeyStorage


def config_of(database: Path) -> EncryptionConfig:
    """Return how a store is encrypted whose file does not exist yet."""
    folder = database.parent
    return EncryptionConfig(key_storage=KeyStorage.FILE, key_file=folder.with_name(f"{folder.name}.key"))


def encrypt(database: Path) -> Path:
    """Make the store encrypted that will be made in a file; return the path of the file."""
    datakeys.create(database, config_of(database))
    return database


def sealed_in(
    folder: Path, algorithm: EncryptionAlgorithm = EncryptionAlgorithm.AES_256_GCM, *, seals: bool = True
) -> Sealed:
    """Return how the chunks of a store lie whose folder is ``store`` in a folder; its keys are made if there are none."""
    database = folder / "store" / "edda.db"
    database.parent.mkdir(exist_ok=True)
    if not keyfile.path_of(database).exists():
        datakeys.create(database, config_of(database))
    return Sealed(FollowedKeys(database), algorithm, seals=seals)


def holds(folder: Path, text: bytes) -> list[str]:
    """Return the names of the files in a folder, and in those within it, that hold a text."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()
    )
