"""
The shape of a store: whether its tables, indexes and triggers are those that this version makes.

Any program can change them. A column that was added to a table makes every write fail; a foreign trigger or index changes
what a write does. :func:`changed` names what differs from the schema, and :func:`mend` makes it as the schema says. Tables
that are derived from the log are made again, empty, and their content must be folded again; the log's own tables keep their
rows.

A table or view of another program stays, because it disturbs nothing. This is so even if it refers to one of our tables:
:func:`referring` names it, and the writing connection then does not enforce references. Otherwise SQLite would refuse a
deletion because of a row of the other program, or delete that row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from typing import Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import fulltext, schema, sums
from edda_sync.words.errors import CorruptError

Execute = Callable[..., Any]
"""Runs a statement, like the method of a connection."""

_DERIVED: Final = frozenset((*schema.VIEW_TABLES, *fulltext.TABLES))
_OTHERS: Final = ("sqlite_", "_sqlite_migrations")  # tables of SQLite itself, and of sqlite-utils
_PARTS: Final = ("data", "idx", "content", "docsize", "config")  # the tables in which FTS5 keeps a full-text table
_SHADOWS: Final = frozenset(f"{table}_{part}" for table in fulltext.TABLES for part in _PARTS)


class _Part(NamedTuple):
    """A table, index, trigger or view: the table that it belongs to, and the statement that makes it."""

    kind: str
    table: str
    statement: str


def changed(execute: Execute) -> list[str]:
    """Return, in words, what is missing from a store's schema, what was added to its tables, and what was changed."""
    try:
        made = _made_by_people(execute)
    except CorruptError:
        return [
            "the list of the indexes that people made cannot be read (those of this store alone are to be made again)"
        ]
    return [
        f"{part.kind} {name} {what}"
        for what, parts in _differences(execute, made).items()
        for name, part in parts.items()
    ]


def referring(execute: Execute) -> list[tuple[str, str]]:
    """Return the tables of other programs that have a foreign key to a store's table, each with the name of that table."""
    rows = execute(
        'SELECT DISTINCT other.name, lower(reference."table") FROM main.sqlite_master AS other, '
        "pragma_foreign_key_list(other.name, 'main') AS reference WHERE other.type = 'table' ORDER BY 1, 2"
    ).fetchall()
    others = [(name, table) for name, table in rows if name not in _DERIVED]  # no table of the log refers to another
    if not others:  # the usual case, each time a store is opened to write
        return []
    ours = {part.table for part in _wanted().values()}
    return [(name, table) for name, table in others if name not in ours and table in ours]


def dangling(execute: Execute) -> int:
    """Return how many rows of a store's own tables refer to nothing. Rows of other programs are not counted."""
    return sum(
        len(execute(f"PRAGMA main.foreign_key_check({part.table})").fetchall())  # not all at once: another's may fail
        for part in _wanted().values()
        if part.kind == "table" and "REFERENCES" in part.statement
    )


def mend(execute: Execute) -> None:
    """
    Make a store's schema what it should be, inside a transaction. Derived data must be folded again afterwards.

    Raises:
        CorruptError: A table of the log, or a column of one, is missing. Its content is lost; nothing was changed.
    """
    found = _differences(execute, {})  # indexes of people count as added: they are made anew after the rows
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
    if tables & _DERIVED:  # otherwise rows would refer to nothing once another table is dropped
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


def _differences(execute: Execute, made: Mapping[str, _Part | None]) -> dict[str, dict[str, _Part]]:
    """Return what differs from the schema, and from the indexes that people made (:func:`_made_by_people`)."""
    should, is_there = dict(_wanted()), _parts_of(execute)
    for name, part in made.items():
        if part is None:
            is_there.pop(name, None)
        else:
            should[name] = part
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


def _made_by_people(execute: Execute) -> dict[str, _Part | None]:
    """Return the parts of the indexes that people made, by name; None for a table that is SQLite's own affair."""
    if execute("SELECT count(*) FROM main.sqlite_master WHERE name IN ('_meta', '_unique')").fetchone()[0] < 2:
        return {}
    some = "SELECT 1 FROM main._meta WHERE key = 'indexes' UNION ALL SELECT 1 FROM main._unique LIMIT 1"
    if execute(some).fetchone() is None:
        return {}
    from edda_sync.store.sqlite import indexing  # rarely needed

    found: dict[str, _Part | None] = {}
    for config in indexing.held(execute):
        found.update({each.name: _Part(each.kind, each.table, each.statement) for each in indexing.parts(config)})
        found.update(dict.fromkeys(indexing.shadows(config)))
    return found


def _make_anew(execute: Execute, table: str) -> None:
    """Make a table again as the schema says. The rows of a table that is not derived are kept."""
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
    """Return a statement without the spaces and quotes that mean nothing, since other programs may write it differently."""
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
    sums.prepare(connection)
    for statement in schema.statements():
        connection.execute(statement)
    return connection
