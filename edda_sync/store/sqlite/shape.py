"""
The shape of a store: are its tables, indexes and triggers those that this version makes?

Any program can change them, and most do not ask: a column added to a table ends every write, a trigger or an index of
another makes a write do something else. :func:`changed` names what differs from the schema, and :func:`mend` makes it what
the schema says. What is derived from the log is made anew and empty, and its content has to be folded anew; the log's own
tables keep their rows. A table or a view of somebody else's stays: it is in nobody's way. It is so also when it refers to a
table of ours: :func:`referring` names it, and the connection that writes does not enforce references then, since SQLite
would refuse every deletion for the sake of a row of another program, or delete that row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from functools import cache
from typing import Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import fulltext, schema
from edda_sync.words.errors import CorruptError

Execute = Callable[..., Any]
"""Runs a statement, as a connection's method."""

_DERIVED: Final = frozenset((*schema.VIEW_TABLES, *fulltext.TABLES))
_OTHERS: Final = ("sqlite_", "_sqlite_migrations")  # SQLite's own, and those of sqlite-utils
_PARTS: Final = ("data", "idx", "content", "docsize", "config")  # of a full text: what FTS5 keeps it in
_SHADOWS: Final = frozenset(f"{table}_{part}" for table in fulltext.TABLES for part in _PARTS)


class _Part(NamedTuple):
    """A table, an index, a trigger or a view: of which table it is, and the statement that makes it."""

    kind: str
    table: str
    statement: str


def changed(execute: Execute) -> list[str]:
    """Return what is missing from a store's schema, what somebody added to its tables, and what was changed, in words."""
    return [
        f"{part.kind} {name} {what}" for what, parts in _differences(execute).items() for name, part in parts.items()
    ]


def referring(execute: Execute) -> list[tuple[str, str]]:
    """Return which tables of other programs have a foreign key to a table of a store, each with the name of that table."""
    rows = execute(
        'SELECT DISTINCT other.name, lower(reference."table") FROM main.sqlite_master AS other, '
        "pragma_foreign_key_list(other.name, 'main') AS reference WHERE other.type = 'table' ORDER BY 1, 2"
    ).fetchall()
    others = [(name, table) for name, table in rows if name not in _DERIVED]  # no table of the log refers to another
    if not others:  # mostly, whenever a store is opened to write: nothing else is looked up
        return []
    ours = {part.table for part in _wanted().values()}
    return [(name, table) for name, table in others if name not in ours and table in ours]


def dangling(execute: Execute) -> int:
    """Return how many rows of a store's own tables point at nothing; what rows of other programs point at is theirs."""
    return sum(
        len(execute(f"PRAGMA main.foreign_key_check({part.table})").fetchall())  # one of all tables may end in an error
        for part in _wanted().values()
        if part.kind == "table" and "REFERENCES" in part.statement
    )


def mend(execute: Execute) -> None:
    """
    Make a store's schema what it should be, inside a transaction; what is derived is folded anew afterwards.

    Raises:
        CorruptError: A table of the log, or a column of one, is missing: what it held is gone, and nothing was changed.
    """
    found = _differences(execute)
    there = _parts_of(execute)
    tables = {
        part.table for what in ("is missing", "was changed") for part in found[what].values() if part.kind == "table"
    }
    gone = {table for table in tables if table not in there or there[table].kind != "table"}
    if lost := sorted(gone - _DERIVED):
        raise CorruptError(f"The table {lost[0]}, which is missing,")
    for name, part in found["was added"].items():
        execute(f'DROP {part.kind} "{name}"')
    for table in sorted(gone):
        if table in there:
            execute(f"DROP {there[table].kind} {table}")
        execute(_wanted()[table].statement)
    if tables & _DERIVED:  # or rows would point at nothing once another table is dropped
        for table in schema.VIEW_TABLES:
            execute(f"DELETE FROM {table}")
    for table in sorted(tables - gone):
        _make_anew(execute, table)
    for name, part in _wanted().items():
        if part.kind != "table" and (
            part.table in tables or name in found["is missing"] or name in found["was changed"]
        ):
            execute(f'DROP {part.kind} IF EXISTS "{name}"')
            execute(part.statement)


def _differences(execute: Execute) -> dict[str, dict[str, _Part]]:
    should, is_there = _wanted(), _parts_of(execute)
    ours = {part.table for part in should.values()}
    return {
        "is missing": {name: part for name, part in should.items() if name not in is_there},
        "was changed": {
            name: part
            for name, part in should.items()
            if name in is_there and _plain(is_there[name].statement) != _plain(part.statement)
        },
        "was added": {
            name: part
            for name, part in is_there.items()
            if name not in should and part.kind in ("index", "trigger") and part.table in ours
        },
    }


def _make_anew(execute: Execute, table: str) -> None:
    """Make a table as the schema has it; the rows of one that is not derived are kept."""
    columns = ", ".join(_columns(table))
    kept = f'temp."{table} as it was"'
    if table not in _DERIVED:
        held = {row[1] for row in execute(f"PRAGMA table_info({table})")}
        if gone := [name for name in _columns(table) if name not in held]:
            raise CorruptError(f"The table {table}, which has no column {gone[0]} any more,")
        execute(f"CREATE TABLE {kept} AS SELECT {columns} FROM {table}")
    execute(f"DROP TABLE main.{table}")
    execute(_wanted()[table].statement)
    if table not in _DERIVED:
        execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {kept}")
        execute(f"DROP TABLE {kept}")


def _parts_of(execute: Execute) -> dict[str, _Part]:
    rows = execute("SELECT name, type, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL")
    return {
        name: _Part(kind, table, statement)
        for name, kind, table, statement in rows
        if not name.startswith(_OTHERS) and name not in _SHADOWS
    }


def _plain(statement: str) -> str:
    """Return a statement as other programs may write it again: without the spaces and quotes that mean nothing."""
    return re.sub(r'[\s"`\[\]]+', "", statement).lower()


@cache
def _wanted() -> dict[str, _Part]:
    with closing(_made()) as connection:
        return _parts_of(connection.execute)


@cache
def _columns(table: str) -> list[str]:
    with closing(_made()) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _made() -> Any:
    """Return an empty store in memory."""
    connection = sqlite.connect(":memory:", isolation_level=None)
    for statement in schema.statements():
        connection.execute(statement)
    return connection
