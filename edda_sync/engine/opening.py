"""
Opening: what lies where a store should be, before one is made there.

A folder keeps signs of a store whose file was lost: the identity of its device, the journal of a process that was killed,
and outside of it the sidecar of the file. To make an empty store among them would hide the loss from the person, who may
have a backup or other devices, and part the device from its workspace.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from edda_sync.engine import life
from edda_sync.words import limits
from edda_sync.words.errors import LostStoreError
from edda_sync.words.folders import KEY_FILE, NOTE_FILE

_RETRY_S: Final = 0.01


def has_identity(home: Path) -> bool:
    """Tell whether the folder has, or had, a device of its own; ``transport.identity`` says whether its key is whole."""
    return any((home / name).exists() for name in (NOTE_FILE, KEY_FILE))


def has_store(database: Path) -> bool:
    """Tell whether a file holds anything; what, is for the store to say."""
    return _size(database) > 0


def check_not_lost(home: Path, database: Path, state: Path, *, anew: bool = False) -> None:
    """
    Refuse to make a store where one was lost.

    Args:
        home: The store's folder.
        database: Its file.
        state: The folder of sidecars.
        anew: Whether the caller means to begin an empty store for the device that is there, as whoever joins does.

    Raises:
        LostStoreError: The file is missing or empty, and something shows that it was not always so.
    """
    if has_store(database):
        return
    signs = _signs(home, database, state, anew=anew)  # first: they appear after the file, and would be found without it
    if signs and not _is_filled(database):
        raise LostStoreError(str(database), signs)


def check_not_overwritten(home: Path, database: Path) -> None:
    """
    Say of a file that is no store that one was lost there, if its device's identity is beside it.

    Raises:
        LostStoreError: As it says.
    """
    if has_identity(home):
        raise LostStoreError(str(database), [database.name, *_left(home, database)], overwritten=True)


def _left(home: Path, database: Path) -> list[str]:
    """Return what lies beside a lost file: its journal, and the identity of its device."""
    journal = Path(f"{database}-wal")
    names = [name for name in (NOTE_FILE, KEY_FILE) if (home / name).exists()]
    return [journal.name, *names] if _size(journal) else names


def _signs(home: Path, database: Path, state: Path, *, anew: bool) -> list[str]:
    """Return what is left of a store that was here: all that must be moved away, should it be given up."""
    journal = Path(f"{database}-wal")
    unwritten = _size(journal) > 0  # SQLite would delete it: it holds the last transactions
    known = not anew and has_identity(home)
    remembered = not anew and not has_store(database) and life.is_remembered(state, database)
    if not (unwritten or known or remembered):
        return []
    names = [name for name in (NOTE_FILE, KEY_FILE) if known and (home / name).exists()]
    return [path.name for path in (database, journal) if path.exists()] + names


def _is_filled(database: Path) -> bool:
    """Tell whether a file holds something, or soon does: another process may be making the store at this moment."""
    deadline = time.monotonic() + limits.MAKING_S
    while database.exists() and time.monotonic() < deadline:
        if _size(database) > 0:
            return True
        time.sleep(_RETRY_S)
    return _size(database) > 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is not there, or cannot be looked at: the store says which
        return 0
