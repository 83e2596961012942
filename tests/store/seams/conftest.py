"""The stores that pass the contract suites: every implementation of the seams is listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from edda_sync.simulations.disk import Disk
from edda_sync.store.memory.journal import VIEW
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from tests.encrypted import encrypt
from tests.store.samples import AnyStore

Make = Callable[[Path, Callable[[bool], None]], Any]
STORES: Final[dict[str, Make]] = {
    "memory": lambda _folder, on_end: MemoryStore(on_end),
    "sqlite": lambda folder, on_end: SqliteStore(folder / DATABASE_FILE, on_end),
    "encrypted": lambda folder, on_end: SqliteStore(encrypt(folder / DATABASE_FILE), on_end),
    "simulated": lambda _folder, on_end: Disk(None, bytes(16), lambda: None).open(on_end),
}


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
                return held
            finally:
                connection.close()
        memory = store if isinstance(store, MemoryStore) else store._inner  # type: ignore[attr-defined]
        return {name: table for name, table in memory.image().items() if name in VIEW}

    return look
