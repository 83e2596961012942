"""
The lockbox of a repository: the keys of the workspace, at the target, for those who may lose everything else.

    edda/WORKSPACE/devices/DEVICE/keys                   sealed for that device's identity
    edda/WORKSPACE/recovery/RECEIVER-RING-NAME           sealed for a recovery code

RECEIVER names the code's key (``keys.receiver_of``) and RING the keys that are inside, both by hashes; NAME is the
BLAKE2b-256 of the object. So a device sees that what it would write is there and whole, although it cannot open it. The
place sees how many codes there are, and when the keys of the workspace were replaced.

A device whose store is encrypted keeps no keys for itself, unless its identity is kept as well as the store's own key is: in
the keyring.

A code can open a backup only if that backup holds the change that made the code. So the lockbox is filled after a backup.
What was sealed for replaced codes is deleted there, by whichever device next knows of that: without revocation, nothing
else takes from a replaced code what it could open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from edda_sync.backup import keys as sealed_keys
from edda_sync.backup.keys import Keys
from edda_sync.backup.sealed import name_of
from edda_sync.backup.target import Target
from edda_sync.crdt.records import X25519_HKDF_SHA256, DeviceRecord
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing import hpke
from edda_sync.transport.identity import Identity, is_in_keyring
from edda_sync.words.config import KeyStorage
from edda_sync.words.errors import (
    BackupError,
    BackupKeyError,
    DamagedBackupError,
    InvalidValueError,
    NewerBackupError,
    NoObjectError,
)
from edda_sync.workspace import authority, codes
from edda_sync.workspace.members import Ring, ring

ROOT: Final = "edda/"
_WHAT: Final = "What is sealed for it at the target"
_NOT_WHOLE: Final = "it is missing or not whole"
_AGAIN: Final = "`edda backup now` seals it again"


class Entrance(NamedTuple):
    """
    Keys that somebody found in a lockbox, and could open.

    Attributes:
        root: The repository, as the beginning of its objects' keys.
        keys: The keys.
    """

    root: str
    keys: Keys


class _Wanted(NamedTuple):
    """What is to be in a lockbox: the keys for the device itself and for each code, and no more for replaced codes."""

    own: Keys | None
    codes: tuple[tuple[DeviceRecord, Keys], ...]
    replaced: tuple[DeviceRecord, ...]


class Lockbox:
    """
    The lockbox of one repository.

    Args:
        target: The target.
        root: The beginning of the keys of the repository's objects, ``edda/WORKSPACE/``.
    """

    def __init__(self, target: Target, root: str) -> None:
        self._target, self._root = target, root

    # --- filling it ---------------------------------------------------------------------------------------------------

    def fill(self, store: StorageEngine, device: str, held: Mapping[bytes, int]) -> None:
        """
        Put the keys of the workspace into the lockbox, as far as they are not in it; take out those for replaced codes.

        Args:
            store: The store that was backed up.
            device: The folder of this device in the repository, ``edda/WORKSPACE/devices/DEVICE/``.
            held: The frontier of a backup that is complete.

        Raises:
            TargetError: The target cannot be used.
        """
        identity, wanted = store.identity, _wanted(store, held)
        path = f"{device}keys"
        if wanted.own is None:
            self._target.delete(path)
        elif not self._holds_own(path, wanted.own, identity):  # what else lies there is this device's own
            self._target.put(path, sealed_keys.seal(wanted.own, _sealing_key(identity), identity))
        there = self._listed() if wanted.codes or wanted.replaced else []
        for code, keys in wanted.codes:
            self._fill_for(code, keys, identity, there)
        for code in wanted.replaced:  # last: a place may be one where nothing can be deleted
            self._drop(code, there)

    def lacking(self, store: StorageEngine, device: str, held: Mapping[bytes, int]) -> list[BackupError]:
        """
        Return what :meth:`fill` would put into the lockbox again, each as an error that says so.

        Args:
            store, device, held: See :meth:`fill`.

        Raises:
            TargetError: The target cannot be used.
        """
        wanted, found = _wanted(store, held), list[BackupError]()
        if wanted.own is not None and not self._holds_own(f"{device}keys", wanted.own, store.identity):
            found.append(DamagedBackupError("What is sealed for this device at the target", _NOT_WHOLE, _AGAIN))
        there = self._listed() if wanted.codes else []
        if any(_can_be_sealed_for(code) and not self._holds_for(code, keys, there) for code, keys in wanted.codes):
            found.append(DamagedBackupError("What is sealed for the recovery code at the target", _NOT_WHOLE, _AGAIN))
        return found

    def _listed(self) -> list[str]:
        return [each.key for each in self._target.list(f"{self._root}recovery/")]

    def _holds_own(self, path: str, keys: Keys, identity: Identity) -> bool:
        try:
            there = sealed_keys.open_with(identity, self._target.get(path), path)
        except (NoObjectError, DamagedBackupError, BackupKeyError, NewerBackupError):
            return False
        return (there.ring, there.added, there.maker) == (keys.ring, keys.added, keys.maker)

    def _holds_for(self, code: DeviceRecord, keys: Keys, there: Sequence[str]) -> bool:
        start = f"{self._of(code)}{_ring_name(keys.ring)}-"
        return any(path.startswith(start) and self._is_whole(path) for path in there)

    def _fill_for(self, code: DeviceRecord, keys: Keys, identity: Identity, there: Sequence[str]) -> None:
        if self._holds_for(code, keys, there):
            return
        start = f"{self._of(code)}{_ring_name(keys.ring)}-"
        try:
            data = sealed_keys.seal(keys, _key_in(code), identity)
        except InvalidValueError:
            return  # the record of a member that lies: nobody has a code for that key
        self._target.put(f"{start}{name_of(data)}", data)

    def _drop(self, code: DeviceRecord, there: Sequence[str]) -> None:
        start = self._of(code)
        for path in there:
            if path.startswith(start):
                self._target.delete(path)

    def _is_whole(self, path: str) -> bool:
        try:
            return name_of(self._target.get(path)) == path.rpartition("-")[2]
        except NoObjectError:  # another device has just deleted it
            return False

    def _of(self, code: DeviceRecord) -> str:
        """Return how the paths begin of what is sealed for a code."""
        return f"{self._root}recovery/{sealed_keys.receiver_of(_key_in(code)).hex()}-"

    # --- opening it ---------------------------------------------------------------------------------------------------

    def opened(self, identity: Identity) -> Keys | None:
        """
        Return what the lockbox holds for an identity, the keys of all objects together; None if it holds nothing for it.

        Args:
            identity: A device's, or that of a recovery code.

        Raises:
            DamagedBackupError, NewerBackupError: There is something, and nothing of it can be read.
            TargetError: The target cannot be used.
        """
        found: list[Keys] = []
        failures: list[BackupError] = []
        for path, is_own in self._paths(identity):
            try:
                keys = sealed_keys.open_with(identity, self._target.get(path), _WHAT)
                if is_own and keys.maker != identity.public_key:
                    raise DamagedBackupError(_WHAT, "another device sealed it")
                found.append(keys)
            except (NoObjectError, BackupKeyError):  # deleted just now, or another device's
                continue
            except (DamagedBackupError, NewerBackupError) as error:
                failures.append(error)
        if failures and not found:
            raise failures[0]
        return _together(found) if found else None

    def _paths(self, identity: Identity) -> Iterator[tuple[str, bool]]:
        """Yield where something may be sealed for an identity, and whether only that device itself may have sealed it."""
        start = f"{self._root}recovery/{sealed_keys.receiver_of(_sealing_key(identity)).hex()}-"
        for listed in self._target.list(f"{self._root}recovery/"):
            if listed.key.startswith(start):
                yield listed.key, False
        for folder in _folders(self._target, f"{self._root}devices/"):
            yield f"{folder}keys", True


def entrances(target: Target, identity: Identity) -> list[Entrance]:
    """
    Return the repositories at a target that an identity can open, with their keys.

    Args:
        target: The target.
        identity: This device's, or that of a recovery code.

    Raises:
        BackupKeyError: There is none.
        DamagedBackupError, NewerBackupError: What is sealed for it cannot be read.
        TargetError: The target cannot be used.
    """
    roots, found = list(_folders(target, ROOT)), list[Entrance]()
    failures: list[BackupError] = []
    for root in roots:
        try:
            keys = Lockbox(target, root).opened(identity)
        except (DamagedBackupError, NewerBackupError) as error:
            failures.append(error)
        else:
            found += () if keys is None else (Entrance(root, keys),)
    if failures and not found:
        raise failures[0]
    if not found:
        there = "no backup there was sealed for it" if roots else "no backup lies there"
        raise BackupKeyError(
            f"What lies at the backup target {target.name}",
            f"{there}: use the device, or the newest recovery code, of the workspace whose backups these are; those of an "
            "encrypted store need the code: `edda backup restore --recovery`",
        )
    return found


def _wanted(store: StorageEngine, held: Mapping[bytes, int]) -> _Wanted:
    """Return what a backup with a frontier is to have beside it."""
    maker, now_ms = store.identity.public_key, int(store.writing.now() * 1000)
    with store.store.read() as reader:
        known, own = ring(reader), authority.added_by(reader, maker)
        listed = [(code, authority.added_by(reader, code.record.signing_key)) for code in codes.listed(reader)]

    def keys(added: tuple[bytes, int, bytes]) -> Keys:
        return Keys(store.workspace, known, added, maker, now_ms)

    return _Wanted(
        keys(own) if own is not None and _may_open_alone(store) else None,
        tuple(
            (code.record, keys(added))
            for code, added in listed
            if not code.is_replaced and added is not None and held.get(code.dot[0], 0) >= code.dot[1]
        ),
        tuple(code.record for code, _ in listed if code.is_replaced),
    )


def _can_be_sealed_for(code: DeviceRecord) -> bool:
    """Tell whether anything can be sealed for a code: the record of a member that lies holds no key."""
    try:
        hpke.seal_for(_key_in(code), b"", b"")
    except InvalidValueError:
        return False
    return True


def _may_open_alone(store: StorageEngine) -> bool:
    """
    Tell whether this device's identity may open its backups by itself.

    It may not where the store is encrypted and the identity is easier to have than the store's key: whoever has the disk
    would have its backups, and so all that the store holds.
    """
    status = EncryptionManager(store).status()
    return status is None or (status.storage is KeyStorage.KEYRING and is_in_keyring(store.home))


def _together(found: Sequence[Keys]) -> Keys:
    """Return the newest of some keys, with those of the others between its first and its last."""
    *others, newest = sorted(found, key=lambda keys: (len(keys.ring), keys.made_ms))
    first, *rest = newest.ring
    more = {name: key for keys in others for name, key in keys.ring if (name, key) not in newest.ring}
    return msgspec.structs.replace(newest, ring=(first, *more.items(), *rest) if rest else (first,))


def _folders(target: Target, prefix: str) -> Iterator[str]:
    """Yield the folders right below a prefix, without listing what is in them."""
    after = ""
    while (first := next(iter(target.list(prefix, after)), None)) is not None:
        name, slash, _ = first.key.removeprefix(prefix).partition("/")
        if slash:
            yield f"{prefix}{name}/"
        after = f"{prefix}{name}0" if slash else first.key  # "0" is the character after "/"


def _sealing_key(identity: Identity) -> bytes:
    return identity.sealing_keys[0][1]


def _key_in(record: DeviceRecord) -> bytes:
    """Return the key of a code for which keys can be sealed; empty if a newer version made one with other keys only."""
    return next((each.key for each in record.sealing_keys if each.suite == X25519_HKDF_SHA256), b"")


def _ring_name(known: Ring) -> str:
    return blake2b(b"".join(name for name, _ in known), digest_size=8, person=b"edda-ring").hexdigest()
