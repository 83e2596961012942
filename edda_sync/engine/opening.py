"""
Opening: checks what lies where a store should be, before a store is created there.

A folder shows signs of a store whose file was lost: the identity of its device, the journal of a process that was killed,
and, outside the folder, the sidecar of the file. An empty store among these would hide the loss from a person who may have
a backup or other devices, and would separate the device from its workspace.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edda_sync.engine import life
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import (
    LostStoreError,
    NoFolderError,
    NoStoreError,
    NotAStoreError,
    SettingError,
    UnreadableError,
    UsageError,
)
from edda_sync.words.files import check_length, disk_error
from edda_sync.words.folders import KEY_FILE, NOTE_FILE
from edda_sync.workspace.keys import WORKSPACE_KEY

if TYPE_CHECKING:
    from edda_sync.store.sqlite.store import SqliteStore

_RETRY_S: Final = 0.01


def has_identity(home: Path) -> bool:
    """Tell whether the folder has, or had, a device. ``transport.identity`` checks whether the key is complete."""
    return any(os.path.exists(home / name) for name in (NOTE_FILE, KEY_FILE))  # False also where nobody may look


def has_store(database: Path) -> bool:
    """Tell whether a file contains anything. The store itself checks what it contains."""
    return _size(database) > 0


def check_not_lost(home: Path, database: Path, state: Path, *, anew: bool = False) -> None:
    """
    Refuse to create a store where one was lost.

    Args:
        home: The store's folder.
        database: The store's file.
        state: The folder of sidecars.
        anew: Whether the caller means to begin an empty store for the device that is there, as when it joins.

    Raises:
        UsageError: It was put aside by a join that was killed before it made the new store; the error says how to go on.
        LostStoreError: The file is missing or empty, but something shows that there was a store.
    """
    if has_store(database):
        return
    signs = _signs(home, database, state, anew=anew)  # first: the file of a new store appears before its signs
    if signs and not _is_filled(database):
        if not anew:
            from edda_sync.engine import aside

            aside.check_joined(home)
        raise LostStoreError(str(database), signs)


def check_reachable(database: Path) -> None:
    """
    Check that one can look where a store's file is, or would be.

    Raises:
        UnreadableError: Its folder may not be looked at.
        NotAStoreError: Something else than a file is there.
        LongPathError, DiskFaultError: There can be no such file, or the disk failed.
    """
    check_length(database)
    try:
        found = os.stat(database)
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        raise UnreadableError(str(database)) from None
    except OSError as error:
        raise disk_error(database, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise NotAStoreError(str(database))


def refuse_missing(home: Path, database: Path, state: Path) -> None:
    """
    Refuse to look at a store that is not there. Nothing is made.

    Args:
        home: The store's folder.
        database: The store's file, which is missing or empty.
        state: The folder of sidecars.

    Raises:
        StorageError: As :func:`check_reachable`.
        UsageError: A store lies elsewhere, and ``database_path`` was set since.
        LostStoreError: The file is missing or empty, but something shows that there was a store.
        NoStoreError: There is none.
    """
    check_reachable(database)
    check_not_moved(home, database)
    check_not_lost(home, database, state)
    if not has_store(database):  # another process may have made one meanwhile
        raise NoStoreError(str(home))


def check_not_moved(home: Path, database: Path) -> None:
    """
    Refuse to create a store elsewhere while one lies in its usual place.

    Raises:
        UsageError: ``database_path`` was set after the store was made.
    """
    usual = home / DATABASE_FILE
    if database != usual and has_store(usual):
        raise UsageError(
            f"There is no store in {database}, where database_path points, but one in {usual}; nothing was made: move that "
            f"there, with {usual.name}-wal if there is one, or take the setting back."
        )


@contextmanager
def naming_path(path: Path | None, key: str = "database_path") -> Iterator[None]:
    """
    Name the setting if the block finds that no store, or no folder of it, can be where that points.

    Args:
        path: The setting; None if it is not set, and the store's folder was chosen wrongly.
        key: Its name.

    Raises:
        SettingError: In place of a NotAStoreError or NoFolderError.
    """
    try:
        yield
    except (NotAStoreError, NoFolderError) as error:
        if path is None:
            raise
        why = "no folder can be made there" if isinstance(error, NoFolderError) else f"{error.path} is no store"
        advice = f"is {str(path)!r}, and {why}; nothing was touched: choose another path"
        raise SettingError(key, advice, path) from None


def check_not_hidden(database: Path) -> None:
    """
    Refuse a store in memory where one is on disk: what is written would be gone with the process.

    Raises:
        UsageError: There is one.
    """
    if has_store(database):
        raise UsageError(
            f'There is a store in {database}, and backend is "memory": what is written would be lost; take the setting '
            "back, or choose another folder."
        )


def check_not_overwritten(home: Path, database: Path) -> None:
    """
    Report a lost store, if a file that is no store lies beside the identity of a device.

    Raises:
        LostStoreError: There is such an identity.
    """
    if has_identity(home):
        raise LostStoreError(str(database), [database.name, *_left(home, database)], overwritten=True)


def check_not_emptied(home: Path, store: SqliteStore, state: Path) -> None:
    """
    Refuse to found a workspace in a file that had one: what its damaged journal held is lost.

    Args:
        home: The store's folder.
        store: The store, which seems to belong to no workspace.
        state: The folder of sidecars.

    Raises:
        LostStoreError: The sidecar of this very file says that a device has written into it. A copy of its journal is kept.
    """
    if not life.is_remembered(state, store.path):
        return
    with store.read() as reader:  # opened only now: another process may just have founded the workspace
        if reader.meta.get(WORKSPACE_KEY) is not None:
            return
    store.checks.keep_journal()
    signs = [store.path.name, *store.checks.journals_aside(), *_identity(home)]
    raise LostStoreError(str(store.path), signs, emptied=True)


def _left(home: Path, database: Path) -> list[str]:
    """Return the names of what lies beside a lost file: its journal, and the identity of its device."""
    journal = Path(f"{database}-wal")
    return [journal.name, *_identity(home)] if _size(journal) else _identity(home)


def _identity(home: Path) -> list[str]:
    """Return the names of the files of a device's identity."""
    return [name for name in (NOTE_FILE, KEY_FILE) if os.path.exists(home / name)]


def _signs(home: Path, database: Path, state: Path, *, anew: bool) -> list[str]:
    """Return the names of what is left of a store: the files to move away if the store is given up."""
    journal = Path(f"{database}-wal")
    unwritten = _size(journal) > 0  # it holds the last transactions, and SQLite would delete it
    known = not anew and has_identity(home)
    remembered = not anew and not has_store(database) and life.is_remembered(state, database)
    if not (unwritten or known or remembered):
        return []
    names = _identity(home) if known else []
    return [path.name for path in (database, journal) if os.path.exists(path)] + names


def _is_filled(database: Path) -> bool:
    """Tell whether a file has content, or gets it soon: another process may be creating the store."""
    deadline = time.monotonic() + limits.MAKING_S
    while os.path.exists(database) and time.monotonic() < deadline:
        if _size(database) > 0:
            return True
        time.sleep(_RETRY_S)
    return _size(database) > 0


def _size(path: Path) -> int:
    try:
        found = os.stat(path)
    except OSError:  # it is missing or unreadable: the store tells which
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
