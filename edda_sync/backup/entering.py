"""
Entering: what an identity finds at a target, be it a device's or that of a recovery code, without a store.

It opens the lockboxes there, and with the keys in them the backups. :func:`newest` says which one to restore.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from edda_sync.backup.keys import Keys
from edda_sync.backup.lockbox import entrances
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind, Objects
from edda_sync.backup.target import Target
from edda_sync.backup.whose import device_meant, names_in
from edda_sync.transport.identity import Identity
from edda_sync.words.errors import BackupError, NotFoundError

_SHOWN_MAX: Final = 10  # backups that an error names


class Entered(NamedTuple):
    """
    The backups of one workspace at a target.

    Attributes:
        repository: Where they lie.
        keys: The keys that open them.
        backups: Those that can be read, the oldest first.
        unreadable: Why others cannot.
    """

    repository: Repository
    keys: Keys
    backups: tuple[Manifest, ...]
    unreadable: tuple[BackupError, ...]

    def of(self, device: str) -> Entered:
        """Return the same with only the backups that a device made, by its id."""
        return self._replace(backups=tuple(each for each in self.backups if each.device == device))


def enter(target: Target, identity: Identity) -> list[Entered]:
    """
    Return what an identity can open at a target, for each workspace.

    Args:
        target: The target.
        identity: This device's, or that of a recovery code.

    Raises:
        BackupKeyError: There is nothing that it opens.
        DamagedBackupError, NewerBackupError: What is sealed for it cannot be read.
        TargetError: The target cannot be used.
    """
    entered = []
    for _, keys in entrances(target, identity):
        repository = Repository(target, Objects(keys.ring), keys.ring, keys.workspace, identity.device)
        found = repository.all()
        backups = tuple(each.manifest for each in found if each.manifest is not None)
        unreadable = tuple(each.error for each in found if each.error is not None)
        entered.append(Entered(repository, keys, backups, unreadable))
    return entered


def newest(entered: Sequence[Entered], device: str | None = None) -> tuple[Entered, Manifest]:
    """
    Return the newest backup that can be read, and where it lies.

    One that holds all that another one holds, and more, is newer, whatever clocks said. Of those that are left, one by
    ``device`` comes first, and then the one that was made last by the clocks of the devices that made them.

    Args:
        entered: What was opened.
        device: The id of the device that is restored; None for a new one.

    Raises:
        BackupError: None can be read.
    """
    found = [(each, backup) for each in entered for backup in each.backups]
    if not found:
        broken = [error for each in entered for error in each.unreadable]
        if broken:
            raise broken[-1]
        raise BackupError("The keys lie there, and no backup: name another target, or take another backup.")
    fullest = sorted(found, key=lambda each: (-sum(seq for _, seq, _ in each[1].heads), -each[1].made_ms))
    leading: list[tuple[Entered, Manifest]] = []
    for each in fullest:
        if not any(_holds(other[1], each[1]) for other in leading):
            leading.append(each)
    return max(leading, key=lambda each: (each[1].device == device, each[1].made_ms))


def _holds(one: Manifest, other: Manifest) -> bool:
    """Tell whether a backup holds all changes of another one."""
    held = {name: (seq, digest) for name, seq, digest in one.heads}
    return one.workspace == other.workspace and all(
        name in held and (seq < held[name][0] or (seq, digest) == held[name]) for name, seq, digest in other.heads
    )


def chosen(
    entered: Sequence[Entered], number: int | None = None, maker: str | None = None, own: str | None = None
) -> tuple[Entered, Manifest]:
    """
    Return the backup to restore, and where it lies.

    Args:
        entered: What was opened.
        number: Its number; the newest one if None.
        maker: The name or id of the device that made it; by default the one that made the newest.
        own: The id of the device that is restored; None for a new one.

    Raises:
        BackupError: None can be read.
        NotFoundError: There is no backup with that number, or of that device.
    """
    if maker is not None:
        device = device_meant(names_in(backup for each in entered for backup in each.backups), maker)
        entered = [each.of(device) for each in entered]
    place, backup = newest(entered, own)
    if number is not None:
        found = [each for each in place.backups if each.number == number and each.device == backup.device]
        if not found:
            raise _no_backup(number, sorted({each.number for each in place.backups if each.device == backup.device}))
        backup = found[-1]
    return place, backup


def _no_backup(number: int, there: Sequence[int]) -> NotFoundError:
    shown, error = ", ".join(map(str, there[-_SHOWN_MAX:])), NotFoundError("backup", str(number))
    newest = "the newest are" if len(there) > _SHOWN_MAX else "there are"
    error.args = (f"There is no backup {number} of that device; {newest} {shown}, and --device takes another one's.",)
    return error


def look_into(entered: Entered, backup: Manifest) -> None:
    """
    Open the last part of a backup: so what opened its manifest opens its content, too. It does not verify the backup.

    Raises:
        BackupError: It cannot be opened.
    """
    for ref in backup.runs[-1:]:
        entered.repository.get(Kind.RUN, ref)
