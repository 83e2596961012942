"""
Damage: which parts of a file are not what SQLite wrote, in words for a person.

SQLite names pages and trees, which mean nothing to the owner of the tasks in them. So each table is checked by itself.
Only the file is checked here, and not whether the rows match the log: that is the doctor's work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import fulltext, schema
from edda_sync.store.sqlite.schema import ROCKS_TABLES
from edda_sync.words.errors import CorruptError

_CALLED: Final = {
    "tasks": "tasks", "documents": "documents", "tags": "tags", "entity_tags": "tags of items", "task_documents": "links",
}  # fmt: skip
_SEARCH: Final = ("full-text search", (*fulltext.TABLES, "_unindexed"))
_DERIVED: Final = ("the tables behind tasks and documents", (*schema.VIEW_TABLES, *ROCKS_TABLES))
_MADE: Final = ("indexes that people made", "_index_")
_LOG: Final = "the log of changes"  # all other tables of ours
_REST: Final = "pages of no table"
_ERRORS_MAX: Final = 1_000_000  # SQLite lists abandoned pages, too, up to this number of errors
_ABANDONED: Final = re.compile(
    r"\*\*\* in database main \*\*\*|Page \d+: never used"
)  # :func:`forget` leaves such pages


def parts(execute: Callable[..., Any], *, thorough: bool = False) -> list[str]:
    """
    Return which parts of a store's file are damaged; none if it is intact.

    Args:
        execute: Runs a statement on a connection to the file.
        thorough: Whether to check also that indexes match their tables, which takes three times as long.

    Raises:
        sqlite.Error: Not even the list of tables can be read.
    """
    check = "integrity_check" if thorough else "quick_check"
    if _is_whole(execute, f"PRAGMA main.{check}({_ERRORS_MAX})"):
        return []
    return list(dict.fromkeys(map(_called, tables(execute, check)))) or [_REST]


def can_be_made_anew(damaged: Iterable[str]) -> bool:
    """Tell whether all the damaged parts can be derived from the log, so that :func:`forget` can remove them."""
    return {_SEARCH[0], _DERIVED[0], _MADE[0], *_CALLED.values()}.issuperset(damaged)


def forget(execute: Callable[..., Any], damaged: Sequence[str]) -> None:
    """
    Remove damaged tables from a file, inside a transaction. ``clear_view`` makes them again, empty.

    To drop a table, SQLite would read all of it. So it is only removed from the list of tables, and its pages are
    abandoned.

    Args:
        execute: Runs a statement on a connection that has met no damage yet. SQLite lets no other connection write.
        damaged: What :func:`tables` returned.

    Raises:
        CorruptError: Something is damaged that cannot be derived from the log. Nothing was removed.
    """
    if not can_be_made_anew(found := list(dict.fromkeys(map(_called, damaged))) or [_REST]):
        raise CorruptError(f"edda.db ({', '.join(found)})")
    damaged = list(damaged)
    for kept in (*fulltext.TABLES, _MADE[1]):  # full text and nearness are kept in several tables
        if any(name.startswith(kept) for name in damaged):
            damaged += [name for name in _names(execute) if name.startswith(kept)]
    (version,) = execute("PRAGMA main.schema_version").fetchone()
    execute("PRAGMA writable_schema = ON")
    try:
        for name in damaged:
            execute("DELETE FROM main.sqlite_master WHERE tbl_name = ?", (name,))
        execute(f"PRAGMA main.schema_version = {version + 1}")  # so that every connection notices
    finally:
        execute("PRAGMA writable_schema = OFF")


def tables(execute: Callable[..., Any], check: str = "integrity_check") -> list[str]:
    """Return the tables that are damaged, or have a damaged index."""
    return [name for name in _names(execute) if not _is_whole(execute, f'PRAGMA main.{check}("{name}")')]


def _names(execute: Callable[..., Any]) -> list[str]:
    return [name for (name,) in execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()]


def _is_whole(execute: Callable[..., Any], pragma: str) -> bool:
    try:
        lines = [line for (found,) in execute(pragma) for line in found.splitlines()]
        return lines == ["ok"] or all(_ABANDONED.fullmatch(line) for line in lines)
    except sqlite.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name != "SQLITE_ERROR" and not name.startswith(
            "SQLITE_CORRUPT"
        ):  # the former: a table lacks what it is kept in
            raise
        return False


def _called(table: str) -> str:
    if table in _CALLED:
        return _CALLED[table]
    if table.startswith(_SEARCH[1]):
        return _SEARCH[0]
    if table.startswith(_MADE[1]):
        return _MADE[0]
    if table in _DERIVED[1]:
        return _DERIVED[0]
    return _LOG if table.startswith("_") else f"table {table} of another program"
