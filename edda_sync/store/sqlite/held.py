"""
Whether what finds rows holds what the rows say: the full text of all of them, and the indexes of people that are tables.

SQLite checks its own indexes, and each such table by itself. It cannot know that a row is missing from a table that another
program wrote into, or whose trigger was away for a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edda_sync.store.sqlite import fulltext, indexing
from edda_sync.words.indexes import IndexConfig, IndexType


def wrong(connection: Any) -> list[str]:
    """
    Return what does not hold what the rows say, in words for a person.

    Args:
        connection: A connection to the file. It gets a function to fold words.

    Raises:
        CorruptError: The list of the indexes that people made is damaged.
    """
    fulltext.prepare(connection)
    found = [] if fulltext.is_outdated(connection.execute) else [*_wrong_search(connection.execute)]
    for config in indexing.held(connection.execute):
        if _is_wrong(connection.execute, config):
            found.append(f"the index {config.name}")
    return found


def _wrong_search(execute: indexing.Execute) -> Iterator[str]:
    for kind, body in fulltext.BODIES.items():
        held, due = f"_{kind}_search_content", f"(SELECT id FROM _unindexed WHERE kind = '{kind}')"
        columns = {"c0": fulltext.words_of("title"), "c1": fulltext.words_of(body)}
        if _differs(execute, held, f"{kind}s", f"{kind}s.id NOT IN {due}", columns):
            yield f"the search in {kind}s"


def _is_wrong(execute: indexing.Execute, config: IndexConfig) -> bool:
    table, name = f"{config.on}s", indexing.name_of(config)
    if config.index_type is IndexType.FULL_TEXT:
        texts = [fulltext.words_of(f"({indexing.text_of(path)})") for path in config.paths]
        columns = {f"c{number}": text for number, text in enumerate(texts)}
        return _differs(execute, f"{name}_content", table, indexing.is_held(config), columns)
    if config.index_type is IndexType.SPATIAL:
        lat, lon = indexing.degrees(config.paths[0])
        inside = f"({lat} BETWEEN south AND north AND {lon} BETWEEN west AND east)"  # an R*Tree rounds outwards
        return _differs(execute, name, table, indexing.is_held(config), {inside: "1"})
    return False  # an index of SQLite, which the check of the file compares with its table


def _differs(execute: indexing.Execute, held: str, table: str, condition: str, columns: dict[str, str]) -> bool:
    """
    Tell whether a table holds other rows than those of another table that fulfil a condition, or other values of them.

    Args:
        execute: Runs a statement.
        held: The table, whose ``id`` is the number of the row.
        table: The table of the rows.
        condition: Which rows it has to hold.
        columns: For each column or expression of ``held``, the expression over a row that is to have the same value.
    """
    values = " OR ".join(f"{column} IS NOT {expression}" for column, expression in columns.items())
    gone = f'SELECT 1 FROM main.{table} LEFT JOIN main."{held}" AS held ON held.id = {table}.rowid WHERE {condition}'
    extra = f'SELECT 1 FROM main."{held}" AS held LEFT JOIN main.{table} ON {table}.rowid = held.id'
    either = f"{gone} AND (held.id IS NULL OR {values}) UNION ALL {extra} WHERE {table}.rowid IS NULL"
    return execute(f"{either} LIMIT 1").fetchone() is not None
