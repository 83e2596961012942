"""Moving the states of a store from one backend to another: what ``edda store migrate`` does."""

from __future__ import annotations

from pathlib import Path

from edda_sync.engine import backend
from edda_sync.store.rocks import moving
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import StorageBackend, StorageConfig
from edda_sync.words.errors import UsageError


def migrate(home: Path, config: StorageConfig, to: StorageBackend) -> int:
    """
    Move the states of a store that nobody uses to another backend, and return how many there are.

    The store is as it was until everything was copied and compared. If this is interrupted, call it again.

    Args:
        home: The store's folder.
        config: How the store is kept. What it says of the backend does not count.
        to: The backend.

    Raises:
        UsageError: The states are there already.
        CorruptError: What is there is damaged; nothing was changed.
    """
    config = config.changed(backend=None)
    store = SqliteStore(config.database(home), keep=backend.keep(config, home))
    try:
        rocks = backend.in_rocksdb(config, home, store.keys)
        if store.keeping.name == to:
            moving.tidy(store, rocks)
            raise UsageError(f"The states of the store in {home} are in {to} already; nothing was changed.")
        return moving.to_rocksdb(store, rocks) if to == "rocksdb" else moving.to_sqlite(store)
    finally:
        store.close()
