"""
Files with several names: hard links, as ``cp -al``, backup programs and programs that merge duplicate files make them.

SQLite finds the journal of a file by the name under which the file was opened. A file that is open under two names has two
journals, and each side overwrites what the other wrote. If it is opened under one name after the other, it lacks what is in
the journal of the first name. So a file with other names is copied before it is opened, and the copy takes this name. The
other names keep their content, as a snapshot should.

The file can be copied only while nobody has it open. If somebody has it open under this name, one more process may open it,
because there is only one journal. If it is open under another name, it is not opened here.

Source: https://sqlite.org/howtocorrupt.html, "Multiple links to the same file".
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import IO, Final

from edda_sync.store.sqlite.connections import file_of, has_other_names, open_to
from edda_sync.store.sqlite.journal import LOCKS
from edda_sync.words import limits
from edda_sync.words.errors import LinkedStoreError
from edda_sync.words.files import disk_error, replace_file

_INDEX_LOCK: Final = (128, 1)  # everyone who has a file open under a name holds this byte of that name's index
_RETRY_S: Final = 0.01


class _Found(Enum):
    """The state in which a file with other names was found."""

    FREE = auto()  # nobody had it open
    IN_USE = auto()  # somebody has it open, under any of its names
    LOCKED = auto()  # somebody is copying it


_PATIENCE_S: Final = {
    _Found.IN_USE: limits.MAKING_S,  # somebody may be opening it under this name, or closing it
    _Found.LOCKED: limits.BUSY_TIMEOUT_MS / 1000,
}


def make_own(path: Path) -> bool:
    """
    Copy a file that has other names, unless somebody has it open, so that this name has a file of its own.

    Nobody in this process may have it open: closing any descriptor of it releases all of SQLite's locks on it.

    Args:
        path: The store's file, without symbolic links in its path; it may be missing.

    Returns:
        Whether it was copied.

    Raises:
        LinkedStoreError: Somebody has it open under another name.
        StorageError: It cannot be copied.
    """
    began = time.monotonic()
    while has_other_names(path):
        found = _copy(path)
        if found is _Found.FREE:
            return True
        if found is _Found.IN_USE and _is_open_here(path):
            return False
        if time.monotonic() - began > _PATIENCE_S[found]:
            raise LinkedStoreError(str(path))
        time.sleep(_RETRY_S)
    return False


def check_one_name(path: Path) -> None:
    """
    Check that this process, which has a file open, opened it under this name.

    Raises:
        LinkedStoreError: It was opened under another name.
    """
    if has_other_names(path):
        journal = file_of(f"{path}-wal")
        if any(each.journal != journal for each in open_to(file_of(path))):
            raise LinkedStoreError(str(path))


def _copy(path: Path) -> _Found:
    """Copy a file, with its journal, if it is free; return the state in which it was found."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise disk_error(path, error) from None
    with os.fdopen(descriptor, "rb") as file:
        if not _can_lock(descriptor, LOCKS):
            return _Found.IN_USE if _can_lock(descriptor, LOCKS, fcntl.LOCK_SH) else _Found.LOCKED
        if os.fstat(descriptor).st_ino != os.stat(path).st_ino:
            return _Found.LOCKED  # somebody else has just copied it
        try:
            if has_other_names(journal := f"{path}-wal"):  # first: if only this is done, the content is as before
                with open(journal, "rb") as others:
                    replace_file(Path(journal), partial(_copy_to, others))
            if has_other_names(index := f"{path}-shm"):
                os.unlink(index)  # SQLite makes it again
            replace_file(path, partial(_copy_to, file))
        except OSError as error:
            raise disk_error(path, error) from None
    return _Found.FREE


def _copy_to(file: IO[bytes], copy: IO[bytes]) -> None:
    shutil.copyfileobj(file, copy)
    found = os.fstat(file.fileno())
    if found.st_uid != os.geteuid():  # an administrator opens a file of another user
        os.fchown(copy.fileno(), found.st_uid, found.st_gid)


def _is_open_here(path: Path) -> bool:
    """Tell whether somebody has a file open under this name."""
    with suppress(OSError):
        descriptor = os.open(f"{path}-shm", os.O_RDWR | os.O_CLOEXEC)
        try:
            return not _can_lock(descriptor, _INDEX_LOCK)
        finally:
            os.close(descriptor)
    return False


def _can_lock(descriptor: int, place: tuple[int, int], kind: int = fcntl.LOCK_EX) -> bool:
    """Try to lock some bytes of a file, until the descriptor is closed; tell whether the lock was granted."""
    start, count = place
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, count, start)
    except OSError:
        return False
    return True
