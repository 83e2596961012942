"""Work that is done when nobody writes: derived data, which need not be synced, and checkpoints of the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.connections import Connection
from edda_sync.words import errors

_PAGES: Final = 2_000  # pages in the journal that make a checkpoint worth while: half of the most that are allowed


@contextmanager
def unsynced(connection: Connection) -> Iterator[None]:
    """
    Let a commit inside return before it is on disk. Use this only for derived data, which can be derived again.

    If power fails before the next synced commit or checkpoint, the journal ends with what was last synced. So nothing that
    was acknowledged is lost.

    Raises:
        sqlite.Error: The connection cannot be set back to full durability, and must not be used any more.

    Source: https://sqlite.org/pragma.html#pragma_synchronous
    """
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def is_long(connection: Connection) -> bool:
    """Tell whether many pages of the journal have not been copied into the file yet."""
    with suppress(sqlite.Error):
        _, pages, copied = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        return bool(pages - copied > _PAGES)
    return False


def shorten(connect: Callable[[], Connection]) -> None:
    """
    Copy the journal into the file. Otherwise a later commit would do it, and wait for thousands of pages.

    This has a connection of its own, so that writers need not wait meanwhile. A fault shows at the next commit.
    """
    with suppress(sqlite.Error, errors.StorageError):
        connection = connect()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()
