from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edda_sync.store.sqlite import FILE_NAME, SqliteStore
from tests.store.contract import AnyStore, StoreContract


class TestSqliteStore(StoreContract):
    def make(self, folder: Path, on_end: Callable[[bool], None]) -> AnyStore:
        return SqliteStore(folder / FILE_NAME, on_end)
