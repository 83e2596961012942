"""
How and where a store is kept: the specification's ``StorageConfig``, with every field that it names.

Each field says its kind, its default, and what it is. From this, ``settings`` derives the keys of ``config.toml``, the
variables, the errors, and what ``edda config show`` and docs/configuration.md say.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from edda_sync.words import limits
from edda_sync.words.errors import SettingError
from edda_sync.words.kinds import Choice, Duration, Flag, Interval, Line, Location, Size, Whole
from edda_sync.words.section import Section, section, setting
from edda_sync.words.section import absolute as absolute  # for everybody who takes a path

DATABASE_FILE: Final = "edda.db"
"""The name of the SQLite file in a store's folder, unless a configuration says otherwise."""
ROCKSDB_FOLDER: Final = "edda.rocks"
"""The name of the RocksDB folder in a store's folder, unless a configuration says otherwise."""
FILES_FOLDER: Final = "files"
"""The name of the folder of attached files in a store's folder, unless a configuration says otherwise."""

PATHS: Final = ("database_path", "rocksdb_path", "file_storage_path", "state_path")
"""The fields of a configuration that are paths."""


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


class CacheConfig(Section):
    """The cache of items that were read."""

    place = "cache."
    max_size: int = setting(
        default=0, kind=Size(0, limits.CACHE_BYTES_MAX), about="Size of all entries; 0 for no cache."
    )
    ttl: timedelta | None = setting(
        default=None,
        kind=Duration(limits.CACHE_TTL_S_MIN, limits.CACHE_TTL_S_MAX),
        about="How long an entry is used at most. The policy `ttl` needs it.",
    )
    eviction_policy: EvictionPolicy = setting(
        default=EvictionPolicy.LRU, kind=Choice(EvictionPolicy), about="Which entry a full cache drops first."
    )
    compression: bool = setting(default=False, kind=Flag(), about="Whether entries are compressed.")

    def _check(self) -> None:
        if self.eviction_policy == EvictionPolicy.TTL and self.ttl is None:
            raise SettingError(
                "cache.eviction_policy", 'is "ttl", and needs a time: set cache.ttl, such as to "10 minutes"'
            )


class KeyRotationPolicy(Section):
    """When the key of an encrypted store is replaced: whichever comes first; never by itself, if neither is set."""

    place = "encryption.key_rotation."
    max_age: timedelta | None = setting(
        default=None, kind=Duration(limits.KEY_AGE_S_MIN, limits.KEY_AGE_S_MAX), about="Age at which a key is replaced."
    )
    max_bytes: int | None = setting(
        default=None,
        kind=Size(limits.KEY_BYTES_MIN, limits.KEY_BYTES_MAX),
        about="How much is written under one key at most.",
    )


class EncryptionConfig(Section):
    """Encryption of a store at rest."""

    place = "encryption."
    algorithm: EncryptionAlgorithm = setting(
        default=EncryptionAlgorithm.AES_256_GCM,
        kind=Choice(EncryptionAlgorithm),
        about="The cipher for what edda seals itself.",
    )
    kdf: KeyDerivationFunction = setting(
        default=KeyDerivationFunction.ARGON2ID,
        kind=Choice(KeyDerivationFunction),
        about="How a key is made from a passphrase.",
    )
    key_rotation: KeyRotationPolicy = section(
        default=KeyRotationPolicy(), of=KeyRotationPolicy, key="key_rotation", about="when the key is replaced"
    )
    key_storage: KeyStorage = setting(
        default=KeyStorage.KEYRING,
        kind=Choice(KeyStorage),
        about="Where the key that opens a new encrypted store is kept. An existing store's key file says where its key is.",
    )
    key_file: Path | None = setting(
        default=None,
        kind=Location(),
        about="The file for that key, if `key_storage` is `file`; outside the store's folder.",
    )


_KEPT: Final = Whole(0, limits.BACKUPS_KEPT_MAX)


class RetentionPolicy(Section):
    """Which backups are kept: the last ones, and the last one of each of some days, weeks, months and years."""

    place = "backup.retention."
    keep_last: int = setting(default=3, kind=_KEPT, about="How many of the last backups are kept.")
    daily: int = setting(default=7, kind=_KEPT, about="Of how many days the last backup is kept.")
    weekly: int = setting(default=4, kind=_KEPT, about="Of how many weeks the last backup is kept.")
    monthly: int = setting(default=12, kind=_KEPT, about="Of how many months the last backup is kept.")
    yearly: int = setting(default=0, kind=_KEPT, about="Of how many years the last backup is kept.")
    total_size: int | None = setting(
        default=None,
        kind=Size(limits.BACKUPS_BYTES_MIN, limits.BACKUPS_BYTES_MAX),
        about="Size of all backups together at most.",
    )

    def _check(self) -> None:
        if not (self.keep_last or self.daily or self.weekly or self.monthly or self.yearly):
            raise SettingError("backup.retention", "would keep no backup at all: set keep_last to 1 or more")


class BackupConfig(Section):
    """Backups of the store: how often, how many are kept, and how they are sealed."""

    place = "backup."
    frequency: BackupFrequency | timedelta = setting(
        default=BackupFrequency.NEVER,
        kind=Interval(BackupFrequency, Duration(limits.BACKUP_INTERVAL_S_MIN, limits.BACKUP_INTERVAL_S_MAX)),
        about="How often a backup is taken.",
    )
    retention: RetentionPolicy = section(
        default=RetentionPolicy(), of=RetentionPolicy, key="retention", about="which backups are kept"
    )
    wait_converged: timedelta = setting(
        default=timedelta(0),
        kind=Duration(0, limits.BACKUP_WAIT_S_MAX),
        about="How long a backup that is due waits for the other devices to be proved equal; then it is made all the same.",
    )
    require_converged: bool = setting(
        default=False,
        kind=Flag(),
        about="Whether a backup is only enough if every other device was proved equal to it; others are made, and marked.",
    )
    compression: bool = setting(default=True, kind=Flag(), about="Whether backups are compressed.")
    encryption: EncryptionConfig | None = section(
        default=None, of=EncryptionConfig, key="encryption", about="how backups are encrypted, if not as the store is"
    )


class FilesConfig(Section):
    """What is fetched of the files that are attached to documents on other devices."""

    place = "files."
    always_below: int = setting(
        default=100 * 10**6,
        kind=Size(0, limits.FILES_BELOW_MAX),
        about="Attached files that are smaller than this come by themselves; `edda doc fetch` gets others. 0 for none.",
    )


class StorageConfig(Section):
    """
    Configuration of a :class:`~edda_sync.engine.engine.StorageEngine`. Pass it to :func:`edda_sync.open`.

    A field that is given here wins over the variable of its setting, and that wins over ``config.toml`` in the store's
    folder; this is so for each field of a section, too. A field that is None is not given. A relative path is resolved when
    the configuration is made, from the current folder of that moment. docs/configuration.md has all settings.

    Raises:
        SettingError: A value is not acceptable.
    """

    backend: StorageBackend | Literal["sqlite", "rocksdb", "memory"] = setting(
        default=StorageBackend.SQLITE, kind=Choice(StorageBackend), about="What keeps the states of entities and texts."
    )
    database_path: Path | None = setting(
        default=None, kind=Location(), about=f"The SQLite file; `{DATABASE_FILE}` in the store's folder by default."
    )
    rocksdb_path: Path | None = setting(
        default=None, kind=Location(), about=f"The RocksDB folder; `{ROCKSDB_FOLDER}` in the store's folder by default."
    )
    file_storage_path: Path | None = setting(
        default=None,
        kind=Location(),
        about=f"The folder of attached files; `{FILES_FOLDER}` in the store's folder by default.",
    )
    connection_pool_size: int = setting(
        default=limits.POOL_SIZE,
        kind=Whole(1, limits.POOL_SIZE_MAX),
        about="How many connections that read are kept open.",
    )
    cache_config: CacheConfig = section(
        default=CacheConfig(), of=CacheConfig, key="cache", about="the cache of items that were read"
    )
    backup_config: BackupConfig = section(default=BackupConfig(), of=BackupConfig, key="backup", about="backups")
    encryption_config: EncryptionConfig | None = section(
        default=None,
        of=EncryptionConfig,
        key="encryption",
        about="encryption at rest; none of these is set for a plain store",
    )
    files_config: FilesConfig = section(
        default=FilesConfig(), of=FilesConfig, key="files", about="attached files of other devices"
    )
    state_path: Path | None = setting(
        default=None,
        kind=Location(),
        about="A folder outside the store's folder. It remembers the store's last life, so that a copied or restored store "
        "can be told from the original. By default it is in the user's state folder.",
    )
    name: str | None = setting(
        default=None,
        kind=Line(),
        about="What people call this device; its host name by default. A device keeps the name with which it was made.",
    )

    def database(self, home: Path) -> Path:
        """Return the path of the SQLite file of the store in a folder."""
        return self.database_path or absolute(home) / DATABASE_FILE

    def rocksdb(self, home: Path) -> Path:
        """Return the path of the RocksDB folder of the store in a folder."""
        return self.rocksdb_path or absolute(home) / ROCKSDB_FOLDER

    def files(self, home: Path) -> Path:
        """Return the path of the folder of attached files of the store in a folder."""
        return self.file_storage_path or absolute(home) / FILES_FOLDER
