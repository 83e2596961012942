"""
What SQLite knows of RocksDB: the rows that are pending, and the mark of the last settlement.

These two tables exist only in a store whose states are in RocksDB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from edda_sync.store.rocks.layers import Layer
from edda_sync.store.rocks.writes import replay
from edda_sync.store.sqlite.schema import PENDING_TABLE, SETTLED_TABLE
from edda_sync.store.sqlite.statements import Statements
from edda_sync.store.sqlite.states import BACKEND_KEY

_PENDING: Final = "number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, clears INTEGER NOT NULL, writes BLOB NOT NULL"
_SETTLED: Final = (
    "number INTEGER PRIMARY KEY, folder TEXT NOT NULL, token BLOB NOT NULL, upto INTEGER NOT NULL, "
    "next_folder TEXT NOT NULL, next_token BLOB NOT NULL, next_upto INTEGER NOT NULL, left_over TEXT NOT NULL"
)
SCHEMA: Final = (
    f"CREATE TABLE IF NOT EXISTS {PENDING_TABLE} ({_PENDING})",
    f"CREATE TABLE IF NOT EXISTS {SETTLED_TABLE} ({_SETTLED})",
)
BEGIN: Final = f"INSERT OR IGNORE INTO {SETTLED_TABLE} VALUES (1, '', x'', 0, '', x'', 0, '')"
NAME: Final = "rocksdb"
FOUNDING: Final = (*SCHEMA, BEGIN, f"INSERT INTO _meta VALUES ('{BACKEND_KEY}', CAST('{NAME}' AS BLOB))")
"""The statements that make a store one whose states are in RocksDB."""


class Mark(NamedTuple):
    """
    What a commit of SQLite knows of RocksDB.

    Attributes:
        folder: The name of the folder in which RocksDB keeps states; empty before the first settlement.
        token: The token of the last settlement.
        upto: The number of the last row that was settled.
        next_folder, next_token, next_upto: The same of a settlement that was begun; empty if there is none.
        left_over: The names of folders that are no longer used, to be removed, with a ``/`` between them.
        last: The number of the last pending row; that of the last settled row if nothing is pending.
    """

    folder: str
    token: bytes
    upto: int
    next_folder: str
    next_token: bytes
    next_upto: int
    left_over: str
    last: int

    def folders(self) -> list[str]:
        """Return the names of all folders that are in use, are being made, or are to be removed."""
        return sorted({self.folder, self.next_folder, *self.left_over.split("/")} - {""})

    def upto_of(self, token: bytes) -> int | None:
        """Return up to which row RocksDB has everything, by its token; None if the token is not of this store's state."""
        if token == self.token:
            return self.upto
        if self.next_token and token == self.next_token and self.next_folder == self.folder:
            return self.next_upto
        return None


def mark(sql: Statements) -> Mark:
    """Return what this state of SQLite knows of RocksDB."""
    row = sql.one(
        "SELECT folder, token, upto, next_folder, next_token, next_upto, left_over,"
        f" coalesce((SELECT max(number) FROM {PENDING_TABLE}), upto) FROM {SETTLED_TABLE}"
    )
    return Mark(*row)


def layer(sql: Statements, after: int, upto: int) -> Layer:
    """Return what the pending rows after one row and up to another say."""
    made = Layer()
    for writes in rows(sql, after, upto):
        replay(writes, made)
    return made


def rows(sql: Statements, after: int, upto: int) -> Iterable[bytes]:
    """Yield the pending rows after one row and up to another, from the last one on that forgets all that was before."""
    statement = f"SELECT writes FROM {PENDING_TABLE} WHERE number > ? AND number <= ? AND number >= ? ORDER BY number"
    cleared = f"SELECT coalesce(max(number), 0) FROM {PENDING_TABLE} WHERE clears AND number > ? AND number <= ?"
    (first,) = sql.one(cleared, after, upto)
    for (writes,) in sql.execute(statement, (after, upto, first)):
        yield writes


def is_cleared(sql: Statements) -> bool:
    """Tell whether all states were forgotten and made anew since the last settlement."""
    (cleared,) = sql.one(f"SELECT exists(SELECT 1 FROM {PENDING_TABLE} WHERE clears)")
    return bool(cleared)


def waiting_bytes(sql: Statements) -> int:
    """Return how many bytes are pending."""
    return int(sql.one(f"SELECT coalesce(sum(bytes), 0) FROM {PENDING_TABLE}")[0])
