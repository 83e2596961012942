"""
All errors of edda-sync, as one tree. Each says whose fault it is, what happened and what to do, and has fields for details.

    EddaError
    ├── LocalError                 the caller's fault: change the call
    │   ├── InvalidValueError      a value is not acceptable (field, value, why)
    │   ├── SettingError           a setting is not acceptable (key, value, why, place)
    │   ├── ConfigFileError        a store's config.toml cannot be read as settings (path, why, advice)
    │   ├── NotFoundError          no such task, document, tag or device (kind, reference)
    │   │   ├── InTrashError       it was deleted, and can come back (kind, reference)
    │   │   ├── NotLinkedError     a task and a document have no link (reference, document)
    │   │   └── NotTaggedError     a task or document does not carry a tag (kind, reference, tag)
    │   ├── AmbiguousIdError       a short id fits several (reference, candidates)
    │   ├── ConflictError          something the transaction read or wrote has changed meanwhile (cells)
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
    │   ├── LinkError              a symbolic link lies where a file of ours goes (path)
    │   ├── LinkedStoreError       the file has several names (hard links), and is in use under another (path)
    │   ├── NotPrivateError        others can read a file of ours, and we may not change that (path)
    │   ├── ReadOnlyError          the store cannot be written (path)
    │   ├── UnreadableError        the store's file may not be read (path)
    │   ├── DiskFullError          no room left; nothing was partly written (path)
    │   ├── DiskFaultError         the disk failed to read or write (path, detail)
    │   ├── BusyError              another process has held the store for too long (path)
    │   ├── FileNotHereError       the content of an attachment is not on this device (name)
    │   ├── MovedStatesError       another process has moved the states to another backend (backend)
    │   ├── LockedStatesError      another program uses the RocksDB folder (path)
    │   └── CorruptError           stored bytes are not what was written (what)
    │       ├── DamagedStoreError  and cannot be restored from what is here (path)
    │       ├── LostStatesError    the RocksDB folder does not hold this store's states (path, why)
    │       └── DamagedFileError   a part of an attached file (path)
    ├── RemoteError                the fault of a peer or the network
    │   ├── RemoteProtocolError    the peer broke the protocol (peer, reason)
    │   ├── RemoteMismatchError    the peer belongs to another workspace or has another version (peer, reason)
    │   ├── RemoteFaultError       the peer's own disk or store failed (peer, reason)
    │   ├── RefusedTextError       a text update that no honest device writes (reason)
    │   ├── NotReachableError      nobody answered (address)
    │   ├── LinkClosedError        a link has ended (peer, reason)
    │   └── NotAMemberError        the peer is not a member, or we are not a member there (peer, by_peer)
    ├── BugError                   edda-sync itself failed in a session, which ends (bug)
    └── PairingError               an invitation that did not work (reason)

The command turns each into one sentence and an exit code: ``exit_code``.
"""

from __future__ import annotations

from edda_sync.words.errors.local import (
    AmbiguousIdError,
    CallbackError,
    ConfigFileError,
    ConflictError,
    InTrashError,
    InvalidValueError,
    LimitError,
    LocalError,
    NestedError,
    NotFoundError,
    NotLinkedError,
    NotTaggedError,
    OutdatedError,
    SettingError,
    UsageError,
)
from edda_sync.words.errors.remote import (
    BugError,
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
    PairingError,
    RefusedTextError,
    RemoteError,
    RemoteFaultError,
    RemoteMismatchError,
    RemoteProtocolError,
)
from edda_sync.words.errors.root import EddaError, command_of, is_bug, is_panic, shown
from edda_sync.words.errors.storage import (
    WAYS_BACK,
    BusyError,
    CorruptError,
    CutStoreError,
    DamagedFileError,
    DamagedStoreError,
    DiskFaultError,
    DiskFullError,
    FileNotHereError,
    KeyringError,
    LinkedStoreError,
    LinkError,
    LockedStatesError,
    LostIdentityError,
    LostIndexError,
    LostJournalError,
    LostStatesError,
    LostStoreError,
    MovedStatesError,
    NewerStoreError,
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
    "BugError",
    "BusyError",
    "CallbackError",
    "ConfigFileError",
    "ConflictError",
    "CorruptError",
    "CutStoreError",
    "DamagedFileError",
    "DamagedStoreError",
    "DiskFaultError",
    "DiskFullError",
    "EddaError",
    "FileNotHereError",
    "InTrashError",
    "InvalidValueError",
    "KeyringError",
    "LimitError",
    "LinkClosedError",
    "LinkError",
    "LinkedStoreError",
    "LocalError",
    "LockedStatesError",
    "LostIdentityError",
    "LostIndexError",
    "LostJournalError",
    "LostStatesError",
    "LostStoreError",
    "MovedStatesError",
    "NestedError",
    "NewerStoreError",
    "NoFolderError",
    "NotAMemberError",
    "NotAStoreError",
    "NotFoundError",
    "NotLinkedError",
    "NotPrivateError",
    "NotReachableError",
    "NotTaggedError",
    "OutdatedError",
    "PairingError",
    "ReadOnlyError",
    "RefusedTextError",
    "RemoteError",
    "RemoteFaultError",
    "RemoteMismatchError",
    "RemoteProtocolError",
    "ReplacedStoreError",
    "SettingError",
    "StorageError",
    "StoreKeyError",
    "UnreadableError",
    "UsageError",
    "command_of",
    "damage",
    "damage_sentence",
    "is_bug",
    "is_panic",
    "shown",
]
