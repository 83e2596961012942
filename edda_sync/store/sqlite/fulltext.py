"""
The full text of titles, descriptions and contents, derived from the tables: one full-text table for each kind.

It uses nothing that SQLite 3.37 lacks, so that other programs can read the whole file: a program that reads every table
fails at one that its SQLite cannot open. A full-text table without a text of its own could delete rows only since SQLite
3.43, so ours holds the text.

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
    """Drop the tables and create them again, empty. To delete a million rows would take longer than to write them."""
    for table, statement in zip(TABLES, SCHEMA, strict=True):
        execute(f"DROP TABLE IF EXISTS {table}")
        execute(statement)


def index(execute: _Execute, limit: int = -1) -> int:
    """
    Write the rows that are due, and return how many there were.

    They are written in the order of their row numbers. In another order FTS5 would flush its index at each step backwards,
    which is five times slower.

    Args:
        execute: Runs a statement in a transaction.
        limit: How many rows to write at most; negative for all.
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
