"""
The full text of titles, descriptions and contents, derived from the tables: one full-text table for each kind.

A table holds the words of a text, as ``words.folding`` returns them, and FTS5 splits them at spaces: its tokenizer `ascii`
leaves everything beyond ASCII alone. A text in ASCII is held as it is, because that tokenizer finds the same words in it.

It uses nothing that SQLite 3.37 lacks, so that other programs can read the whole file: a program that reads every table
fails at one that its SQLite cannot open. A full-text table without a text of its own could delete rows only since SQLite
3.43, so ours holds the text.

Source: https://sqlite.org/fts5.html, "External Content and Contentless Tables" and "Ascii Tokenizer".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edda_sync.words import folding

BODIES: Final = {"task": "description", "document": "content"}  # by kind: the column of its text
TABLES: Final = tuple(f"_{kind}_search" for kind in BODIES)
_FOLDING: Final = "folding"  # the value in _meta that says by which rules and tables the texts were folded
_DROP: Final = tuple(f"DROP TABLE IF EXISTS {table}" for table in TABLES)
_CREATE: Final = tuple(f"CREATE VIRTUAL TABLE {table} USING fts5(title, body, tokenize='ascii')" for table in TABLES)
_SET_FOLDING: Final = (
    f"INSERT OR REPLACE INTO _meta VALUES ('{_FOLDING}', CAST('{'.'.join(map(str, folding.VERSION))}' AS BLOB))"
)
ANEW: Final = (
    *_DROP, *_CREATE, *(f"INSERT OR IGNORE INTO _unindexed SELECT '{kind}', id FROM {kind}s" for kind in BODIES),
    _SET_FOLDING,
)  # fmt: skip
"""Statements that make the tables anew, and have every row indexed again."""
FIRST: Final = tuple(
    f"CREATE VIRTUAL TABLE {table} USING fts5(title, body, tokenize='unicode61 remove_diacritics 2')"
    for table in TABLES
)
"""The tables of the first migration."""

_Execute = Callable[..., Any]


def prepare(connection: Any) -> None:
    """Give a connection that writes the function that :func:`index` calls."""
    connection.create_function("edda_folded", 1, _folded, deterministic=True)


def clear(execute: _Execute) -> None:
    """Drop the tables and create them again, empty. To delete a million rows would take longer than to write them."""
    for statement in (*_DROP, *_CREATE, _SET_FOLDING):
        execute(statement)


def is_outdated(execute: _Execute) -> bool:
    """Tell whether the texts were folded by older rules or an older Unicode, so that :func:`index` folds all of them."""
    row = execute(f"SELECT value FROM _meta WHERE key = '{_FOLDING}'").fetchone()
    return row is None or tuple(map(int, bytes(row[0]).split(b"."))) < folding.VERSION


def index(execute: _Execute, limit: int = -1) -> int:
    """
    Write the rows that are due, and return how many there were.

    They are written in the order of their row numbers. In another order FTS5 would flush its index at each step backwards,
    which is five times slower.

    Args:
        execute: Runs a statement in a transaction.
        limit: How many rows to write at most; negative for all.
    """
    if is_outdated(execute):
        for statement in ANEW:
            execute(statement)
    count = 0
    for kind, body in BODIES.items():
        due = f"(SELECT id FROM _unindexed WHERE kind = '{kind}' LIMIT {limit - count if limit > 0 else -1})"
        cursor = execute(
            f"INSERT OR REPLACE INTO _{kind}_search(rowid, title, body)"
            f" SELECT row.rowid, {words_of('title')}, {words_of(body)}"
            f" FROM {due} JOIN {kind}s AS row USING (id) ORDER BY row.rowid"
        )
        count += cursor.rowcount
        execute(f"DELETE FROM _unindexed WHERE kind = '{kind}' AND id IN {due}")
        if count == limit:
            break
    return count


def words_of(column: str) -> str:
    """Return an expression for the words of a column. SQLite itself sees whether a text is ASCII, which is cheap."""
    return (
        f"CASE WHEN octet_length({column}) <> length({column}) THEN edda_folded(CAST({column} AS BLOB))"
        f" ELSE {column} END"
    )


def _folded(text: bytes) -> str:
    return folding.folded(text.decode(errors="replace"))  # another program may have written what is no text
