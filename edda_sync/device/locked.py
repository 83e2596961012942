"""
Locked: a store's lock, which the process holds that runs its device. It notes in the file who it is.

The socket of a device comes later than its lock, and goes before it: whoever asks only the socket takes one that begins,
ends, or was stopped then, for none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path
from typing import Final

from edda_sync.words.errors import InTheWayError, NotAStoreError, UsageError
from edda_sync.words.files import mend_file, open_file
from edda_sync.words.folders import make_folder

LOCK_FILE: Final = "edda.lock"
HOLDER_BYTES_MAX: Final = 200  # how much is read of who holds the lock


def lock(path: Path, what: Path) -> int:
    """
    Return an open descriptor of a lock, which this process holds from now on.

    Args:
        path: The lock file, which is made if there is none.
        what: What it stands for.

    Raises:
        UsageError: Another process holds it.
        StorageError: The file cannot be opened.
    """
    folder = path.parent
    if path.name == LOCK_FILE:
        mend_file(folder)
    while True:
        try:
            make_folder(folder)
        except NotAStoreError:
            raise InTheWayError(str(folder), "it is no folder") from None
        fd = open_file(path)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"Another edda is syncing {what} already{_holder(fd)}; stop it first, or use commands beside it."
                ) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # whoever held it before took it away, since nothing had come of its folder


def is_running(home: Path) -> bool:
    """Tell whether some process runs the device of a store, even if it does not answer."""
    try:
        fd = os.open(home / "run" / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not _is_alive(_holder(fd)):  # otherwise a process that begins just now could find the lock taken
            return False
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it is no file, or lies where nothing can be locked
        return False
    else:
        return False
    finally:
        os.close(fd)


def _is_alive(holder: str) -> bool:
    """Tell whether a process of this number is there, on this machine or perhaps on another one."""
    found = re.match(r" \(process (\d+) on ", holder)
    try:
        os.kill(int(found[1]), 0) if found is not None else None
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return found is not None


def _holder(fd: int) -> str:
    """Return the holder of a lock, in brackets; empty if it did not write who it is."""
    said = os.pread(fd, HOLDER_BYTES_MAX, 0).decode(errors="replace")
    return f" ({said})" if said.startswith("process ") else ""
