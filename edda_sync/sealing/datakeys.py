"""
Data keys: the random keys with which a store is encrypted, and how they are replaced.

A key for each purpose follows from a data key: one for the database, one for the values of RocksDB, and so on. The data keys
lie in the store's key file, sealed by a wrapping key (``wrapping``). A process asks for a wrapping key only once, and keeps
it, since a person would have to type the passphrase again for each connection.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edda_sync.sealing import keyfile, wrapping
from edda_sync.sealing.kdf import purpose_key
from edda_sync.sealing.keyfile import SALT_BYTES, KeyFile, WrappedKey
from edda_sync.sealing.names import NameSealer
from edda_sync.sealing.seal import KEY_BYTES, KEY_ID_BYTES, Sealer
from edda_sync.sealing.wrapping import Wrapping
from edda_sync.words import limits, values
from edda_sync.words.config import EncryptionAlgorithm, EncryptionConfig, KeyStorage
from edda_sync.words.errors import CorruptError, StorageError, StoreKeyError, UsageError

DATABASE: Final = "database"
_WRAPPING: Final = "data keys"
_HALVES: Final = ("authentication", "encryption")  # of a key that seals names
_AES: Final = EncryptionAlgorithm.AES_256_GCM

_unlocked: Final[dict[bytes, bytes]] = {}
"""The wrapping keys that this process has got, by their ids."""


class DataKey(NamedTuple):
    """
    A data key.

    Attributes:
        id: Its id, 8 bytes.
        made: When it was made, RFC 3339.
        salt: The first bytes of a database that is encrypted with it, 16 bytes.
        key: The key, 32 bytes.
    """

    id: bytes
    made: str
    salt: bytes
    key: bytes

    @property
    def pragma(self) -> str:
        """The key of the database and its salt, as SQLCipher takes them: raw, so that no passphrase is stretched."""
        return f"x'{purpose_key(self.key, DATABASE).hex()}{self.salt.hex()}'"


class DataKeys:
    """
    The data keys of one store. :func:`unlock` returns them.

    Args:
        database: The store's file.
        wrapping: Where the wrapping key is kept.
        keys: The keys, oldest first.

    Attributes:
        wrapping: Where the wrapping key is kept.
        keys: The keys, oldest first. The last one is used for what is written from now on.
    """

    def __init__(self, database: Path, wrapping: Wrapping, keys: Iterable[DataKey]) -> None:
        self.database, self.wrapping, self.keys = database, wrapping, tuple(keys)

    @property
    def current(self) -> DataKey:
        """The key that is used for what is written from now on."""
        return self.keys[-1]

    def likely(self, head: bytes) -> list[DataKey]:
        """
        Return the keys in the order in which to try them on a database.

        Args:
            head: The first bytes of the database. A key that has just been replaced may be in its journal only.
        """
        newest_first = list(reversed(self.keys))
        return sorted(newest_first, key=lambda each: not head.startswith(each.salt))

    def sealer(self, purpose: str, algorithm: EncryptionAlgorithm) -> Sealer:
        """
        Return a sealer for one purpose. It opens what was sealed under every key that the key file has.

        Args:
            purpose: What is sealed, such as ``rocksdb values``. Each purpose has keys of its own.
            algorithm: The cipher for what is sealed from now on.
        """
        return Sealer(algorithm, {each.id: purpose_key(each.key, purpose) for each in self.keys}, self.current.id)

    def name_sealers(self, purpose: str) -> list[NameSealer]:
        """Return what seals names for one purpose, under each key that the key file has: the newest first."""
        halves = [[purpose_key(each.key, f"{purpose}, {half}") for half in _HALVES] for each in reversed(self.keys)]
        return [NameSealer(b"".join(each)) for each in halves]


class FollowedKeys:
    """
    The data keys of one store, also after another process has replaced them. Call :meth:`look` where that may matter.

    Args:
        database: The store's file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._seen = (0, 0, 0)
        self._data: DataKeys | None = None

    @property
    def data(self) -> DataKeys:
        """The keys, as they were read last. A person may be asked for the passphrase at the first time."""
        if self._data is None:
            self._seen = self._state()
            self._data = unlock(self._database)
        return self._data

    def look(self) -> bool:
        """
        Read the key file again if it was changed; tell whether it has other data keys now.

        If only the wrapping key was replaced, nobody is asked for it. A key file that is gone changes nothing.

        Raises:
            StoreKeyError, UsageError: As for :func:`unlock`.
        """
        known, seen = self.data, self._state()
        if seen in (self._seen, (0, 0, 0)):
            return False
        if [each.id for each in keyfile.load(self._database).keys] == [each.id for each in known.keys]:
            self._seen = seen
            return False
        self._data, self._seen = unlock(self._database), seen
        return True

    def _state(self) -> tuple[int, int, int]:
        """Return what changes with each new key file."""
        with suppress(FileNotFoundError):
            found = os.stat(keyfile.path_of(self._database))
            return found.st_ino, found.st_mtime_ns, found.st_size
        return 0, 0, 0


def unlock(database: Path) -> DataKeys:
    """
    Return the data keys of a store, from its key file. A person may be asked for the passphrase.

    Args:
        database: The store's file.

    Raises:
        StoreKeyError: The key file or the wrapping key is missing, wrong or damaged; the text says what to do.
        UsageError: Nobody can be asked for the passphrase.
    """
    content = keyfile.load(database)
    kept = content.wrapping
    key = _unlocked.get(kept.id) or wrapping.fetch(kept, database)
    sealer = _wrapping_sealer(kept.id, key)
    try:
        keys = [_opened(sealer, each) for each in content.keys]
    except StorageError:
        _unlocked.pop(kept.id, None)
        raise _wrong(database, kept) from None
    _unlocked[kept.id] = key
    return DataKeys(database, kept, keys)


def create(
    database: Path,
    config: EncryptionConfig,
    random: Callable[[int], bytes] = os.urandom,
    now: Callable[[], float] = time.time,
) -> DataKeys:
    """
    Make the key file of a store, with a first data key. If there is a key file already, it stays, and its keys are returned.

    Args:
        database: The store's file.
        config: Where the wrapping key is to be kept.
        random: Source of random bytes.
        now: A clock, in seconds since 1970.

    Raises:
        UsageError: The wrapping key cannot be kept there.
        StorageError: The key file cannot be written.
    """
    with keyfile.locked(database):
        if keyfile.path_of(database).exists():  # another process was faster
            return unlock(database)
        kept, key = wrapping.new(config, database, random)
        _check_kept(kept, key, database)
        made = DataKeys(database, kept, [_new_key(random, now)])
        _save(made, key, random)
    return made


def wrap_anew(database: Path, config: EncryptionConfig, random: Callable[[int], bytes] = os.urandom) -> DataKeys:
    """
    Replace the wrapping key of a store, and perhaps the place where it is kept. The data keys stay.

    Args:
        database: The store's file.
        config: Where the new one is to be kept.
        random: Source of random bytes.

    Raises:
        StoreKeyError, UsageError, StorageError: As :func:`unlock` and :func:`create`. Nothing was changed.
    """
    with keyfile.locked(database):
        before = unlock(database)
        kept, key = wrapping.new(config, database, random, before.wrapping)
        if kept.id == before.wrapping.id:  # a key file was named that has the present key
            raise UsageError(f"The key of this store is {kept} already; nothing was changed: name a new file.")
        _check_kept(kept, key, database)
        made = DataKeys(database, kept, before.keys)
        _save(made, key, random)
    before.wrapping.drop()
    _unlocked.pop(before.wrapping.id, None)
    return made


def add(
    database: Path,
    random: Callable[[int], bytes] = os.urandom,
    now: Callable[[], float] = time.time,
) -> DataKeys:
    """Make a new data key, beside the others in the key file, which is on disk when this returns."""
    with keyfile.locked(database):
        before = unlock(database)
        keys = [*before.keys, _new_key(random, now)][-limits.DATA_KEYS_MAX :]
        made = DataKeys(database, before.wrapping, keys)
        _save(made, _unlocked[made.wrapping.id], random)
    return made


def forget_unlocked() -> None:
    """Forget the wrapping keys that this process has got."""
    _unlocked.clear()


def storage_of(kept: Wrapping) -> KeyStorage:
    """Return the kind of place where a wrapping key is kept."""
    return KeyStorage(kept.record()["in"])


def _new_key(random: Callable[[int], bytes], now: Callable[[], float]) -> DataKey:
    return DataKey(random(KEY_ID_BYTES), values.time_of(int(now() * 1000)), random(SALT_BYTES), random(KEY_BYTES))


def _save(keys: DataKeys, key: bytes, random: Callable[[int], bytes]) -> None:
    sealer = _wrapping_sealer(keys.wrapping.id, key, random)
    wrapped = [WrappedKey(each.id, each.made, each.salt, sealer.seal(each.key, _about(each))) for each in keys.keys]
    keyfile.save(keys.database, KeyFile(keys.wrapping, tuple(wrapped)))
    _unlocked[keys.wrapping.id] = key


def _check_kept(kept: Wrapping, key: bytes, database: Path) -> None:
    """Read a key back from where it is kept, before anything depends on it. A passphrase was typed twice instead."""
    if not isinstance(kept, wrapping.UnderPassphrase) and wrapping.fetch(kept, database) != key:
        raise StoreKeyError(str(database), f"what was read back as its key, {kept}, is another one", "try again")


def _wrapping_sealer(key_id: bytes, key: bytes, random: Callable[[int], bytes] = os.urandom) -> Sealer:
    return Sealer(_AES, {key_id: purpose_key(key, _WRAPPING)}, key_id, random)


def _opened(sealer: Sealer, wrapped: WrappedKey) -> DataKey:
    key = sealer.unseal(wrapped.sealed, _about(wrapped), "The data key")
    if len(key) != KEY_BYTES:
        raise CorruptError("The data key")
    return DataKey(wrapped.id, wrapped.made, wrapped.salt, key)


def _about(key: DataKey | WrappedKey) -> bytes:
    """Return what a sealed data key is bound to, so that nobody can move it or its salt in a key file."""
    return b"edda data key" + key.id + key.salt + key.made.encode()


def _wrong(database: Path, kept: Wrapping) -> StoreKeyError:
    if isinstance(kept, wrapping.UnderPassphrase):
        return StoreKeyError(str(database), "that is not its passphrase, or its key file is damaged", "try again")
    advice = f"put the key file {keyfile.path_of(database).name} and the key back from the same backup"
    return StoreKeyError(str(database), f"the key {kept} does not open its key file", advice)
