"""What a changed setting would leave behind: a store stays where it is, and as it is, until somebody moves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edda_sync.engine.opening import has_store
from edda_sync.store.sqlite.converting import is_plain
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import UsageError


def check(home: Path, before: StorageConfig, after: StorageConfig) -> None:
    """
    Check that the store in a folder is found under changed settings.

    Args:
        home: The store's folder.
        before: How the store is kept.
        after: How it is to be kept.

    Raises:
        UsageError: It would not be; the error says what to do first.
    """
    if not has_store(before.database(home)):
        return
    named = after.backend if "backend" in after.given else None  # without a setting, the store itself says it
    if named is not None and ("backend" not in before.given or named != before.backend):
        raise UsageError(
            f"The store in {home} says itself what keeps its states, and no setting changes that; nothing was changed: "
            f"`edda store migrate --to {named}` moves them."
        )
    if after.encryption_config is not None and is_plain(before.database(home)):
        raise UsageError(
            f"The store in {home} is not encrypted; nothing was changed: `edda store encrypt` encrypts it, and then this "
            "can be set."
        )
    if after.name != before.name:
        raise UsageError(
            f"The store in {home} belongs to a device that has a name already, and keeps it; nothing was changed: "
            "`edda devices rename NAME` renames it."
        )
    for key, old, new in _places(home, before, after):
        if old != new and _has_content(old) and not _has_moved(old, new):
            raise UsageError(
                f"{key} would point to {new}, and what it is about lies in {old}; nothing was changed: end every program "
                "that uses this store, move that there, and set it then."
            )


def _places(home: Path, before: StorageConfig, after: StorageConfig) -> Iterator[tuple[str, Path, Path]]:
    yield "database_path", before.database(home), after.database(home)
    yield "rocksdb_path", before.rocksdb(home), after.rocksdb(home)
    yield "file_storage_path", before.files(home), after.files(home)


def _has_content(path: Path) -> bool:
    return bool(os.listdir(path)) if path.is_dir() else has_store(path)


def _has_moved(old: Path, new: Path) -> bool:
    """Tell whether what is in one place is in another one, too: the file, or everything in the folder, by name."""
    if not old.is_dir():
        return has_store(new)
    return new.is_dir() and set(os.listdir(old)).issubset(os.listdir(new))
