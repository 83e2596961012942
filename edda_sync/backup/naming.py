"""
Naming: an error about one object of a backup says which backup that is, whose, and what to do about it.

An object has no name but a hash. So whoever knows for which backup it was read adds what a person can use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from edda_sync.backup.manifest import Manifest
from edda_sync.words import values
from edda_sync.words.errors import BackupError, BrokenBackupError, DamagedBackupError, NoObjectError

_DEVICE_CHARACTERS: Final = 12  # of an id, where no name is known
_MINUTE_CHARACTERS: Final = 16  # of a moment, RFC 3339


@contextmanager
def naming(backup: Manifest, names: Mapping[str, str]) -> Iterator[None]:
    """
    Let errors of the block about missing and damaged objects name the backup.

    Args:
        backup: The backup that is read.
        names: The names of devices, by their ids.

    Raises:
        BrokenBackupError: In place of a NoObjectError or DamagedBackupError.
    """
    try:
        yield
    except (NoObjectError, DamagedBackupError) as error:
        raise named(error, backup, names) from None


def named(error: BackupError, backup: Manifest, names: Mapping[str, str]) -> BackupError:
    """Return an error that names the backup, if one is about a missing or damaged object; otherwise the same error."""
    if isinstance(error, NoObjectError):
        why = f"{_lower(error.what)} is missing from {error.target}"
    elif isinstance(error, DamagedBackupError):
        why = f"{_lower(error.what)} is damaged: {error.why}"
    else:
        return error
    device = called(backup, names)
    advice = (
        "choose an earlier one of `edda backup list`; the next `edda backup now` there writes again what is lacking"
    )
    return BrokenBackupError(backup.number, device, when(backup), why, advice)


def called(backup: Manifest, names: Mapping[str, str]) -> str:
    """Return what to call the device that made a backup."""
    return names.get(backup.device) or backup.device[:_DEVICE_CHARACTERS]


def when(backup: Manifest) -> str:
    """Return when a backup was made, for a person."""
    return values.time_of(backup.made_ms)[:_MINUTE_CHARACTERS].replace("T", " ") + " UTC"


def _lower(what: str) -> str:
    return what[:1].lower() + what[1:]
