"""How and where a store is kept: the specification's ``StorageConfig``, with every field that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from edda_sync.words.errors import UsageError

DATABASE_FILE: Final = "edda.db"
"""The name of the SQLite file in a store's folder, unless a configuration says otherwise."""
ROCKSDB_FOLDER: Final = "edda.rocks"
"""The name of the RocksDB folder in a store's folder, unless a configuration says otherwise."""
FILES_FOLDER: Final = "files"
"""The name of the folder of attached files in a store's folder, unless a configuration says otherwise."""


class StorageBackend(StrEnum):
    """What keeps the states of entities and texts. The log and the tables are in SQLite in any case but ``MEMORY``."""

    SQLITE = "sqlite"
    ROCKSDB = "rocksdb"
    MEMORY = "memory"  # a store that ends with its process


class EvictionPolicy(StrEnum):
    """Which entry a full cache drops first."""

    LRU = "lru"  # the least recently used
    LFU = "lfu"  # the least frequently used
    FIFO = "fifo"  # the oldest
    TTL = "ttl"  # entries expire after a time


class BackupFrequency(StrEnum):
    """How often a backup is taken. A ``timedelta`` in its place is the specification's custom interval."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class EncryptionAlgorithm(StrEnum):
    """Ciphers for what edda seals itself. SQLCipher encrypts the database file with its own, AES-256 with HMAC-SHA512."""

    AES_256_GCM = "aes-256-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"
    XCHACHA20_POLY1305 = "xchacha20-poly1305"


class KeyStorage(StrEnum):
    """Where the key that opens an encrypted store is kept. It is not in the store's folder in any case."""

    KEYRING = "keyring"  # the system's keyring
    PASSPHRASE = "passphrase"  # noqa: S105 - nowhere: the key is made from a passphrase
    FILE = "file"  # a file of its own, such as on a memory stick


class KeyDerivationFunction(StrEnum):
    """How a key is made from a passphrase."""

    ARGON2ID = "argon2id"
    SCRYPT = "scrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """
    The cache of items that were read.

    Attributes:
        max_size: Size of all entries, in bytes; 0 for no cache.
        ttl: How long an entry is used at most; None for no end. Policy ``ttl`` needs it.
        eviction_policy: Which entry is dropped when the cache is full.
        compression: Whether entries are compressed.
    """

    max_size: int = 0
    ttl: timedelta | None = None
    eviction_policy: EvictionPolicy = EvictionPolicy.LRU
    compression: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotationPolicy:
    """
    When the key of an encrypted store is replaced: whichever comes first; None for never.

    Attributes:
        max_age: Age of the key.
        max_bytes: How many bytes were written under the key.
    """

    max_age: timedelta | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionConfig:
    """
    Encryption of a store at rest.

    Attributes:
        algorithm: The cipher for what edda seals itself.
        kdf: How a key is made from a passphrase.
        key_rotation: When the key is replaced.
        key_storage: Where the key that opens a new encrypted store is kept. An existing store's key file says where its
            key is.
        key_file: The file for that key, if ``key_storage`` is ``file``; outside the store's folder.
    """

    algorithm: EncryptionAlgorithm = EncryptionAlgorithm.AES_256_GCM
    kdf: KeyDerivationFunction = KeyDerivationFunction.ARGON2ID
    key_rotation: KeyRotationPolicy = KeyRotationPolicy()
    key_storage: KeyStorage = KeyStorage.KEYRING
    key_file: Path | None = None

    def __post_init__(self) -> None:
        kinds = {"algorithm": EncryptionAlgorithm, "kdf": KeyDerivationFunction, "key_storage": KeyStorage}
        for name, kind in kinds.items():  # the class is frozen; text is accepted
            object.__setattr__(self, name, kind(getattr(self, name)))
        if self.key_file is not None:
            object.__setattr__(self, "key_file", absolute(self.key_file))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """
    Which backups are kept: the last ones, and the last one of each of some days, weeks, months and years.

    Attributes:
        keep_last, daily, weekly, monthly, yearly: How many of each.
        total_size: Size of all backups at most, in bytes; None for no limit.
    """

    keep_last: int = 3
    daily: int = 7
    weekly: int = 4
    monthly: int = 12
    yearly: int = 0
    total_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupConfig:
    """
    Backups of the store. This version keeps these settings and takes no backups yet.

    Attributes:
        frequency: How often; a ``timedelta`` is an interval of one's own.
        retention: Which backups are kept.
        compression: Whether backups are compressed.
        encryption: How backups are encrypted; None for the store's own settings.
    """

    frequency: BackupFrequency | timedelta = BackupFrequency.NEVER
    retention: RetentionPolicy = RetentionPolicy()
    compression: bool = True
    encryption: EncryptionConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """
    Configuration of a :class:`~edda_sync.engine.engine.StorageEngine`.

    A relative path is resolved when the configuration is made, from the current folder of that moment.

    Attributes:
        backend: What keeps the states of entities and texts.
        database_path: The SQLite file; ``edda.db`` in the store's folder by default.
        rocksdb_path: The RocksDB folder; ``edda.rocks`` in the store's folder by default.
        file_storage_path: The folder of attached files; ``files`` in the store's folder by default.
        connection_pool_size: How many connections that read are kept open.
        cache_config: The cache of items that were read.
        backup_config: Backups.
        encryption_config: Encryption at rest; None for a plain store.
        state_path: A folder *outside* the store's folder. It remembers the store's last life, so that a copied or restored
            store can be told from the original. By default it is the user's state folder.
        name: What people call this device; its host name by default.
    """

    backend: StorageBackend | Literal["sqlite", "rocksdb", "memory"] = StorageBackend.SQLITE
    database_path: Path | None = None
    rocksdb_path: Path | None = None
    file_storage_path: Path | None = None
    connection_pool_size: int = 8
    cache_config: CacheConfig = field(default_factory=CacheConfig)
    backup_config: BackupConfig = field(default_factory=BackupConfig)
    encryption_config: EncryptionConfig | None = None
    state_path: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", StorageBackend(self.backend))  # the class is frozen; text is accepted
        for name in ("database_path", "rocksdb_path", "file_storage_path", "state_path"):
            path = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, absolute(path))

    def database(self, home: Path) -> Path:
        """Return the path of the SQLite file of the store in a folder."""
        return self.database_path or absolute(home) / DATABASE_FILE

    def rocksdb(self, home: Path) -> Path:
        """Return the path of the RocksDB folder of the store in a folder."""
        return self.rocksdb_path or absolute(home) / ROCKSDB_FOLDER

    def files(self, home: Path) -> Path:
        """Return the path of the folder of attached files of the store in a folder."""
        return self.file_storage_path or absolute(home) / FILES_FOLDER


def absolute(path: Path | str) -> Path:
    """
    Return a path that keeps its meaning when the current folder of the process changes.

    Every path from a caller is passed through this function once, when it is received. ``~`` is the user's home.

    Raises:
        UsageError: There is no current folder, or no such user.
    """
    if not isinstance(path, Path):
        path = Path(path)
    if path.is_absolute():
        return path
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be found from here ({error}); name it from the root on.") from None
