"""What SQLite says, as errors of ours, each with what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync import errors

_ROOM_BYTES: Final = 64 * 1024  # with less a disk is full, though SQLite calls it a fault where its shared index grows


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, each with what to do."""
    try:
        yield
    except sqlite.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL"):
            raise errors.DiskFullError(str(path)) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            raise errors.ReadOnlyError(str(path)) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise errors.BusyError(str(path)) from error
        if name.startswith("SQLITE_NOTADB"):
            raise errors.NotAStoreError(str(path)) from error
        if name.startswith("SQLITE_CORRUPT"):
            raise errors.DamagedStoreError(str(path)) from error
        if name.startswith("SQLITE_IOERR"):
            disk = os.statvfs(path.parent)
            if disk.f_bavail * disk.f_frsize < _ROOM_BYTES:
                raise errors.DiskFullError(str(path)) from error
            raise errors.DiskFaultError(str(path), str(error)) from error
        raise errors.StorageError(f"{path} could not do what was asked ({error}); nothing was written.") from error


def is_fault(error: Exception) -> bool:
    """Tell whether the store failed, rather than what one transaction asked of it."""
    return isinstance(error.__cause__, sqlite.Error) and not isinstance(error.__cause__, sqlite.IntegrityError)
