"""
Rekeying: how the data key of an encrypted file is replaced while other threads and processes use the store.

1. The new key is in the key file, beside the others, before anything else is done. It is on disk.
2. SQLCipher writes every page anew in one transaction. A process that is killed before the end leaves the file under its old
   key, and one that is killed later leaves it under the new one. Both are in the key file.
3. Whoever had the file open cannot read it any more. It reads the key file again, makes a new connection, and goes on
   (``readers``, ``committing``, ``keyed``). What a reader was already reading it reads to its end.
4. The journal is copied into the file, so that no page under the old key is left.

Writers wait during the second step: about a second for each 50 MB.

Source: https://www.zetetic.net/sqlcipher/sqlcipher-api/#rekey
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.errors import translated
from edda_sync.words.errors import CorruptError

if TYPE_CHECKING:
    from edda_sync.sealing.datakeys import DataKey
    from edda_sync.store.sqlite.store import SqliteStore


def rekey(store: SqliteStore, key: DataKey) -> bool:
    """
    Encrypt a store's file with another data key, while others use the store.

    Args:
        store: An open, encrypted store.
        key: The key, which is in the key file already.

    Returns:
        Whether the file had another key before.

    Raises:
        BusyError: Another process is writing for too long. The file has its old key.
        DiskFullError: There is no room for a journal as large as the file. The file has its old key.
        CorruptError: The file is damaged, or cannot be read with the new key.
    """
    with translated(store.path):
        with closing(store.connect()) as connection:
            if connection.key == key.pragma:
                return False
            connection.execute("BEGIN IMMEDIATE")  # others would make the next statement fail without saying why
            connection.execute(f'PRAGMA rekey = "{key.pragma}"').fetchone()
            connection.execute("COMMIT")
        with closing(store.connect()) as connection:
            if connection.key != key.pragma:
                raise CorruptError(str(store.path))
            connection.execute(
                "PRAGMA busy_timeout = 0"
            )  # a checkpoint that waited for readers would block all writers
            with suppress(sqlite.OperationalError):  # somebody reads an old state: a later checkpoint does it
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return True


def key_in_use(store: SqliteStore) -> DataKey | None:
    """Return the data key that a store's file has now; None for a plain one. It may be older than the newest key."""
    if store.keys is None:
        return None
    with closing(store.connect()) as connection:
        return next(each for each in store.keys.data.keys if each.pragma == connection.key)
