"""
All errors of edda-sync, as one tree. Each says whose fault it is, what happened and what to do, and has fields for details.

    EddaError
    ├── LocalError                 the caller's fault: change the call
    │   ├── InvalidValueError      a value is not acceptable (field, value, why)
    │   ├── SettingError           a setting is not acceptable (key, value, why, place)
    │   ├── ConfigFileError        a store's config.toml cannot be read as settings (path, why, advice)
    │   ├── NoStoreError           there is no store in the folder, and none is made (path)
    │   ├── EmptySourceError       what was to be imported holds nothing (why)
    │   ├── ExistsError            something has this name already (kind, name)
    │   ├── ClashError             a unique index forbids it (index, kind, columns, other, item)
    │   ├── NotFoundError          no such task, document, tag or device (kind, reference)
    │   │   ├── InTrashError       it was deleted, and can come back (kind, reference)
    │   │   ├── NotThenError       it was not there at a time, or in the trash then (kind, reference)
    │   │   ├── NothingToUndoError nobody here wrote what is not taken back already (agent)
    │   │   ├── NotLinkedError     a task and a document have no link (reference, document)
    │   │   └── NotTaggedError     a task or document does not carry a tag (kind, reference, tag)
    │   ├── AmbiguousIdError       a short id or a title fits several (reference, candidates)
    │   ├── ConflictError          something the transaction read or wrote has changed meanwhile (cells)
    │   │   ├── StaleError         it has changed since the object that is written back was read (cells)
    │   │   └── OutdatedError      it was open for too long, and was ended (path)
    │   ├── LimitError             larger than a limit allows (what, size, limit)
    │   ├── CallbackError          a function that the caller gave us to call raised an exception (about, raised)
    │   └── UsageError             the call does not fit the state (a closed store, no workspace, ...)
    │       └── NestedError        it would wait, inside a transaction, for the end of that transaction (what)
    ├── StorageError               the fault of this device's disk or store
    │   ├── NotAStoreError         the path holds something else (path)
    │   ├── NewerStoreError        made by a newer version (found, known)
    │   ├── LostStoreError         a store was here, but its file is missing, empty or not a store (path, signs)
    │   ├── ReplacedStoreError     another file lies where the open store was (path)
    │   │   ├── CutStoreError      the open store's file became shorter (path)
    │   │   └── LostJournalError   the journal of the open store was removed (path)
    │   │       └── LostIndexError  the index of that journal, which all processes share, was removed (path)
    │   ├── LostIdentityError      a store is here, but its device's key is missing (path)
    │   ├── KeyringError           a secret in the system's keyring cannot be had now (what, service, name, why)
    │   ├── StoreKeyError          the key of an encrypted store cannot be had, or is another one (path, why, advice)
    │   ├── NoFolderError          a folder cannot be made where it should be (path, detail)
    │   ├── InTheWayError          a folder is where a file should be, or the other way round (path, detail)
    │   ├── LongPathError          a path is longer than SQLite or the system takes (path, detail)
    │   ├── ManyFilesError         too many files are open (path)
    │   ├── LinkError              a symbolic link lies where a file of ours goes (path)
    │   ├── LinkedStoreError       the file has several names (hard links), and is in use under another (path)
    │   ├── NotPrivateError        others can read a file of ours, and we may not change that (path)
    │   ├── ReadOnlyError          the store cannot be written (path)
    │   ├── UnreadableError        the store's file may not be read (path)
    │   ├── DiskFullError          no room left; nothing was partly written (path)
    │   ├── DiskFaultError         the disk failed to read or write (path, detail)
    │   ├── BusyError              another process has held the store for too long (path)
    │   ├── FileNotHereError       the content of an attachment is not on this device (name)
    │   │   ├── NobodyHasFileError no device that could be reached has it (name)
    │   │   └── FalseFileError     there is no such file: a member said something untrue of it (name)
    │   ├── MovedStatesError       another process has moved the states to another backend (backend)
    │   ├── LockedStatesError      another program uses the RocksDB folder (path)
    │   ├── ForkedStatesError      forked from a process that had written to RocksDB (path)
    │   └── CorruptError           stored bytes are not what was written (what)
    │       ├── DamagedRowsError   and rows that show items can be made anew (kind, ids)
    │       ├── DamagedStoreError  and cannot be restored from what is here (path)
    │       ├── LostStatesError    the RocksDB folder does not hold this store's states (path, why)
    │       └── DamagedFileError   a part of an attached file (path)
    ├── RemoteError                the fault of a peer or the network
    │   ├── RemoteProtocolError    the peer broke the protocol (peer, reason)
    │   ├── RemoteMismatchError    the peer belongs to another workspace or has another version (peer, reason)
    │   │   └── RemoteComplaintError    the peer ended a session because of what came from here (peer, reason)
    │   ├── RemoteFaultError       the peer's own disk or store failed (peer, reason)
    │   ├── RefusedTextError       a text update that no honest device writes (reason)
    │   ├── NotReachableError      nobody answered (address)
    │   ├── OwnKeyError            what answers has this device's own key (address)
    │   ├── LinkClosedError        a link has ended (peer, reason)
    │   └── NotAMemberError        the peer is not a member, or we are not a member there (peer, by_peer)
    ├── BackupError                the fault of a backup, or of the place where it lies
    │   ├── TargetError            a target cannot be used now (target, why, advice)
    │   ├── NoObjectError          an object is missing at a target (target, key, what)
    │   ├── DamagedBackupError     bytes are not what was written (what, why, advice)
    │   ├── BrokenBackupError      something of a backup is damaged or missing (number, device, made, why, advice)
    │   ├── GoneBackupsError       backups are gone from a target (target, newest, made, gone)
    │   ├── BackupKeyError         the keys that are here do not open it (what, advice)
    │   └── NewerBackupError       a newer version wrote it (what, version)
    ├── BugError                   edda-sync itself failed in a session, which ends (bug)
    └── PairingError               an invitation that did not work (reason)

The command turns each into one sentence and an exit code: ``exit_code``.
"""

from __future__ import annotations

from edda_sync.words.errors.backups import (
    BackupError,
    BackupKeyError,
    BrokenBackupError,
    DamagedBackupError,
    GoneBackupsError,
    NewerBackupError,
    NoObjectError,
    TargetError,
)
from edda_sync.words.errors.local import (
    AmbiguousIdError,
    CallbackError,
    ClashError,
    ConfigFileError,
    ConflictError,
    EmptySourceError,
    ExistsError,
    InTrashError,
    InvalidValueError,
    LimitError,
    LocalError,
    NestedError,
    NoStoreError,
    NotFoundError,
    NothingToUndoError,
    NotLinkedError,
    NotTaggedError,
    NotThenError,
    OutdatedError,
    SettingError,
    StaleError,
    UsageError,
)
from edda_sync.words.errors.remote import (
    BugError,
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
    OwnKeyError,
    PairingError,
    RefusedTextError,
    RemoteComplaintError,
    RemoteError,
    RemoteFaultError,
    RemoteMismatchError,
    RemoteProtocolError,
)
from edda_sync.words.errors.root import EddaError, command_of, is_bug, is_panic, shown, typed
from edda_sync.words.errors.storage import (
    WAYS_BACK,
    BusyError,
    CorruptError,
    CutStoreError,
    DamagedFileError,
    DamagedRowsError,
    DamagedStoreError,
    DiskFaultError,
    DiskFullError,
    FalseFileError,
    FileNotHereError,
    ForkedStatesError,
    InTheWayError,
    KeyringError,
    LinkedStoreError,
    LinkError,
    LockedStatesError,
    LongPathError,
    LostIdentityError,
    LostIndexError,
    LostJournalError,
    LostStatesError,
    LostStoreError,
    ManyFilesError,
    MovedStatesError,
    NewerStoreError,
    NobodyHasFileError,
    NoFolderError,
    NotAStoreError,
    NotPrivateError,
    ReadOnlyError,
    ReplacedStoreError,
    StorageError,
    StoreKeyError,
    UnreadableError,
    damage,
    damage_sentence,
)

__all__ = [
    "WAYS_BACK",
    "AmbiguousIdError",
    "BackupError",
    "BackupKeyError",
    "BrokenBackupError",
    "BugError",
    "BusyError",
    "CallbackError",
    "ClashError",
    "ConfigFileError",
    "ConflictError",
    "CorruptError",
    "CutStoreError",
    "DamagedBackupError",
    "DamagedFileError",
    "DamagedRowsError",
    "DamagedStoreError",
    "DiskFaultError",
    "DiskFullError",
    "EddaError",
    "EmptySourceError",
    "ExistsError",
    "FalseFileError",
    "FileNotHereError",
    "ForkedStatesError",
    "GoneBackupsError",
    "InTheWayError",
    "InTrashError",
    "InvalidValueError",
    "KeyringError",
    "LimitError",
    "LinkClosedError",
    "LinkError",
    "LinkedStoreError",
    "LocalError",
    "LockedStatesError",
    "LongPathError",
    "LostIdentityError",
    "LostIndexError",
    "LostJournalError",
    "LostStatesError",
    "LostStoreError",
    "ManyFilesError",
    "MovedStatesError",
    "NestedError",
    "NewerBackupError",
    "NewerStoreError",
    "NoFolderError",
    "NoObjectError",
    "NoStoreError",
    "NobodyHasFileError",
    "NotAMemberError",
    "NotAStoreError",
    "NotFoundError",
    "NotLinkedError",
    "NotPrivateError",
    "NotReachableError",
    "NotTaggedError",
    "NotThenError",
    "NothingToUndoError",
    "OutdatedError",
    "OwnKeyError",
    "PairingError",
    "ReadOnlyError",
    "RefusedTextError",
    "RemoteComplaintError",
    "RemoteError",
    "RemoteFaultError",
    "RemoteMismatchError",
    "RemoteProtocolError",
    "ReplacedStoreError",
    "SettingError",
    "StaleError",
    "StorageError",
    "StoreKeyError",
    "TargetError",
    "UnreadableError",
    "UsageError",
    "command_of",
    "damage",
    "damage_sentence",
    "is_bug",
    "is_panic",
    "shown",
    "typed",
]
