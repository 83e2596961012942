"""
Troubles: what is wrong with the backups at a target beside what verifying them finds.

Verifying reads what is listed. What is not listed any more, or cannot be, only a store can tell that remembers what it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.backup.repository import Found, Repository
from edda_sync.engine.backed_up import BackedUp
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.errors import BackupError, DamagedBackupError, GoneBackupsError


def troubles(
    storage: StorageEngine, repository: Repository, noted: BackedUp, backups: Sequence[Found]
) -> list[BackupError]:
    """
    Return the backups that cannot be listed, whether newest or kept ones are gone, and keys beside them that are not whole.

    Args:
        storage: The store.
        repository: What lies at the target.
        noted: What the store remembers of its backups there.
        backups: What lies there, the oldest first, those that cannot be read last.

    Raises:
        TargetError: The target cannot be used.
    """
    found = [each.error for each in backups if each.error is not None]
    own = [each for each in backups if repository.maker_of(each.key, [storage.identity.device])]
    newest = max((each.number for each in own), default=0)
    if newest < noted.number or len(own) < noted.kept:
        found.append(GoneBackupsError(noted.target, newest, noted.number, max(1, noted.kept - len(own))))
    last = next((each.manifest for each in reversed(own) if each.manifest is not None), None)
    return found if last is None else [*found, *repository.lacking_keys(storage, last)]


def named_by(repository: Repository, found: Found, names: Mapping[str, str]) -> Found:
    """Return what was found, whose error names the device and the backup if it is damage; ``names`` are those of devices."""
    if not isinstance(found.error, DamagedBackupError):
        return found
    maker = repository.maker_of(found.key, names)
    whose = "a device that is no member" if maker is None else names[maker]
    what = f"The manifest of backup {found.number} of {whose}"
    advice = "take another backup on that device, and choose another one to restore"
    return found._replace(error=DamagedBackupError(what, found.error.why, advice))
