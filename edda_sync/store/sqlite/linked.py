"""
A file with several names: hard links, as ``cp -al``, backup programs and programs that look for doubles make them.

SQLite finds the journal of a file by the name that it was opened by. A file that is open under two names has two journals,
and each side writes over what the other wrote; opened under one name after the other, it lacks what is in the journal of the
first. So a file with other names is copied before it is opened, and the copy takes the place of this name: the others keep
what they show, which is what a snapshot is for. That needs nobody to have the file open. Where somebody has it open under
this name, one more may open it: there is one journal. Where it is open under another name, it is not opened here.

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

_INDEX_LOCK: Final = (128, 1)  # everybody who has a file open under a name holds this byte of its index there
_RETRY_S: Final = 0.01


class _Found(Enum):
    """How a file with other names was found."""

    FREE = auto()  # nobody had it open
    IN_USE = auto()  # somebody has it open, under whichever name
    LOCKED = auto()  # somebody is copying it


_PATIENCE_S: Final = {
    _Found.IN_USE: limits.MAKING_S,  # somebody may be opening it under this name, or closing it
    _Found.LOCKED: limits.BUSY_TIMEOUT_MS / 1000,
}


def make_own(path: Path) -> bool:
    """
    Give a name a file of its own, if the one there has other names, and nobody has that open.

    Nobody in this process may have it open: whoever closes one descriptor of it loses SQLite's locks on all.

    Args:
        path: The store's file, with no link on the way; it may be missing.

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
    Look whether this process, which has a file open, has it open under this name.

    Raises:
        LinkedStoreError: It is open under another one.
    """
    if has_other_names(path):
        journal = file_of(f"{path}-wal")
        if any(each.journal != journal for each in open_to(file_of(path))):
            raise LinkedStoreError(str(path))


def _copy(path: Path) -> _Found:
    """Copy a file, and what lies beside it, if it is free; return what it was."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise disk_error(path, error) from None
    with os.fdopen(descriptor, "rb") as file:
        if not _can_lock(descriptor, LOCKS):
            return _Found.IN_USE if _can_lock(descriptor, LOCKS, fcntl.LOCK_SH) else _Found.LOCKED
        if os.fstat(descriptor).st_ino != os.stat(path).st_ino:
            return _Found.LOCKED  # it was, by somebody who copied it
        try:
            if has_other_names(journal := f"{path}-wal"):  # first: with it alone the file is as it was
                with open(journal, "rb") as others:
                    replace_file(Path(journal), partial(_copy_to, others))
            if has_other_names(index := f"{path}-shm"):
                os.unlink(index)  # it is made anew
            replace_file(path, partial(_copy_to, file))
        except OSError as error:
            raise disk_error(path, error) from None
    return _Found.FREE


def _copy_to(file: IO[bytes], copy: IO[bytes]) -> None:
    shutil.copyfileobj(file, copy)
    found = os.fstat(file.fileno())
    if found.st_uid != os.geteuid():  # it is another person's, and an administrator opens it
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
    """Lock some bytes of a file until the descriptor is closed, unless somebody has them; tell whether that is done."""
    start, count = place
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, count, start)
    except OSError:
        return False
    return True
