"""
The encryption of a store at rest: where its key is kept, how its keys are replaced, and how a plain store is encrypted.

There are two kinds of keys. The *data key* is random, and everything in the store is encrypted with keys that follow from
it. The *wrapping key* seals the data key. It is in the system's keyring, follows from a passphrase, or is in a file.
``sealing`` has both, and docs/encryption.md says what is protected against whom.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from edda_sync.engine import files, life
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.opened import STORE_ID
from edda_sync.sealing import datakeys, keyfile
from edda_sync.sealing.datakeys import DataKey, DataKeys
from edda_sync.sealing.seal import Sealer
from edda_sync.store.sqlite.converting import Progress, convert
from edda_sync.store.sqlite.rekeying import key_in_use, rekey
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import EncryptionConfig, KeyStorage, StorageConfig, absolute
from edda_sync.words.errors import CorruptError, MovedStatesError, StoreKeyError, UsageError
from edda_sync.words.folders import state_folder

_WRITTEN_KEY: Final = "written_under_key"
_WRITTEN: Final = struct.Struct(">8sQQ")
_SIZE: Final = """
SELECT ifnull(sum(length(raw) + length(body)), 0) + (
    SELECT ifnull(sum(length(part)), 0) FROM _log_parts WHERE position > ?1 AND position <= ?2
) FROM _log WHERE position > ?1 AND position <= ?2
"""


class _Written(NamedTuple):
    """What was written under a data key: its id, the position in the log up to which this is known, and the bytes."""

    key_id: bytes
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class EncryptionStatus:
    """
    How a store is encrypted.

    Attributes:
        storage: The kind of place where its wrapping key is kept.
        kept: That place, in words.
        made: When its data key was made, RFC 3339.
        age_days: The age of its data key, in days.
        bytes_written: Bytes of the changes that were logged under its data key; None if no policy asks for it.
        is_unfinished: Whether a newer data key waits in the key file, since its replacement was interrupted.
    """

    storage: KeyStorage
    kept: str
    made: str
    age_days: float
    bytes_written: int | None
    is_unfinished: bool


class EncryptionManager:
    """
    The encryption of one open store. :func:`encrypt` and :func:`decrypt` convert a store that is closed.

    Args:
        engine: The open store.
        now: Wall clock, in seconds since 1970.
    """

    def __init__(self, engine: StorageEngine, now: Callable[[], float] = time.time) -> None:
        self._engine, self._now = engine, now

    @property
    def config(self) -> EncryptionConfig:
        """How the store is to be encrypted, by its configuration."""
        return self._engine.config.encryption_config or EncryptionConfig()

    @property
    def is_encrypted(self) -> bool:
        """Whether the store is encrypted."""
        return isinstance(self._engine.store, SqliteStore) and self._engine.store.keys is not None

    def status(self) -> EncryptionStatus | None:
        """Return how the store is encrypted; None if it is plain."""
        if not self.is_encrypted:
            return None
        keys, key = self._keys(), self._key()
        age = timedelta(seconds=self._now()) - (datetime.fromisoformat(key.made) - datetime.fromtimestamp(0, UTC))
        return EncryptionStatus(
            datakeys.storage_of(keys.wrapping),
            str(keys.wrapping),
            key.made,
            age / timedelta(days=1),
            None if self.config.key_rotation.max_bytes is None else self._written(key.id).total,
            key != keys.current,
        )

    def sealer(self, purpose: str) -> Sealer:
        """
        Return what seals for one purpose, such as ``rocksdb values``, under keys that follow from the store's data keys.

        Raises:
            UsageError: The store is plain.
        """
        return self._keys().sealer(purpose, self.config.algorithm)

    def rotate_wrapping_key(self, config: EncryptionConfig | None = None) -> DataKeys:
        """
        Replace the wrapping key at once, and perhaps the place where it is kept. No data is written anew.

        Copies of the store from before need the former wrapping key, which is removed from the keyring.

        Args:
            config: Where it is to be kept; by default in the same kind of place.

        Raises:
            StoreKeyError, UsageError: The present key cannot be had, or the new one not kept. Nothing was changed.
        """
        return datakeys.wrap_anew(self._store().path, config or self.config)

    def rotate_data_key(self) -> DataKeys:
        """
        Replace the data key, while other threads and processes use the store. The whole file is written anew.

        If this was interrupted before, it is finished.

        Raises:
            UsageError: The store is plain.
            BusyError, DiskFullError: It could not be written anew now, and has its former key. Call this again.
        """
        store, keys = self._store(), self._keys()
        if key_in_use(store) == keys.current:
            keys = datakeys.add(store.path)
        rekey(store, keys.current)
        with store.read() as reader:
            position = reader.log.position()
        self._note(_Written(keys.current.id, position, 0))
        return keys

    def is_due(self) -> bool:
        """
        Tell whether the data key is to be replaced, as the configured policy says: by its age, or by what was written under
        it. It also is if its replacement was interrupted.
        """
        policy = self.config.key_rotation
        found = self.status()
        if found is None:
            return False
        too_old = policy.max_age is not None and timedelta(days=found.age_days) >= policy.max_age
        too_much = policy.max_bytes is not None and (found.bytes_written or 0) >= policy.max_bytes
        return found.is_unfinished or too_old or too_much

    def rotate_if_due(self) -> bool:
        """Replace the data key if the configured policy says so; tell whether it was replaced."""
        if self.is_due():
            self.rotate_data_key()
            return True
        if self.is_encrypted and self.config.key_rotation.max_bytes is not None:
            self._note(self._written(self._key().id))
        return False

    def _store(self) -> SqliteStore:
        store = self._engine.store
        if not isinstance(store, SqliteStore) or store.keys is None:
            raise UsageError("This store is not encrypted; `edda store encrypt` encrypts it.")
        return store

    def _key(self) -> DataKey:
        found = key_in_use(self._store())
        assert found is not None, "the store is encrypted"
        return found

    def _keys(self) -> DataKeys:
        return datakeys.unlock(self._store().path)

    def _written(self, key_id: bytes) -> _Written:
        """Return the bytes of the changes that were logged under a key. What was added up before is kept in the store."""
        with self._store().read() as reader:
            kept, last = reader.meta.get(_WRITTEN_KEY), reader.log.position()
        known = _Written(b"", 0, 0) if kept is None else _Written(*_WRITTEN.unpack(kept))
        total = known.total if known.key_id == key_id else 0
        with closing(self._store().connect()) as connection:
            (more,) = connection.execute(_SIZE, (known.position, last)).fetchone()
        return _Written(key_id, last, total + int(more or 0))

    def _note(self, written: _Written) -> None:
        """Keep what was added up, so that it need not be added up again."""
        self._store().transact(lambda tx: tx.meta.set(_WRITTEN_KEY, _WRITTEN.pack(*written)))


@dataclass(frozen=True, slots=True)
class Converted:
    """
    What :func:`encrypt` or :func:`decrypt` did.

    Attributes:
        keys: The data keys of the store; after it was decrypted, those that it had.
        aside: The former key file of a store that was decrypted, for older copies of it.
    """

    keys: DataKeys
    aside: Path | None = None

    @property
    def file(self) -> Path:
        """The key file."""
        return keyfile.path_of(self.keys.database)


def encrypt(home: Path, config: StorageConfig, progress: Progress = lambda _doing: None) -> Converted:
    """
    Encrypt the plain store in a folder, in place. Nobody may have it open.

    If this is interrupted, the store is plain or encrypted, and complete; then call it again.

    Args:
        home: The store's folder.
        config: How the store is kept, and in ``encryption_config`` how it is to be encrypted.
        progress: Called with what is being done, in words.

    Raises:
        UsageError: There is no store, it is encrypted already, it has attachments, or somebody has it open.
        StorageError: It cannot be encrypted. It is as it was.
    """
    database = _database(home, config)
    wanted = config.encryption_config or EncryptionConfig()
    state = state_folder(config)
    before = _look(database)
    if before.key is not None:
        raise UsageError(f"{database} is encrypted already; nothing was changed. `edda key rotate` replaces its key.")
    files.check_none(config.files(absolute(home)))
    keys = _new_keys(database, wanted)
    convert(database, None, keys.current.pragma, progress)
    _finish(database, before, state)
    return Converted(keys)


def decrypt(home: Path, config: StorageConfig, progress: Progress = lambda _doing: None) -> Converted:
    """
    Make the encrypted store in a folder plain, in place. Nobody may have it open. See :func:`encrypt`.

    Its key file is renamed and its wrapping key stays where it is, since older copies of the store need them.
    """
    database = _database(home, config)
    before = _look(database)
    if before.key is None and not keyfile.path_of(database).exists():
        raise UsageError(f"{database} is not encrypted; nothing was changed.")
    keys = datakeys.unlock(database)
    if before.key is not None:
        convert(database, before.key, None, progress)
        _finish(database, before, state_folder(config))
    return Converted(keys, keyfile.put_aside(database))


class _Known(NamedTuple):
    """What must be the same before and after."""

    store_id: bytes | None
    inode: int
    key: str | None
    digest: int
    heads: object


def _database(home: Path, config: StorageConfig) -> Path:
    database = Path(os.path.realpath(config.database(absolute(home))))
    if not (database.exists() and database.stat().st_size):
        raise UsageError(f"There is no store in {absolute(home)}; `edda init --encrypt` makes an encrypted one.")
    return database


def _look(database: Path) -> _Known:
    try:
        opened = SqliteStore(database)
    except MovedStatesError as error:
        raise UsageError(
            f"The states of this store are in {error.backend}, which this version cannot encrypt; nothing was changed: move "
            "them with `edda store migrate --to sqlite` first."
        ) from None
    with closing(opened) as store, store.read() as reader:
        key = key_in_use(store)
        heads = dict(reader.log.heads())
        inode = os.stat(database).st_ino
        store_id, digest = reader.meta.get(STORE_ID), reader.index.digest()
        return _Known(store_id, inode, None if key is None else key.pragma, digest, heads)


def _new_keys(database: Path, wanted: EncryptionConfig) -> DataKeys:
    """Return keys for a plain store: those that an interrupted run has made for it, or new ones."""
    if keyfile.path_of(database).exists():
        try:
            keys = datakeys.unlock(database)
            is_as_wanted = datakeys.storage_of(keys.wrapping) is wanted.key_storage
            return keys if is_as_wanted else datakeys.wrap_anew(database, wanted)
        except StoreKeyError:
            keyfile.put_aside(database)
    return datakeys.create(database, wanted)


def _finish(database: Path, before: _Known, state: Path) -> None:
    """Check that the store is as it was, and let its life go on."""
    if before.store_id is not None:
        life.carry(state, before.store_id, before.inode, database)
    after = _look(database)
    if (after.store_id, after.digest, after.heads) != (before.store_id, before.digest, before.heads):
        raise CorruptError(str(database))
