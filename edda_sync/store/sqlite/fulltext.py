"""
The full text of titles, descriptions and contents: derived from the tables, a table of it for each kind.

It uses nothing that SQLite 3.37 lacks, so that other programs read the whole file: a program that looks at every table ends
with an error at one that its SQLite cannot open. An index that holds no text of its own could forget a row from SQLite
3.43 on only, so this one holds it.

Source: https://sqlite.org/fts5.html, "External Content and Contentless Tables".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_BODIES: Final = {"task": "description", "document": "content"}
TABLES: Final = tuple(f"_{kind}_search" for kind in _BODIES)
SCHEMA: Final = tuple(
    f"CREATE VIRTUAL TABLE {table} USING fts5(title, body, tokenize='unicode61 remove_diacritics 2')"
    for table in TABLES
)

_Execute = Callable[..., Any]


def clear(execute: _Execute) -> None:
    """Make the tables anew, empty: to delete a million rows takes longer than to write them."""
    for table, statement in zip(TABLES, SCHEMA, strict=True):
        execute(f"DROP TABLE IF EXISTS {table}")
        execute(statement)


def index(execute: _Execute, limit: int = -1) -> int:
    """
    Write the rows that are due, and return how many they were.

    They are written in the order of rows: out of order the index would be flushed at each step backwards, five times slower.

    Args:
        execute: Runs a statement in a transaction.
        limit: How many rows at most; all by default.
    """
    count = 0
    for kind, body in _BODIES.items():
        due = f"(SELECT id FROM _unindexed WHERE kind = '{kind}' LIMIT {limit - count if limit > 0 else -1})"
        cursor = execute(
            f"INSERT OR REPLACE INTO _{kind}_search(rowid, title, body) SELECT row.rowid, title, {body}"
            f" FROM {due} JOIN {kind}s AS row USING (id) ORDER BY row.rowid"
        )
        count += cursor.rowcount
        execute(f"DELETE FROM _unindexed WHERE kind = '{kind}' AND id IN {due}")
        if count == limit:
            break
    return count
