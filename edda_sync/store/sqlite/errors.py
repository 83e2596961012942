"""Errors of SQLite as errors of ours, each with advice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.words import errors
from edda_sync.words.files import check_length, disk_error

_ROOM_BYTES: Final = 64 * 1024  # with less, a disk is full, even if SQLite calls it a fault of its shared index
_OF_SHAPE: Final = (
    "SQLITE_ERROR",
    "SQLITE_CONSTRAINT",
    "SQLITE_MISMATCH",
)  # errors that a changed table or trigger causes


class translated:  # noqa: N801 - used like `contextlib.suppress`; a class is faster, and every commit enters two
    """Turn SQLite's errors into ours, with advice, in a ``with`` block."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite.Error):
            raise _translation(self._path, error) from error
        if isinstance(
            error, UnicodeDecodeError
        ):  # the driver could not read SQLite's message, which quotes damaged text
            raise errors.CorruptError(str(self._path)) from error


def _translation(path: Path, error: sqlite.Error) -> errors.EddaError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL") or "disk is full" in str(error):  # a copy names none of its errors
        return errors.DiskFullError(str(path))
    if name.startswith("SQLITE_CANTOPEN"):
        return _unopened(path)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return errors.ReadOnlyError(str(path))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return errors.BusyError(str(path))
    if name.startswith(("SQLITE_ABORT", "SQLITE_INTERRUPT")):  # nobody but us undoes the transaction of a reader
        return errors.OutdatedError(str(path))
    if name.startswith("SQLITE_NOTADB") and os.path.exists(f"{path}-key"):
        return errors.CorruptError(str(path))  # the key was right when the file was opened
    if name.startswith("SQLITE_NOTADB"):
        return errors.NotAStoreError(str(path))
    if name.startswith("SQLITE_CORRUPT"):
        return errors.CorruptError(str(path))
    if name.startswith("SQLITE_IOERR"):
        disk = os.statvfs(path.parent)
        if disk.f_bavail * disk.f_frsize < _ROOM_BYTES:
            return errors.DiskFullError(str(path))
        return errors.DiskFaultError(str(path), str(error))
    if "decode" in str(error) and not name:  # the driver's own error: a text in the file is none any more
        return errors.DamagedRowsError("row", ())
    hint = " `edda doctor` says what was changed in it." if name.startswith(_OF_SHAPE) else ""
    return errors.StorageError(f"{path} could not do what was asked ({error}); nothing was written.{hint}")


def _unopened(path: Path) -> errors.StorageError:
    """Return why SQLite could not open a file, of which it says nothing more."""
    try:
        check_length(path)
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except errors.LongPathError as error:
        return error
    except OSError as error:
        return disk_error(path, error)
    if not os.path.lexists(path):
        return errors.DiskFaultError(str(path), "the file is gone")
    return errors.ReadOnlyError(str(path))


def is_busy(error: sqlite.Error) -> bool:
    """Tell whether another process holds a lock that a statement needs."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_BUSY")


def is_fault(error: BaseException) -> bool:
    """Tell whether the store failed, and not just one transaction's request."""
    return isinstance(error.__cause__, sqlite.Error) and not isinstance(error.__cause__, sqlite.IntegrityError)
