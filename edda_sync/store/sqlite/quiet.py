"""What is done once nobody writes: what may wait, without waiting for the disk; and the journal goes into the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.connections import Connection
from edda_sync.words import errors

_PAGES: Final = 2_000  # of the journal that are brought into the file when it is quiet: half of what is at most


@contextmanager
def unsynced(connection: Connection) -> Iterator[None]:
    """
    Let what is derived, and would be derived again, come to the disk with the next commit or checkpoint.

    Should power fail before, the journal ends with what was synced last: nothing that was acknowledged is lost.

    Raises:
        sqlite.Error: The connection cannot be set back, and must not be used any more.

    Source: https://sqlite.org/pragma.html#pragma_synchronous
    """
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def is_long(connection: Connection) -> bool:
    """Tell whether much of the journal is not in the file yet."""
    with suppress(sqlite.Error):
        _, pages, copied = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        return bool(pages - copied > _PAGES)
    return False


def shorten(connect: Callable[[], Connection]) -> None:
    """
    Bring the journal into the file: else somebody's commit does, and waits for thousands of pages.

    Whoever writes meanwhile need not wait: it is done by a connection of its own. A fault shows at the next commit.
    """
    with suppress(sqlite.Error, errors.StorageError):
        connection = connect()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()
