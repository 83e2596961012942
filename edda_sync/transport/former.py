"""
Former identities: of a store that was a copy and became a device of its own, until it has met its original.

Each lies in a folder of its own below ``former`` in the store's folder, since a copy of such a store may be split off, too.
Nothing is written with them (``device.introducing``).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from edda_sync.transport import identity as identities
from edda_sync.transport.identity import Identity
from edda_sync.words.folders import FORMER_FOLDER

_NAME_CHARACTERS = 16  # of a device's id: enough to tell apart those that one store has had


def load(home: Path) -> list[Identity]:
    """
    Return the identities that are kept in a store's folder.

    Raises:
        StorageError: The key of one is missing, damaged or not accessible.
    """
    found = (identities.load(each) for each in sorted((home / FORMER_FOLDER).glob("*")))
    return [each for each in found if each is not None]


def save(home: Path, identity: Identity) -> None:
    """
    Keep an identity.

    Raises:
        StorageError: It cannot be written.
    """
    identities.save(_folder(home, identity.device), identity)


def forget(home: Path, device: str) -> None:
    """
    Remove an identity, by its device's id.

    Raises:
        StorageError: It cannot be removed.
    """
    identities.forget(_folder(home, device))
    with contextlib.suppress(OSError):  # there are others
        (home / FORMER_FOLDER).rmdir()


def _folder(home: Path, device: str) -> Path:
    return home / FORMER_FOLDER / device[:_NAME_CHARACTERS]
