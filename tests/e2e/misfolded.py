"""Rows that are wrong although their sums fit, as a fault of the fold would write them: nobody who reads notices them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import sums
from edda_sync.store.sqlite.names import COLUMNS_OF
from edda_sync.words.config import DATABASE_FILE

_ITEMS = "title LIKE 'The item of %'"


def misfold(home: Path, _: object = None) -> None:
    """Give the writers' items another priority in a closed store, and the sums of these rows with it."""
    with closing(sqlite.connect(str(home / DATABASE_FILE), isolation_level=None)) as connection:
        sums.prepare(connection)
        changed = connection.execute(f"UPDATE tasks SET priority = 4 WHERE {_ITEMS}").rowcount
        summed = connection.execute(
            f"UPDATE {sums.TABLES['task']} SET shown ="
            f" (SELECT {sums.FUNCTION}({COLUMNS_OF['tasks']}) FROM tasks WHERE tasks.rowid = place)"
            f" WHERE place IN (SELECT rowid FROM tasks WHERE {_ITEMS})"
        ).rowcount
    assert changed == summed > 0
