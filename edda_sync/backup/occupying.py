"""
Occupying: a folder in which a proof store lies is used by one process at a time, and what a killed process left is removed.

A proof store holds all that the store holds. One that was made only to verify or restore a backup must not stay on the
disk when its process is killed. So each folder has a lock beside it, which ends with the process, and whoever occupies one
removes those for a time that nobody holds any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edda_sync.words.errors import UsageError
from edda_sync.words.files import locked, open_file
from edda_sync.words.folders import make_folder
from edda_sync.words.limits import OCCUPIED_WAIT_S

FOR_A_TIME: Final = "fresh-"
"""How the name of a folder begins that is removed when its use ends."""
_LOCK: Final = ".lock"
_RETRY_S: Final = 0.05


@contextmanager
def occupied(folder: Path, wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """
    Let only this process use a folder for a proof store, in a ``with`` block. Its parent is made if it is missing.

    Args:
        folder: The folder; its name begins with :data:`FOR_A_TIME` if it is to be removed afterwards.
        wait: Waits so many seconds.

    Raises:
        UsageError: Another process uses it, and does so for longer than ``limits.OCCUPIED_WAIT_S``.
        StorageError: The lock cannot be made.
    """
    make_folder(folder.parent)
    lock = folder.with_name(folder.name + _LOCK)
    with locked(folder.parent):
        _sweep(folder.parent)
        held = open_file(lock)
    try:
        _take(held, folder, wait)
        yield
    finally:
        if folder.name.startswith(FOR_A_TIME):
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
        os.close(held)


def _take(held: int, folder: Path, wait: Callable[[float], None]) -> None:
    for _ in range(int(OCCUPIED_WAIT_S / _RETRY_S)):
        with suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        wait(_RETRY_S)
    raise UsageError(
        f"Another process makes a backup with what is in {folder}; nothing was done: try again once it has ended."
    )


def _sweep(parent: Path) -> None:
    """Remove folders for a time whose process has ended. The parent is locked, so none is being made."""
    for name in {each.removesuffix(_LOCK) for each in os.listdir(parent) if each.startswith(FOR_A_TIME)}:
        lock = parent / f"{name}{_LOCK}"
        descriptor = open_file(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(parent / name, ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
