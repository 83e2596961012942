"""
Indexes that people make, as SQL: what makes them, what keeps them up to date, and what fills them.

1. A *B-tree* is an index of SQLite on columns and on the expressions of paths.
2. A *hash* index, which SQLite does not have, is one on the length of a text and the characters at its ends. So it is small
   however long the texts are, and the few rows that it finds are compared.
3. A *full-text* index is a table of FTS5, and a *spatial* one an R*Tree, with a row for each row that has something to
   index. Triggers keep both in step with the rows, in the same transaction. A trigger may call no function of ours, so the
   words of a text are written at the end of the transaction (:func:`settle`).

Source: https://sqlite.org/expridx.html, https://sqlite.org/partialindex.html, https://sqlite.org/rtree.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from edda_sync.crdt import uniques
from edda_sync.store.sqlite import fulltext, paths
from edda_sync.words.errors import CorruptError, InvalidValueError
from edda_sync.words.indexes import IndexConfig, IndexType, as_data, checked, of_data
from edda_sync.words.paths import Path

Execute = Callable[..., Any]
"""Runs a statement, like the method of a connection."""

KEY: Final = "indexes"  # the value in _meta with the indexes of this store, as JSON
ENDS: Final = 24  # characters of each end of a text that a hash index holds
_SHADOWS: Final = {
    IndexType.FULL_TEXT: ("data", "idx", "content", "docsize", "config"),
    IndexType.SPATIAL: ("node", "parent", "rowid"),
}
"""The tables in which FTS5 and the R*Tree keep a table of theirs."""


class Made(NamedTuple):
    """A part of an index: its kind in SQL, its name, the table that it belongs to, and the statement that makes it."""

    kind: str
    name: str
    table: str
    statement: str


def held(execute: Execute) -> list[IndexConfig]:
    """Return the indexes of a store that people made: its own in the order in which they were made, then the unique ones."""
    kept = execute(f"SELECT '', value FROM _meta WHERE key = '{KEY}'").fetchall()
    return read([*kept, *execute("SELECT * FROM _unique").fetchall()])


def read(kept: Sequence[tuple[str, bytes]]) -> list[IndexConfig]:
    """
    Return the indexes in what is kept of them: the value that :func:`keep` writes, under no name, and unique ones by name.

    Raises:
        CorruptError: It is damaged.
    """
    found: list[IndexConfig] = []
    try:
        for name, value in kept:
            found += [uniques.decode(name, bytes(value))] if name else map(_read, json.loads(bytes(value)))
    except (ValueError, TypeError, KeyError, AttributeError, InvalidValueError):
        raise CorruptError("The list of the indexes that people made") from None
    return found


def _read(data: dict[str, Any]) -> IndexConfig:
    return checked(of_data(data))


def keep(execute: Execute, configs: Sequence[IndexConfig]) -> None:
    """Note which indexes of people a store has."""
    encoded = json.dumps([as_data(each) for each in configs], ensure_ascii=False).encode()
    execute(f"INSERT OR REPLACE INTO _meta VALUES ('{KEY}', ?)", (encoded,))


def name_of(config: IndexConfig) -> str:
    """Return the name of an index, or of the table that is one, in SQL."""
    if config.index_type in _SHADOWS:
        return f"_index_{config.name}"
    return f"idx_{'unique' if config.unique else 'user'}_{config.name}"


def shadows(config: IndexConfig) -> list[str]:
    """Return the names of the tables in which SQLite keeps an index that is a table."""
    return [f"{name_of(config)}_{part}" for part in _SHADOWS.get(config.index_type, ())]


def make(execute: Execute, config: IndexConfig) -> None:
    """
    Make an index, and fill it.

    Raises:
        InvalidValueError: Its tables would have the names of those of another index, such as ``a`` and ``a_data``.
    """
    names = [name_of(config), *shadows(config), *(part.name for part in parts(config))]
    there = f"SELECT name FROM main.sqlite_master WHERE name IN ({', '.join('?' * len(names))}) LIMIT 1"
    if execute(there, names).fetchone() is not None:
        raise InvalidValueError("name", "is too much like that of another index; choose another name", config.name)
    for part in parts(config):
        execute(part.statement)
    table = f"{config.on}s"
    if config.index_type is IndexType.SPATIAL:
        execute(f'INSERT INTO "{name_of(config)}" {_place(config)} FROM {table} WHERE {is_held(config)}')
    elif config.index_type is IndexType.FULL_TEXT:
        execute(f'INSERT INTO "{name_of(config)}_due" SELECT rowid FROM {table} WHERE {is_held(config)}')
        settle(execute, config)


def drop(execute: Execute, config: IndexConfig) -> None:
    """Remove an index, with everything that belongs to it."""
    for part in reversed(parts(config)):
        execute(f'DROP {"TABLE" if part.kind == "table" else part.kind.upper()} IF EXISTS main."{part.name}"')


def drop_rest(execute: Execute) -> None:
    """Remove the tables of indexes that are in no list any more, once all others were dropped."""
    tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name LIKE '\\_index\\_%' ESCAPE '\\'"
    for which in (f"{tables} AND sql LIKE 'CREATE VIRTUAL %'", tables):  # first what removes other tables with it
        for (name,) in execute(which).fetchall():
            execute(f'DROP TABLE main."{name}"')


def settle(execute: Execute, config: IndexConfig) -> None:
    """Write the words of the rows that a transaction wrote, if an index is one of words."""
    if config.index_type is not IndexType.FULL_TEXT:
        return
    name, table = name_of(config), f"{config.on}s"
    texts = ", ".join(fulltext.words_of(f"({text_of(path)})") for path in config.paths)
    execute(
        f'INSERT INTO "{name}"(rowid, {_fields(config)}) SELECT rowid, {texts} FROM {table}'
        f' WHERE rowid IN (SELECT id FROM "{name}_due") ORDER BY rowid'
    )
    execute(f'DELETE FROM "{name}_due"')


def clause(config: IndexConfig, of: str = "") -> list[str]:
    """Return the conditions of a partial index, each as SQL."""
    return [paths.term(each, of) for each in config.terms]


def ends(text: str) -> tuple[str, str]:
    """Return the expressions of the two ends of a text that a hash index holds, beside its length."""
    return f"substr({text}, 1, {ENDS})", f"substr({text}, -{ENDS})"


def degrees(path: Path, of: str = "") -> tuple[str, str]:
    """Return the expressions of the latitude and longitude of the place at a path."""
    lat, lon = (paths.expression((*path, key), of) for key in ("lat", "lon"))
    return f"({lat})", f"({lon})"


def is_place(path: Path, of: str = "") -> str:
    """Return the condition that there is a place at a path, as ``words.places`` has it."""
    both = zip(("lat", "lon"), degrees(path, of), (90, 180), strict=True)
    return " AND ".join(
        f"({paths.type_expression((*path, key), of)}) IN ('integer', 'real') AND {value} BETWEEN -{most} AND {most}"
        for key, value, most in both
    )


def parts(config: IndexConfig) -> Sequence[Made]:
    """Return what an index is made of, in order."""
    name, table = name_of(config), f"{config.on}s"
    if config.index_type is IndexType.SPATIAL:
        made = f'CREATE VIRTUAL TABLE "{name}" USING rtree(id, south, north, west, east)'
        entered = f'INSERT INTO "{name}" {_place(config, "new.")} WHERE {is_held(config, "new.")}'
        return [Made("table", name, name, made), *_triggers(config, entered)]
    if config.index_type is IndexType.FULL_TEXT:
        made = f"CREATE VIRTUAL TABLE \"{name}\" USING fts5({_fields(config)}, tokenize='ascii')"
        due = f'CREATE TABLE "{name}_due" (id INTEGER PRIMARY KEY)'
        entered = f'INSERT OR IGNORE INTO "{name}_due" SELECT new.rowid WHERE {is_held(config, "new.")}'
        return [
            Made("table", name, name, made), Made("table", f"{name}_due", f"{name}_due", due),
            *_triggers(config, entered, f'DELETE FROM "{name}_due" WHERE id = old.rowid; '),
        ]  # fmt: skip
    if config.index_type is IndexType.HASH:
        text = f"({text_of(config.paths[0])})"
        indexed = ", ".join((f"length({text})", *ends(text)))
    else:
        indexed = ", ".join(_indexed(each) for each in config.paths)
    conditions = clause(config)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return [Made("index", name, table, f'CREATE INDEX "{name}" ON {table}({indexed}){where}')]


def _indexed(path: Path) -> str:
    return path[0] if len(path) == 1 else f"({paths.expression(path)})"


def text_of(path: Path, of: str = "") -> str:
    """Return the expression of the text at a path; NULL if something else stands there."""
    value = paths.expression(path, of)
    return value if len(path) == 1 else f"CASE WHEN ({paths.type_expression(path, of)}) = 'text' THEN ({value}) END"


def _fields(config: IndexConfig) -> str:
    return ", ".join(f"c{number}" for number in range(len(config.paths)))


def _place(config: IndexConfig, of: str = "") -> str:
    lat, lon = degrees(config.paths[0], of)
    return f"SELECT {of}rowid, {lat}, {lat}, {lon}, {lon}"


def is_held(config: IndexConfig, of: str = "") -> str:
    """Return the condition that an index that is a table holds a row."""
    if config.index_type is IndexType.SPATIAL:
        conditions = [is_place(config.paths[0], of)]
    else:
        conditions = [f"({' OR '.join(f'({text_of(each, of)}) IS NOT NULL' for each in config.paths)})"]
    return " AND ".join([*conditions, *clause(config, of)])


def _triggers(config: IndexConfig, entered: str, left: str = "") -> list[Made]:
    name, table = name_of(config), f"{config.on}s"
    key = "id" if config.index_type is IndexType.SPATIAL else "rowid"
    left = f'{left}DELETE FROM "{name}" WHERE {key} = old.rowid;'
    columns = sorted({each[0] for each in (*config.paths, *(term.path for term in config.terms))})
    events = {
        "in": f"INSERT ON {table} BEGIN {entered}; END",
        "changed": f"UPDATE OF {', '.join(columns)} ON {table} BEGIN {left} {entered}; END",
        "out": f"DELETE ON {table} BEGIN {left} END",
    }
    return [
        Made("trigger", f"{name}_{what}", table, f'CREATE TRIGGER "{name}_{what}" AFTER {event}')
        for what, event in events.items()
    ]
