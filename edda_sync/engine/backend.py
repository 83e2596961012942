"""What keeps the states of a store: as a new store is told, as an older one says of itself, and whether it is sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.store.sqlite.keeping import InSql, Keep, Keeping, in_sql
from edda_sync.store.sqlite.statements import Statements
from edda_sync.words.config import EncryptionConfig, StorageBackend, StorageConfig
from edda_sync.words.errors import CorruptError, LostStatesError, UsageError
from edda_sync.words.model import KINDS

if TYPE_CHECKING:
    from edda_sync.store.rocks.keeper import RocksKeeping
    from edda_sync.store.seams import Store
    from edda_sync.store.sqlite.keyed import FileKeys


def keep(config: StorageConfig, home: Path, *, becomes_plain: bool = False) -> Keep:
    """
    Return what makes the keeper of a store's states, by the name of the backend that the store's file names.

    It raises UsageError if the configuration names another one.

    Args:
        config: How the store is kept.
        home: The store's folder.
        becomes_plain: Whether what is written from now on is not sealed, since the store is about to be decrypted.
    """

    def kept(name: str, file_keys: FileKeys | None) -> Keeping:
        if "backend" in config.given and name != config.backend:
            raise UsageError(
                f"The states of the store in {home} are in {name}, and the configuration names {config.backend}; nothing "
                f"was changed: `edda store migrate --to {config.backend}` moves them there."
            )
        if name != StorageBackend.ROCKSDB:
            return in_sql(name, file_keys)
        return in_rocksdb(config, home, file_keys, becomes_plain=becomes_plain)

    return kept


def in_rocksdb(
    config: StorageConfig, home: Path, file_keys: FileKeys | None, *, becomes_plain: bool = False
) -> RocksKeeping:
    """Return what keeps the states of a store in RocksDB. The arguments are those of :func:`keep` and its result."""
    from edda_sync.store.rocks.keeper import RocksKeeping  # only such a store needs it

    seals = None
    if file_keys is not None:
        from edda_sync.store.rocks.sealed import Seals  # only for encrypted stores

        algorithm = (config.encryption_config or EncryptionConfig()).algorithm
        seals = Seals(file_keys, algorithm)
    return RocksKeeping(config.rocksdb(home), seals, becomes_plain=becomes_plain)


def founding(config: StorageConfig) -> Sequence[str]:
    """Return the statements that make a new store one of the configured backend."""
    if config.backend != StorageBackend.ROCKSDB:
        return ()
    from edda_sync.store.rocks.pending import FOUNDING

    return FOUNDING


def name(store: Store) -> str:
    """Return the name of what keeps the states of an open store."""
    keeping: Keeping | None = getattr(store, "keeping", None)
    return StorageBackend.MEMORY.value if keeping is None else keeping.name


def folders(store: Store) -> list[Path]:
    """Return the folders in which RocksDB keeps what it has of a store; none if the states are elsewhere."""
    keeping: Keeping = getattr(store, "keeping", None) or InSql()
    if keeping.name == InSql.name:
        return []
    with store.read() as reader:
        return keeping.folders(Statements(reader.connection))  # type: ignore[attr-defined]  # only a file has such a keeper


def check(store: Store) -> None:
    """
    Try again what could not be settled, and check that what was settled is still there. A running device does this often.

    Raises:
        EddaError: It is not, or cannot be settled now.
    """
    keeping: Keeping = getattr(store, "keeping", None) or InSql()
    if keeping.name == InSql.name:
        return
    if keeping.fault is not None:
        store.settle()  # type: ignore[attr-defined]  # every store with such a keeper has it
    with store.read() as reader:
        keeping.check(Statements(reader.connection))  # type: ignore[attr-defined]  # only a file has such a keeper


def restore(store: Store, rebuild: Callable[[], object]) -> str:
    """
    Make all states anew if RocksDB has lost those of the devices, without which nothing can begin.

    Args:
        store: An open store.
        rebuild: Folds the whole log again.

    Returns:
        What was lost, for a person; empty for nothing.
    """
    try:
        with store.read() as reader:
            for _ in reader.states.scan("device"):
                pass
    except LostStatesError as error:
        rebuild()
        where = f"{error.path} did not hold the states of this store ({error.why})"
        return f"{where}; they were made anew from the log: watch this disk."
    return ""


def look(store: Store) -> list[tuple[bool, str]]:
    """
    Read everything that RocksDB keeps for a store.

    Returns:
        Whether it can be read and fits together, and in words what is there or what is wrong. What is in tables of SQLite
        is checked with the file.
    """
    keeping: Keeping = getattr(store, "keeping", None) or InSql()
    if keeping.name == InSql.name:
        return [] if name(store) == StorageBackend.MEMORY else [(True, "in tables of the SQLite file")]
    try:
        count, misfits = compare(store)
    except CorruptError as error:
        return [(False, str(error))]
    if misfits:
        return [(False, f"what RocksDB has does not fit together: {misfits:,}")]
    with store.read() as reader:
        if keeping.is_behind(Statements(reader.connection)):  # type: ignore[attr-defined]  # only a file has such a keeper
            return [
                (False, "what is in RocksDB is not under the store's newest key: `edda store encrypt` finishes that")
            ]
    where = "in RocksDB" if folders(store) else "for RocksDB, all still waiting in the SQLite file until there are more"
    held = f"{count:,} {'state' if count == 1 else 'states'} {where}, each as it was written"
    fault = keeping.fault
    return [(True, held if fault is None else f"{held}; what was written lately waits: {fault}")]


def compare(store: Store) -> tuple[int, int]:
    """
    Read all states and texts of a store, and compare them with the index of what is hidden.

    Returns:
        How many states there are, and how many things do not fit together.

    Raises:
        CorruptError: Something cannot be read.
    """
    hidden, count = set[bytes](), 0
    with store.read() as reader:
        for record in reader.states.scan():
            count += 1
            if record.hidden:
                hidden.add(record.key)
        missing = sum(reader.states.text(*name) is None for name in reader.states.texts())
        marked = {key for kind in KINDS for key in reader.index.hidden(kind)}
    return count, missing + len(marked ^ hidden)
