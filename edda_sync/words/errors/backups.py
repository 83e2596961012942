"""Errors of backups and of the places where they lie. The store itself is safe."""

from __future__ import annotations

from edda_sync.words.errors.root import EddaError, bare, shown


class BackupError(EddaError):
    """A backup, a bundle, or the place where it lies is at fault. The store is as it was."""


class TargetError(BackupError):
    """
    A target cannot be used now.

    Attributes:
        target: Its name.
        why: What happened.
        advice: What to do.
    """

    def __init__(self, target: str, why: str, advice: str) -> None:
        self.target, self.why, self.advice = target, why, advice
        super().__init__(f"The backup target {shown(target)} cannot be used ({bare(why)}): {advice}.")


class NoObjectError(BackupError):
    """
    An object is not at a target: it was removed there, or was never written.

    Attributes:
        target: The target's name.
        key: The object's key.
        what: What it is; its key if nobody knows more.
    """

    def __init__(self, target: str, key: str, what: str = "") -> None:
        self.target, self.key, self.what = target, key, what or key
        super().__init__(
            f"{self.what} is missing from the backup target {shown(target)}; "
            "`edda backup verify --all` shows which backups are whole."
        )


class DamagedBackupError(BackupError):
    """
    Bytes of a backup or bundle are not what was written. Nothing of them was used.

    Attributes:
        what: What is damaged.
        why: How this shows.
        advice: What to do.
    """

    def __init__(self, what: str, why: str, advice: str = "take another backup, or another copy of it") -> None:
        self.what, self.why, self.advice = what, why, advice
        super().__init__(f"{what} is damaged ({bare(why)}); nothing of it was used: {advice}.")


class BrokenBackupError(BackupError):
    """
    A backup cannot be restored, because something of it is damaged or missing. Nothing was changed.

    Attributes:
        number: Its number.
        device: What people call the device that made it.
        made: When it was made, for a person.
        why: What is damaged or missing.
        advice: What to do.
    """

    def __init__(self, number: int, device: str, made: str, why: str, advice: str) -> None:
        self.number, self.device, self.made, self.why, self.advice = number, device, made, why, advice
        super().__init__(f"Backup {number} of {shown(device)}, made {made}, is not whole ({bare(why)}): {advice}.")


class GoneBackupsError(BackupError):
    """
    Backups are gone from a target: an earlier state of it was put back, or somebody removed them.

    Attributes:
        target: The target's name.
        newest: The number of the newest backup of this device that is there; 0 for none.
        made: The number of the last one that this device made there.
        gone: How many are gone of those that are to be kept.
    """

    def __init__(self, target: str, newest: int, made: int, gone: int) -> None:
        self.target, self.newest, self.made, self.gone = target, newest, made, gone
        there = f"the newest there is {newest}" if newest else "none of its backups is there"
        what = f"this device made backup {made}, and {there}" if newest < made else f"{gone} of this device are gone"
        super().__init__(
            f"Backups are missing at the target {shown(target)} ({what}): an earlier state of the place was put back, or "
            "somebody removed them; `edda backup now` makes one of what is here."
        )


class BackupKeyError(BackupError):
    """
    A backup cannot be opened with the keys that are here.

    Attributes:
        what: What cannot be opened.
        advice: What to do.
    """

    def __init__(self, what: str, advice: str) -> None:
        self.what, self.advice = what, advice
        super().__init__(f"{what} cannot be opened with the keys that are here: {advice}.")


class NewerBackupError(BackupError):
    """
    A newer version wrote something of a backup.

    Attributes:
        what: What a newer version wrote.
        version: Its format, or what this version does not know of it.
    """

    def __init__(self, what: str, version: str) -> None:
        self.what, self.version = what, version
        super().__init__(f"{what} was written by a newer edda-sync ({version}): update edda-sync on this device.")
