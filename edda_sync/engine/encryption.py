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

from edda_sync.engine import backend, files, life, plain_copies
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.opened import STORE_ID
from edda_sync.files.coding import is_sealed
from edda_sync.files.recoding import recode, wipe_unfinished
from edda_sync.sealing import datakeys, keyfile
from edda_sync.sealing.datakeys import DataKey, DataKeys
from edda_sync.sealing.seal import Sealer
from edda_sync.store import held
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.store.sqlite.converting import Progress, convert
from edda_sync.store.sqlite.keeping import Keep
from edda_sync.store.sqlite.rekeying import key_in_use, rekey
from edda_sync.store.sqlite.statements import Statements
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.callbacks import Callback
from edda_sync.words.config import EncryptionConfig, KeyStorage, StorageConfig, absolute
from edda_sync.words.errors import CorruptError, StoreKeyError, UsageError
from edda_sync.words.folders import state_folder

_NOBODY: Final = bytes(17)  # the key of no entity
_WRITTEN_KEY: Final = "written_under_key"
_WRITTEN: Final = struct.Struct(">8sQQ")
_FILES_KEY: Final = "files_written_before_key"
_NUMBER_BYTES: Final = 8
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
        bytes_written: Bytes of the changes that were logged under its data key, and of the attached files that became
            complete here meanwhile; None if no policy asks for it.
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
            None if self.config.key_rotation.max_bytes is None else self._written(key.id).total + self._files_written(),
            key != keys.current or self._is_behind(),
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
        Replace the data key, while other threads and processes use the store. The whole file is written anew, and so are
        attached files.

        If this was interrupted before, it is finished: the file comes last, so it has its former key until all else is done.

        Raises:
            UsageError: The store is plain.
            BusyError, DiskFullError: It could not be written anew now, and has its former key. Call this again.
        """
        store, keys = self._store(), self._keys()
        if key_in_use(store) == keys.current:
            keys = datakeys.add(store.path)
        self._engine.reading.files.seal_anew()
        rekey(store, keys.current)
        store.settle()
        if store.keeping.fault is not None:
            raise store.keeping.fault
        with store.read() as reader:
            position, files = reader.log.position(), held.written(reader)
        self._note(_Written(keys.current.id, position, 0), files)
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

    def _is_behind(self) -> bool:
        with closing(self._store().connect()) as connection:
            return self._store().keeping.is_behind(Statements(connection))

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

    def _files_written(self) -> int:
        """Return the bytes of attached files that became complete here since the data key was last replaced."""
        with self._store().read() as reader:
            return held.written(reader) - int.from_bytes(reader.meta.get(_FILES_KEY) or b"", "big")

    def _note(self, written: _Written, files: int | None = None) -> None:
        """Keep what was added up, so that it need not be added up again; of files, what there was under former keys."""

        def work(tx: StoreWriter) -> None:
            tx.meta.set(_WRITTEN_KEY, _WRITTEN.pack(*written))
            if files is not None:
                tx.meta.set(_FILES_KEY, files.to_bytes(_NUMBER_BYTES, "big"))

        self._store().transact(work)


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

    If this is interrupted, the store is plain or encrypted, and complete; then call it again. In an encrypted store,
    attached files that were put there plain are sealed.

    Args:
        home: The store's folder.
        config: How the store is kept, and in ``encryption_config`` how it is to be encrypted.
        progress: Called with what is being done, in words, until it raises something, which the log says.

    Raises:
        UsageError: There is no store, it is encrypted already, somebody has it open, or the folder of files is not there.
        StorageError: It cannot be encrypted, and is plain; what is attached can be read.
    """
    database, progress = _database(home, config), Callback(progress, "The progress of an encryption")
    wanted = config.encryption_config or EncryptionConfig()
    state = state_folder(config)
    keep = backend.keep(config, absolute(home))
    before = _look(database, keep, lambda reader: files.check_there(config, absolute(home), reader))
    attached = files.chunks_of(config, absolute(home), database, seals=True)
    if before.key is not None:  # what an interrupted run has left, or somebody put there that is plain
        removed = plain_copies.remove(config, before.store_id)
        if not any([_write_anew(database, keep, overwrite=True), recode(attached), removed]):
            raise UsageError(
                f"{database} is encrypted already; nothing was changed. `edda key rotate` replaces its key."
            )
        return Converted(datakeys.unlock(database))
    keys = _new_keys(database, wanted, are_needed=any(is_sealed(digits) for digits in attached.files()))

    def seal() -> None:
        progress("Sealing attached files")
        wipe_unfinished(attached)
        recode(attached)

    convert(database, None, keys.current.pragma, progress, seal)
    _carry_life(database, before, state)
    _write_anew(database, keep, overwrite=True)
    plain_copies.remove(config, before.store_id)
    _check_same(database, keep, before)
    return Converted(keys)


def decrypt(home: Path, config: StorageConfig, progress: Progress = lambda _doing: None) -> Converted:
    """
    Make the encrypted store in a folder plain, in place. Nobody may have it open. See :func:`encrypt`.

    What is attached comes last: as long as the store is encrypted, it is sealed.
    Its key file is renamed and its wrapping key stays where it is, since older copies of the store need them.
    """
    database, progress = _database(home, config), Callback(progress, "The progress of a decryption")
    keep = backend.keep(config, absolute(home))
    before = _look(database, keep, lambda reader: files.check_there(config, absolute(home), reader))
    if before.key is None and not keyfile.path_of(database).exists():
        raise UsageError(f"{database} is not encrypted; nothing was changed.")
    keys = datakeys.unlock(database)
    if before.key is not None:
        _write_anew(database, backend.keep(config, absolute(home), becomes_plain=True))  # first: it needs the keys
        convert(database, before.key, None, progress)
        _carry_life(database, before, state_folder(config))
        _check_same(database, keep, before)
    progress("Opening attached files")
    recode(files.chunks_of(config, absolute(home), database, seals=False))
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


def _look(database: Path, keep: Keep, check: Callable[[StoreReader], object] = lambda _reader: None) -> _Known:
    with closing(SqliteStore(database, keep=keep)) as store, store.read() as reader:
        check(reader)
        reader.states.get([_NOBODY])  # which raises an error if what is in RocksDB is damaged
        key = key_in_use(store)
        heads = dict(reader.log.heads())
        inode = os.stat(database).st_ino
        store_id, digest = reader.meta.get(STORE_ID), reader.index.digest()
        return _Known(store_id, inode, None if key is None else key.pragma, digest, heads)


def _new_keys(database: Path, wanted: EncryptionConfig, *, are_needed: bool) -> DataKeys:
    """
    Return keys for a plain store: those that an interrupted run has made for it, or new ones.

    Raises:
        StoreKeyError: They cannot be had, and some of what is attached is sealed under them (``are_needed``).
    """
    if keyfile.path_of(database).exists():
        try:
            keys = datakeys.unlock(database)
            is_as_wanted = datakeys.storage_of(keys.wrapping) is wanted.key_storage
            return keys if is_as_wanted else datakeys.wrap_anew(database, wanted)
        except StoreKeyError:
            if are_needed:
                raise
            keyfile.put_aside(database)
    return datakeys.create(database, wanted)


def _write_anew(database: Path, keep: Keep, *, overwrite: bool = False) -> bool:
    """
    Write anew what lies elsewhere than in an encrypted file, if it is not sealed as it should be; tell whether it was not.

    Args:
        database: The store's file.
        keep: Returns what keeps the states.
        overwrite: Whether to overwrite what was there, since it is plain.
    """
    with closing(SqliteStore(database, keep=keep)) as store:
        with closing(store.connect()) as connection:
            is_behind = store.keeping.is_behind(Statements(connection))
        store.keeping.overwrites = overwrite
        store.settle()  # which also removes what an interrupted run has left
        if store.keeping.fault is not None:
            raise store.keeping.fault
    return is_behind


def _carry_life(database: Path, before: _Known, state: Path) -> None:
    """Let the store's life go on in the new file."""
    if before.store_id is not None:
        life.carry(state, before.store_id, before.inode, database)


def _check_same(database: Path, keep: Keep, before: _Known) -> None:
    """Check that the store is as it was."""
    after = _look(database, keep)
    if (after.store_id, after.digest, after.heads) != (before.store_id, before.digest, before.heads):
        raise CorruptError(str(database))
