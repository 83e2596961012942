"""The stores that pass the contract suites: every implementation of the seams is listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from edda_sync.simulations.disk import Disk
from edda_sync.store.memory.journal import VIEW
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.rocks.keeper import RocksKeeping
from edda_sync.store.rocks.pending import FOUNDING
from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE, ROCKSDB_FOLDER
from tests.encrypted import encrypt
from tests.store.samples import AnyStore

Make = Callable[[Path, Callable[[bool], None]], Any]
STORES: Final[dict[str, Make]] = {
    "memory": lambda _folder, on_end: MemoryStore(on_end),
    "sqlite": lambda folder, on_end: SqliteStore(folder / DATABASE_FILE, on_end),
    "encrypted": lambda folder, on_end: SqliteStore(encrypt(folder / DATABASE_FILE), on_end),
    "rocksdb": lambda folder, on_end: rocks_store(folder, on_end),
    "settled": lambda folder, on_end: rocks_store(folder, on_end, settles=True),
    "simulated": lambda _folder, on_end: Disk(None, bytes(16), lambda: None).open(on_end),
}


def rocks_store(folder: Path, on_end: Callable[[bool], None], *, settles: bool = False) -> SqliteStore:
    """Return a store whose states are in RocksDB: pending, or settled after every transaction."""
    keeping = Eager(folder / ROCKSDB_FOLDER) if settles else RocksKeeping(folder / ROCKSDB_FOLDER)
    return SqliteStore(folder / DATABASE_FILE, on_end, keep=lambda _name, _keys: keeping, founding=FOUNDING)


class Eager(RocksKeeping):
    """It settles at once."""

    def is_due(self, *, quiet: bool) -> bool:
        return self.waiting_bytes > 0


@pytest.fixture
def ended() -> list[bool]:
    """What the store has reported about the ends of its transactions."""
    return []


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, ended: list[bool]) -> Iterator[AnyStore]:
    store = STORES[request.param](tmp_path, ended.append)
    yield store
    store.close()


@pytest.fixture
def view(store: AnyStore) -> Callable[[], dict[str, Any]]:
    """Return everything that is folded from the log, as the store holds it."""

    def look() -> dict[str, Any]:
        if isinstance(store, SqliteStore):
            connection = store.connect()
            try:
                held = {name: sorted(connection.execute(f"SELECT * FROM {name}")) for name in schema.VIEW_TABLES}
                for name in ("_task_search", "_document_search"):
                    held[name] = sorted(connection.execute(f"SELECT rowid FROM {name}"))
            finally:
                connection.close()
            with store.read() as reader:
                held["states"] = list(reader.states.scan())
                held["texts"] = [(*name, reader.states.text(*name)) for name in reader.states.texts()]
                held["conflicted"] = reader.index.conflicted()
            return held
        memory = store if isinstance(store, MemoryStore) else store._inner  # type: ignore[attr-defined]
        return {name: table for name, table in memory.image().items() if name in VIEW}

    return look
