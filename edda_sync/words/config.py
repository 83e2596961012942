"""
How and where a store is kept: the specification's ``StorageConfig``, with every field that it names.

Each field says its kind, its default, and what it is. From this, ``settings`` derives the keys of ``config.toml``, the
variables, the errors, and what ``edda config show`` and docs/configuration.md say.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, dataclass_transform

from edda_sync.words import limits
from edda_sync.words.errors import SettingError, UsageError, shown
from edda_sync.words.kinds import Choice, Duration, Flag, Interval, Kind, Line, Location, Size, Whole

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


class Field:
    """
    What one field of a section is.

    Attributes:
        default: Its value where nothing else is said.
        about: What it is, for a person: a sentence for a setting, a phrase for a section.
        kind: Which values are acceptable; None for a section.
        section: The class that has further settings; None for a setting.
        key: The name of the section's table in ``config.toml``; empty for a setting.
    """

    def __init__(
        self, default: object, about: str, kind: Kind | None = None, section: type[Section] | None = None, key: str = ""
    ) -> None:
        self.default, self.about, self.kind, self.section, self.key = default, about, kind, section, key


def setting(*, default: Any, kind: Kind, about: str) -> Any:
    """Return a field that one setting fills; see :class:`Field`."""
    return Field(default, about, kind)


def section(*, default: Any, of: type[Section], key: str, about: str) -> Any:
    """Return a field that the settings of a section fill; see :class:`Field`."""
    return Field(default, about, section=of, key=key)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting, section))
class Section:
    """
    Settings that belong together. Each value is checked when the section is made, and a SettingError names its key.

    It is like a frozen dataclass, and knows what it was given. It is none, because it takes a command milliseconds to make
    those.

    Attributes:
        place: What stands before the names of its fields in the keys of settings, such as ``cache.``.
        fields: Its fields, by name.
        given: The names of the fields that were given, and not left out or None. The other ones are taken from elsewhere.
    """

    place: ClassVar[str] = ""
    fields: ClassVar[dict[str, Field]] = {}
    given: ClassVar[frozenset[str]] = frozenset()  # each object has its own

    def __init_subclass__(cls) -> None:
        cls.fields = {name: each for name, each in vars(cls).items() if isinstance(each, Field)}

    def __init__(self, **fields: object) -> None:
        if unknown := fields.keys() - self.fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {min(unknown)!r}")
        given = frozenset(name for name, value in fields.items() if value is not None)
        found = {
            name: self._taken(name, fields[name]) if name in given else known.default
            for name, known in self.fields.items()
        }
        self.__dict__.update(found, given=given)
        self._check()

    def _taken(self, name: str, value: object) -> Any:
        key, known = f"{self.place}{name}", self.fields[name]
        if known.kind is not None:
            taken = take(key, known.kind, value)
            return absolute(taken) if isinstance(taken, Path) else taken
        if known.section is None or not isinstance(value, known.section):
            raise SettingError(key, f"must be a {known.section.__name__ if known.section else 'setting'}", value)
        return value

    def _check(self) -> None:
        """Check what no field can say of itself."""

    def changed(self, **fields: Any) -> Self:
        """Return the same settings with some others, or None for defaults. What was not given before stays so."""
        return type(self)(**{name: getattr(self, name) for name in self.given} | fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed; changed({name}=...) returns another one")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.fields))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in sorted(self.given))})"


def take(key: str, kind: Kind, value: object, place: str = "") -> Any:
    """
    Return the value that a configuration holds for what was given.

    Args:
        key: The setting, for errors.
        kind: Its kind.
        value: What was given.
        place: Where, for errors; empty for an argument of the program.

    Raises:
        SettingError: It is not acceptable.
    """
    try:
        return kind.take(value)
    except ValueError as error:
        given = shown(value) if isinstance(value, str) else shown(repr(value))[1:-1]
        wanted = error.args[0] if error.args else kind.wanted
        raise SettingError(key, f"is {given}, and must be {wanted}", value, place) from None


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
    """Backups of the store. This version keeps these settings and takes no backups yet."""

    place = "backup."
    frequency: BackupFrequency | timedelta = setting(
        default=BackupFrequency.NEVER,
        kind=Interval(BackupFrequency, Duration(limits.BACKUP_INTERVAL_S_MIN, limits.BACKUP_INTERVAL_S_MAX)),
        about="How often a backup is taken.",
    )
    retention: RetentionPolicy = section(
        default=RetentionPolicy(), of=RetentionPolicy, key="retention", about="which backups are kept"
    )
    compression: bool = setting(default=True, kind=Flag(), about="Whether backups are compressed.")
    encryption: EncryptionConfig | None = section(
        default=None, of=EncryptionConfig, key="encryption", about="how backups are encrypted, if not as the store is"
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
