"""
Plain copies: what proves the backups of a store is a copy of it, outside its folder. It goes when the store is encrypted.

The next backup makes it anew, encrypted like the store. What it is, and where the places of backups are, ``backup`` knows.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from edda_sync.store.sqlite.converting import is_plain
from edda_sync.words.config import StorageConfig
from edda_sync.words.files import disk_error
from edda_sync.words.folders import proofs_folder

_CHUNK_BYTES: Final = 1024 * 1024


def remove(config: StorageConfig, store_id: bytes | None) -> bool:
    """
    Overwrite and remove the plain copies of a store that prove its backups; tell whether there were some.

    Args:
        config: How the store is kept.
        store_id: Its id; None if it has none yet, and so no copy.

    Raises:
        StorageError: One cannot be removed.
    """
    if store_id is None:
        return False
    return sum(map(remove_within, proofs_folder(config).glob(f"{store_id.hex()}-*"))) > 0


def remove_within(folder: Path) -> bool:
    """
    Overwrite and remove the plain stores below a folder, each with its own folder; tell whether there were some.

    They are overwritten with zeros, in case somebody finds their blocks on the disk.

    Raises:
        StorageError: Something cannot be removed.
    """
    found = {each.parent for each in folder.rglob("*.db") if is_plain(each)}
    for each in found:
        try:
            _wipe(each)
        except OSError as error:
            raise disk_error(each, error) from None
    return bool(found)


def _wipe(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb+", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                file.writelines(bytes(min(_CHUNK_BYTES, size - at)) for at in range(0, size, _CHUNK_BYTES))
                os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=not folder.exists())
