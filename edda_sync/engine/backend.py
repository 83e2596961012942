"""What keeps the states of a store: as a new store is told, as an older one says of itself, and whether it is sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.store.sqlite.keeping import InSql, Keeping, in_sql
from edda_sync.words.config import StorageBackend, StorageConfig
from edda_sync.words.errors import CorruptError, UsageError
from edda_sync.words.model import KINDS

if TYPE_CHECKING:
    from edda_sync.store.seams import Store


def keep(config: StorageConfig, home: Path) -> Callable[[str], Keeping]:
    """
    Return what makes the keeper of a store's states, by the name of the backend that the store's file names.

    It raises UsageError if the configuration names another one.
    """

    def kept(name: str) -> Keeping:
        if "backend" in config.given and name != config.backend:
            raise UsageError(
                f"The states of the store in {home} are in {name}, and the configuration names {config.backend}; nothing "
                f"was changed: `edda store migrate --to {config.backend}` moves them there."
            )
        if name != StorageBackend.ROCKSDB:
            return in_sql(name)
        check_plain(config, home)
        from edda_sync.store.rocks.keeper import RocksKeeping  # only such a store needs it

        return RocksKeeping(config.rocksdb(home))

    return kept


def check_plain(config: StorageConfig, home: Path) -> None:
    """Raise UsageError if a store is to be encrypted, which RocksDB is not."""
    from edda_sync.sealing import keyfile  # only such a store needs it

    if config.encryption_config is not None or keyfile.path_of(config.database(home)).exists():
        raise UsageError(
            f"The store in {home} is to be encrypted, and what is in RocksDB would not be; nothing was changed: use the "
            "sqlite backend for it."
        )


def founding(config: StorageConfig, home: Path) -> Sequence[str]:
    """
    Return the statements that make a new store one of the configured backend.

    Raises:
        UsageError: The store is to be encrypted, which RocksDB is not.
    """
    if config.backend != StorageBackend.ROCKSDB:
        return ()
    check_plain(config, home)
    from edda_sync.store.rocks.pending import FOUNDING

    return FOUNDING


def look(store: Store) -> list[tuple[bool, str]]:
    """
    Read everything that RocksDB keeps for a store.

    Returns:
        Whether it can be read and fits together, and in words what is there or what is wrong; nothing if the states are
        in the SQLite file or in memory.
    """
    keeping: Keeping = getattr(store, "keeping", None) or InSql()
    if keeping.name == InSql.name:
        return []
    count, hidden, missing = 0, set[bytes](), 0
    try:
        with store.read() as reader:
            for record in reader.states.scan():
                count += 1
                if record.hidden:
                    hidden.add(record.key)
            for entity, field, genesis in reader.states.texts():
                missing += reader.states.text(entity, field, genesis) is None
            marked = {key for kind in KINDS for key in reader.index.hidden(kind)}
    except CorruptError as error:
        return [(False, str(error))]
    if missing or marked != hidden:
        return [(False, f"what RocksDB has does not fit together: {missing + len(marked ^ hidden):,}")]
    held = f"{count:,} {'state' if count == 1 else 'states'} in RocksDB, each as it was written"
    fault = keeping.fault
    return [(True, held if fault is None else f"{held}; what was written lately waits: {fault}")]
