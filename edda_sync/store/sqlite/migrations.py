"""
Migrations: how a store that an older version made gets the tables of this one.

1. Migrations have names and an order (``schema.MIGRATIONS``). All that a store lacks are applied in one transaction, each
   together with its record: its name and time in the table ``_sqlite_migrations``, and the count in ``user_version``.
2. Before the first of them, the whole store is copied beside itself. The copy is a store that the older version opens.
3. A process of the older version may still have the store open. It sees the new count with the first state that it reads
   or writes after the migration, and refuses to go on (``schema.refuse_newer``).

Opening an up-to-date store needs nothing of this.

Source: sqlite-utils, "Migrations".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import schema, sums
from edda_sync.words.files import disk_error, make_file, mend_file, sync_folder

_SET: Final = "edda_sync"
_RECORDS: Final = (
    """CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
)""",
    """CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name")""",
)
"""Where sqlite-utils keeps its records, letter for letter as it makes it."""
_COPY: Final = ".version-"  # of the store's version, behind the name of the file


class Applied(NamedTuple):
    """A migration of a store: its name, and when it was applied, in UTC."""

    name: str
    at: str


def migrate(connection: Any, migrations: Sequence[schema.Migration] = schema.MIGRATIONS) -> None:
    """Apply the migrations that a store lacks, inside a transaction of the caller's."""
    from sqlite_utils import Database, Migrations

    sums.prepare(connection)
    known = Migrations(_SET)
    for number, migration in enumerate(migrations, start=1):

        def apply(_database: Any, number: int = number, migration: schema.Migration = migration) -> None:
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")

        known(name=migration.name)(apply)
    known.apply(Database(connection))


def found(connection: Any) -> None:
    """
    Create the tables of a new store, inside a transaction of the caller's: all that :func:`migrate` would leave.

    A first command waits for it. Without sqlite-utils, whose import and bookkeeping take longer than all the statements, it
    takes a tenth of the time.
    """
    sums.prepare(connection)
    for statement in (*_RECORDS, *schema.statements()):
        connection.execute(statement)
    now = str(datetime.now(UTC))
    rows = [(_SET, migration.name, now) for migration in schema.MIGRATIONS]
    connection.executemany("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", rows)
    connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def applied(execute: schema.Execute) -> list[Applied]:
    """Return the migrations that a store has, in the order in which they were applied."""
    rows = execute("SELECT name, applied_at FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (_SET,))
    return [Applied(*row) for row in rows]


def copy_beside(connection: Any, path: Path) -> Path:
    """
    Copy a store beside itself, as it was last committed, and return the path of the copy.

    Args:
        connection: A connection to the store that reads. The caller's other one keeps everybody from writing meanwhile.
        path: The store's file.

    Raises:
        StorageError: The copy cannot be made.
    """
    target = Path(f"{path}{_COPY}{schema.version(connection.execute)}")
    unfinished = Path(f"{target}.unfinished")
    with suppress(FileNotFoundError):
        unfinished.unlink()  # a copy that was interrupted
    make_file(unfinished)
    mend_file(unfinished)
    try:
        with closing(sqlite.connect(str(unfinished), isolation_level=None)) as copy:
            if connection.key is not None:
                from edda_sync.store.sqlite import keyed  # only for encrypted stores

                keyed.give(copy, connection.key)
            connection.backup(copy)
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, target)
        sync_folder(target.parent)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            raise disk_error(target, error) from error
        raise
    return target


def copies(path: Path) -> list[Path]:
    """Return the copies that were made of a store before its migrations, in the order of their versions."""
    beside = path.parent.glob(f"{path.name}{_COPY}*")
    numbered = [(each.name.removeprefix(f"{path.name}{_COPY}"), each) for each in beside]
    return [each for number, each in sorted(numbered, key=lambda one: (len(one[0]), one[0])) if number.isdigit()]
