"""
Damage: which parts of a file are not what SQLite wrote, as a person calls them.

SQLite names pages and trees, which says nothing to whoever has tasks in them. So each table is checked by itself. It is
the file that is looked at here, and not whether rows say what the log says: that is for the doctor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import fulltext, schema

_CALLED: Final = {
    "tasks": "tasks", "documents": "documents", "tags": "tags", "entity_tags": "tags of items", "task_documents": "links",
}  # fmt: skip
_SEARCH: Final = ("full-text search", (*fulltext.TABLES, "_unindexed"))
_DERIVED: Final = ("what tells how tasks and documents came about", schema.VIEW_TABLES)
_LOG: Final = "the log of changes"  # all else of ours
_REST: Final = "pages of no table"


def parts(execute: Callable[..., Any], *, thorough: bool = False) -> list[str]:
    """
    Return which parts of a store's file are damaged; none when it is whole.

    Args:
        execute: Runs a statement on a connection to it.
        thorough: Whether to look also whether indexes hold what tables hold, which takes three times as long.

    Raises:
        sqlite.Error: It cannot even be told what tables there are.
    """
    check = "integrity_check" if thorough else "quick_check"
    if _is_whole(execute, f"PRAGMA main.{check}(1)"):
        return []
    tables = [name for (name,) in execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()]
    found = [_called(name) for name in tables if not _is_whole(execute, f'PRAGMA main.{check}("{name}")')]
    return list(dict.fromkeys(found)) or [_REST]


def _is_whole(execute: Callable[..., Any], pragma: str) -> bool:
    try:
        return [row[0] for row in execute(pragma)] == ["ok"]
    except sqlite.DatabaseError as error:
        if not (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_CORRUPT"):
            raise
        return False


def _called(table: str) -> str:
    if table in _CALLED:
        return _CALLED[table]
    if table.startswith(_SEARCH[1]):
        return _SEARCH[0]
    if table in _DERIVED[1]:
        return _DERIVED[0]
    return _LOG if table.startswith("_") else f"table {table} of another program"
