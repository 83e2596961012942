"""Errors of this device's disk or store. What was acknowledged is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edda_sync.words.errors.root import EddaError, shown

WAYS_BACK: Final = (
    "bring it back with `edda backup restore`, or from another device (`edda invite` there, `edda join` here)"
)
"""What to do to get a lost store back."""

_SAVE_FIRST: Final = "try `edda sync` and `edda export`"  # they may still save what is only here


_FROM_LOG: Final = "`edda doctor --rebuild` makes them anew from the log"


class StorageError(EddaError):
    """This device's disk or store failed. What was acknowledged is safe."""


class NotAStoreError(StorageError):
    """The path holds something that is not a store. It was not touched."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is not an edda store; nothing was touched: choose another folder with --home.")


class NewerStoreError(StorageError):
    """The store was made by a newer version. It was not touched."""

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} was written by a newer edda (store version {found}; this one knows {known}): update edda-sync."
        )


class LostStoreError(StorageError):
    """A store was here, but its file is missing, empty or something else. No new store was made."""

    def __init__(self, path: str, signs: Sequence[str], *, overwritten: bool = False, emptied: bool = False) -> None:
        self.path, self.signs = path, list(signs)
        what = "no store any more" if overwritten else "missing or empty"
        what = "empty, since its journal is damaged" if emptied else what
        kept = self.signs[:1] if overwritten else []
        kept += [sign for sign in self.signs if "-wal" in sign]  # a journal does not fit another file
        first = f"keep {' and '.join(kept)} elsewhere first, then " if kept else ""
        anew = f", or, to begin anew, move away {', '.join(self.signs)}" if self.signs else ""
        super().__init__(f"{path} is {what}, although a store was here; nothing was made: {first}{WAYS_BACK}{anew}.")


class ReplacedStoreError(StorageError):
    """Another file is at the path where the store was opened. Nothing has been written to either file since."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} was replaced by another file while it was in use; start again to use the new one.")


class CutStoreError(ReplacedStoreError):
    """The file of an open store became shorter: it was truncated, or replaced by a copy. It was not written since."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        then = "end every program that uses this store, keep a copy of the folder, and run `edda doctor`"
        self.args = (
            f"{path} was cut, or another file copied over it, while it was in use; nothing was written: {then}.",
        )


class LostJournalError(ReplacedStoreError):
    """The journal of an open store was removed, so others cannot see what it contains. Nothing was written to it since."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        then = "end every program that uses this store, whereby what is in it comes into the store, then start again"
        self.args = (f"{path}-wal was taken away while it was in use; nothing was written: {then}.",)


class LostIndexError(LostJournalError):
    """The journal's index was removed, so other processes create a second one. Nothing was written with it since."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        then = (
            "nothing was written since, and nothing is lost: end every program that uses this store, then start again"
        )
        self.args = (f"{path}-shm, which all programs share, was taken away while it was in use; {then}.",)


class LostIdentityError(StorageError):
    """A store is here, but the key of its device is missing: it can be read and written, but not synced."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} has a store without its identity: put identity.json and identity.key back from a backup, or let "
            "`edda join --bring` make this a new device that keeps the content; until then it can be read and written, but "
            "not synced."
        )


class KeyringError(StorageError):
    """A secret is in the system's keyring, and cannot be had from there now."""

    def __init__(self, what: str, service: str, name: str, why: str) -> None:
        self.what, self.service, self.name, self.why = what, service, name, why
        super().__init__(f"{what} is in the system's keyring (service {service}, name {name}), which {why}.")


class StoreKeyError(StorageError):
    """A store is encrypted, and its key cannot be had or is another one. Nothing was changed."""

    def __init__(self, path: str, why: str, advice: str = "") -> None:
        self.path, self.why, self.advice = path, why, advice
        then = f": {advice}" if advice else ""
        super().__init__(f"{path} is encrypted, and {why}; nothing was changed{then}.")


class NoFolderError(StorageError):
    """A folder cannot be made where it should be, as in ``/proc`` or below a file. Nothing was written."""

    def __init__(self, path: str, detail: str, advice: str) -> None:
        self.path, self.detail = path, detail
        super().__init__(f"The folder {path} cannot be made ({detail}); nothing was written: {advice}.")


class InTheWayError(StorageError):
    """A folder is where a file should be, or a file where a folder should be. Nothing was written."""

    def __init__(self, path: str, detail: str) -> None:
        self.path, self.detail = path, detail
        super().__init__(
            f"{path} cannot be used ({detail}); nothing was written: move what is in the way, or name another place."
        )


class LongPathError(StorageError):
    """A path is longer than SQLite or the system takes. Nothing was made."""

    def __init__(self, path: str, detail: str) -> None:
        self.path, self.detail = path, detail
        super().__init__(f"The path {path} is too long ({detail}); nothing was made: choose a shorter one.")


class ManyFilesError(StorageError):
    """This process, or this machine, has as many files open as it may. Nothing was written."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} cannot be opened, since too many files are open; nothing was written: close some, or allow more with "
            "`ulimit -n`."
        )


class LinkError(StorageError):
    """A symbolic link is where one of our files should be. Nothing was written through it."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is a symbolic link, and nothing is written through it: remove it, or put the file itself there."
        )


class LinkedStoreError(StorageError):
    """A store's file has several names (hard links), and is open under another one. It was not opened."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} has another name (a hard link) under which a program uses it now; under both it would be damaged, and "
            "nothing was touched: use it under that name, or end that program, and this name gets a copy of its own."
        )


class NotPrivateError(StorageError):
    """Others on this computer can read one of our files, and its permissions cannot be changed. It was not used."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} can be read by others; it was not used: let its owner run `chmod go-rwx` on it, or, if that does not "
            "help, move the folder to a disk that keeps permissions."
        )


class ReadOnlyError(StorageError):
    """The store cannot be written."""

    def __init__(self, path: str, advice: str = "check its permissions or its disk") -> None:
        self.path = path
        super().__init__(f"{path} cannot be written (read-only); nothing was changed: {advice}.")


class UnreadableError(StorageError):
    """The store's file exists, but may not be read. It was not touched."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read; nothing was touched: check its permissions, and whose it is.")


class DiskFullError(StorageError):
    """No room is left. Nothing of the write was kept."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"The disk that holds {path} is full; nothing was written: free some room and try again.")


class DiskFaultError(StorageError):
    """The disk failed to read or write. Nothing of the write was kept."""

    def __init__(self, path: str, detail: str) -> None:
        self.path, self.detail = path, detail
        super().__init__(
            f"The disk that holds {path} failed ({detail}); nothing was written: check the disk, then try again."
        )


class BusyError(StorageError):
    """Another process has held the store for too long."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} has been busy with another process for too long; nothing was written: try again.")


class CorruptError(StorageError):
    """Stored bytes are not what was written."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} is damaged on this disk; run `edda doctor`, and keep a copy of the folder.")


class DamagedRowsError(CorruptError):
    """Rows that show items are not what was written. The items themselves may be sound: their rows can be made anew."""

    def __init__(self, kind: str, ids: Sequence[str]) -> None:
        self.kind, self.ids = kind, tuple(map(str, ids))  # of an id, too, damage may have made something else
        super().__init__(f"What the store's file shows of {_some(kind, self.ids)}")


def _some(kind: str, ids: Sequence[str]) -> str:
    return f"the {kind} {shown(ids[0])}" if len(ids) == 1 else f"{len(ids):,} {kind}s" if ids else f"some {kind}s"


class LostStatesError(CorruptError):
    """The RocksDB folder of a store is missing, damaged, or not the one that fits the store. Nothing of it is used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} ({why})")
        self.path, self.why = path, why
        self.args = (f"{path} does not hold the states of this store ({why}); nothing is lost: {_FROM_LOG}.",)


class LockedStatesError(StorageError):
    """Another program has the RocksDB folder of a store open. What was acknowledged is in the store's SQLite file."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is locked by another program, so what was written waits in the store's file; nothing is lost: end that "
            "program, or let it use another folder."
        )


class ForkedStatesError(StorageError):
    """This process was forked from one that had written to RocksDB. What was acknowledged is in the store's SQLite file."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} cannot be written by this process, which was forked from one that had written to RocksDB, so what was "
            "written waits in the store's file; nothing is lost, and any other process carries it over: start processes by "
            "`spawn` or `forkserver` instead of `fork`."
        )


class MovedStatesError(StorageError):
    """The states of the store are not where this process looks for them: another process has moved them."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        super().__init__(f"The states of this store are in {backend} now, another process moved them: start again.")


class DamagedStoreError(CorruptError):
    """A file is damaged, and cannot be restored from what is here."""

    def __init__(self, path: str, what: str = "") -> None:
        super().__init__(what or path)
        self.path = path
        name = path.rpartition("/")[2]
        then = f"{_SAVE_FIRST}, then keep a copy of the folder, move {name} away, and {WAYS_BACK}"
        self.args = (f"{self.what} is damaged on this disk, and cannot be mended from what is here: {then}.",)


class DamagedFileError(CorruptError):
    """A chunk of an attached file is damaged. It is never shown, and never sent to a peer."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        then = "it is fetched again from a device that has it, or attach the same file again; `edda doctor` names it"
        self.args = (f"A part of an attached file is damaged on this disk ({path}): {then}.",)


class FileNotHereError(StorageError):
    """An attachment is known here, but its content is not on this device, or not all of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The content of {shown(name)} is not on this device: `edda doc fetch` gets it from a device that has it, or "
            "attach it here again."
        )


class NobodyHasFileError(FileNotHereError):
    """No device that could be reached has the content of an attachment, or all of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        then = "run `edda up` on one that has it, and try again"
        self.args = (f"No device that could be reached has all of {shown(name)}; what came is kept: {then}.",)


class FalseFileError(FileNotHereError):
    """What a member said of a file when it attached it is not true, so there is no such file, and nobody can have it."""

    def __init__(self, name: str) -> None:
        self.name = name
        then = "detach it, and attach the file again"
        self.args = (
            f"{shown(name)} was attached with a size or parts that it does not have; nobody can read it: {then}.",
        )


def damage(path: str, parts: Sequence[str]) -> str:
    """Return what is damaged, in the words of a :class:`CorruptError`: the path of a store's file, and the damaged parts."""
    return f"{path} ({', '.join(parts)})"


def damage_sentence(parts: Sequence[str]) -> str:
    """Return what to tell a person about a store whose file is damaged in some parts."""
    return f"this store is damaged on this disk ({', '.join(parts)}): `edda doctor` says what helps."
