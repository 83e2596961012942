"""Where things are on disk: a store's folder and its socket, and, outside the store, the folder of sidecars."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Final, Literal

from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import NoFolderError, NotAStoreError, ReadOnlyError
from edda_sync.words.files import disk_error, make_folders

NOTE_FILE: Final = "identity.json"
KEY_FILE: Final = "identity.key"
SEPARATING_FOLDER: Final = "separating"  # the identity with which a copy of a store is to go on
FORMER_FOLDER: Final = "former"  # the identities that a copy had before, until it has met its originals
"""The files of a device's identity, in the folder of its store. ``transport.identity`` describes their content."""

SOCKET_PATH_BYTES_MAX: Final = 100  # the kernel's own limit is 108

STATE_ADVICE: Final = "check its permissions, or set EDDA_STATE to a folder that can be written"

_XDG: Final = {"data": ("XDG_DATA_HOME", ".local/share"), "state": ("XDG_STATE_HOME", ".local/state")}
_SYSTEM: Final[str] = "android" if hasattr(sys, "getandroidapilevel") else sys.platform


def user_folder(kind: Literal["data", "state"]) -> Path:
    """
    Return our folder among those where this user's programs keep something.

    On Linux it is computed here if possible: platformdirs, which knows the other systems, costs each command 4 ms.

    Args:
        kind: ``data`` for data that belongs to the user, or ``state`` for the state of a program on this machine.

    Source: XDG Base Directory Specification 0.8.
    """
    if _SYSTEM == "linux":
        variable, usual = _XDG[kind]
        named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
        if os.path.isabs(named):  # the specification ignores relative paths
            return Path(named, "edda")
        if os.path.isabs(home):
            return Path(home, usual, "edda")
    import platformdirs

    return Path(platformdirs.user_data_dir("edda") if kind == "data" else platformdirs.user_state_dir("edda"))


def make_folder(path: Path) -> None:
    """
    Create a folder that is private to its owner. It is on disk when this returns, before anything in it is acknowledged.

    Raises:
        NotAStoreError: A file is in the way.
        StorageError: It cannot be created.
    """
    try:
        make_folders(path)
    except (FileExistsError, NotADirectoryError):
        raise NotAStoreError(str(path)) from None
    except FileNotFoundError as error:  # this file system takes no folder there
        raise NoFolderError(
            str(path), error.strerror or str(error), "choose another place, with --home or `edda config set`"
        ) from None
    except OSError as error:
        raise disk_error(path, error) from None


@contextmanager
def taken_back(*paths: Path) -> Iterator[None]:
    """Remove the folders on the way to some paths that the block makes, if the block fails and they are empty."""
    new: set[Path] = set()
    for path in paths:
        new.update(takewhile(lambda each: not os.path.lexists(each), (path, *path.parents)))
    try:
        yield
    except BaseException:
        for each in sorted(new, reverse=True):
            with suppress(OSError):
                each.rmdir()
        raise


def make_state_folder(path: Path) -> None:
    """
    Create the folder of sidecars, like :func:`make_folder`.

    Raises:
        StorageError: It cannot be created. The error names what is in the way, or says what to do.
    """
    try:
        make_folders(path)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise NoFolderError(str(path), error.strerror or str(error), "set EDDA_STATE to another one") from None
    except OSError as error:
        with naming_state():
            raise disk_error(path, error) from None


@contextmanager
def naming_state() -> Iterator[None]:
    """
    Add advice to a ReadOnlyError that the block raises about the folder of sidecars.

    Raises:
        ReadOnlyError: The same error, with the advice.
    """
    try:
        yield
    except ReadOnlyError as error:
        raise ReadOnlyError(error.path, STATE_ADVICE) from None


def state_folder(config: StorageConfig) -> Path:
    """Return the folder of sidecars. It is outside every store's folder."""
    return _named_state(config) or absolute(user_folder("state")) / "lives"


def proofs_folder(config: StorageConfig) -> Path:
    """Return the folder with what proves the backups of stores, beside the sidecars."""
    return state_folder(config) / "proofs"


def backups_folder(config: StorageConfig) -> Path:
    """Return the folder of backups that go to no other place, beside the sidecars."""
    return (_named_state(config) or absolute(user_folder("state"))) / "backups"


def _named_state(config: StorageConfig) -> Path | None:
    if config.state_path is not None:
        return config.state_path
    named = os.environ.get("EDDA_STATE")
    return absolute(Path(named)) if named else None


def socket_path(home: Path) -> Path:
    """Return the path of a store's socket: in its folder, or in a short private folder if that path is too long."""
    home = absolute(home)
    path = home / "run" / "edda.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    import tempfile

    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"edda-{os.getuid()}" / f"{name}.sock"
