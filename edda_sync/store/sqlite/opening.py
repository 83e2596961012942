"""
What must hold of a file before SQLite opens it: it is a store of ours or nothing yet, and only its owner reads it. And of
a connection before it is used: it acknowledges what is on disk, and nothing else.

SQLite makes a file that is missing with whatever the umask leaves, and follows a link that points at nothing. So the file
is made here; SQLite gives the journal and the shared index beside it the permissions of the file.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import journal, schema
from edda_sync.words import errors, limits
from edda_sync.words.files import make_file, mend_file, without_links

_HEAD_BYTES: Final = 100  # of the first page: the file's header
_MAGIC: Final = b"SQLite format 3\0"
_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_WAL_RETRY_S: Final = 0.005
_CHECKPOINT_PAGES: Final = 4_000  # of the journal, 16 MB: a page that changes often is copied into the file once in it
_PAGE_BYTES: Final = 4_096
_SETTINGS: Final = f"""
PRAGMA busy_timeout = {limits.BUSY_TIMEOUT_MS};
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -16384;
"""
_BESIDE: Final = ("-wal", "-shm", "-journal")


def prepare_file(path: Path, real: Path | None = None) -> Path:
    """
    Make a store's file, empty and for its owner only, or mend the permissions of the one that is there.

    Args:
        path: What :func:`check_file` has looked at.
        real: Where it is, with no link on the way, if somebody has looked that up already.

    Returns:
        Where it is, with no link on the way: a link may point elsewhere by the time the file is opened once more.

    Raises:
        LinkError: It is a link that points at nothing, or what is beside it is a link.
        NotPrivateError: Others can read it, and that cannot be changed.
        StorageError: It cannot be made.
    """
    if not os.access(path, os.F_OK):
        make_file(path)
    found = real or without_links(path)
    for suffix in ("", *_BESIDE):
        mend_file(f"{found}{suffix}")
    return found


def mode_to_read(path: Path) -> str:
    """
    Return how SQLite opens a file that can only be read.

    Whoever uses it has a journal and an index beside it, and SQLite reads them. Where there is neither, nobody does, and it
    would want to make them; so it is told that the file does not change.

    Source: https://sqlite.org/wal.html, "Read-Only Databases".
    """
    beside = os.path.exists(f"{path}-wal") or os.path.exists(f"{path}-shm")
    return "ro" if beside and not journal.is_anothers(path) else "ro&immutable=1"


def check_file(path: Path, *, written: bool = True) -> None:
    """
    Look at a file before SQLite does, so that what is not ours stays untouched.

    Args:
        path: The file.
        written: Whether it is to be written too.

    Raises:
        NotAStoreError: It is something else.
        NewerStoreError: A newer version made it.
        UnreadableError: It may not be read.
        ReadOnlyError: It may not be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            head = os.read(descriptor, _HEAD_BYTES)
        finally:
            os.close(descriptor)
        if head and not head.startswith(_MAGIC):
            head = _restored_head(path, head)
    except FileNotFoundError:
        return
    except (IsADirectoryError, NotADirectoryError):
        raise errors.NotAStoreError(str(path)) from None
    except PermissionError:
        raise errors.UnreadableError(str(path)) from None
    if not head:
        return
    if written and not os.access(path, os.W_OK):
        raise errors.ReadOnlyError(str(path))
    application_id = int.from_bytes(head[68:72], "big")
    if not head.startswith(_MAGIC) or application_id not in (0, schema.APPLICATION_ID):
        raise errors.NotAStoreError(str(path))
    pages = int.from_bytes(head[28:32], "big")
    if application_id == 0 and (pages > 1 or head[60:64] != bytes(4)):  # a store has its name before a second page
        raise errors.NotAStoreError(str(path))
    found = int.from_bytes(head[60:64], "big")
    if found > schema.VERSION:
        raise errors.NewerStoreError(str(path), found, schema.VERSION)


def _restored_head(path: Path, head: bytes) -> bytes:
    """
    Return what SQLite makes of a damaged head: power may have failed while the first page was written, torn or garbled.

    What the file then is, its journal says: the first page that it will be given back, or nothing, if it was being made.

    Source: https://sqlite.org/fileformat2.html, "The Rollback Journal" and "The Write-Ahead Log".
    """
    with suppress(FileNotFoundError), open(f"{path}-journal", "rb") as file:
        header = file.read(20)
        if header.startswith(_JOURNAL_MAGIC) and header[16:] == bytes(4):  # it began with a file of no pages
            return b""
    with suppress(FileNotFoundError), open(f"{path}-wal", "rb") as file:
        header = file.read(32)
        page_bytes = int.from_bytes(header[8:12], "big") if header[:4] in _WAL_MAGICS else 0
        while page_bytes and len(frame := file.read(24)) == 24:
            if int.from_bytes(frame[:4], "big") == 1:
                return file.read(_HEAD_BYTES)
            file.seek(page_bytes, os.SEEK_CUR)
    return head


def configure(connection: Any, path: Path) -> None:
    """
    Make a new connection durable and careful; its journal is open afterwards.

    Raises:
        CorruptError: It would acknowledge what is not on disk.
    """
    execute = connection.execute
    connection.executescript(  # one call for all: one for each takes twice as long
        f"{_SETTINGS}PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};"
        f"PRAGMA journal_size_limit = {_CHECKPOINT_PAGES * _PAGE_BYTES}"  # what grew beyond it shrinks again
    )
    mode = execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        mode = _switch_to_wal(connection)
        execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first look makes the journal
    synchronous = execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or synchronous != 2:
        raise errors.CorruptError(f"The durability of {path} (journal {mode}, synchronous {synchronous})")


def configure_to_read(connection: Any) -> None:
    """Make a new connection to a file that can only be read careful."""
    connection.executescript(_SETTINGS)


def _switch_to_wal(connection: Any) -> str:
    """Return the journal's mode after the switch. Of processes that make it at once, SQLite lets none wait by itself."""
    deadline = time.monotonic() + limits.BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)


def prepare_schema(connection: Any, path: Path, *, is_read_only: bool) -> None:
    """
    Bring a store's tables up to date, or make them.

    Args:
        connection: A connection to the file, from :func:`configure`.
        path: The file, for what an error says.
        is_read_only: Whether the file cannot be written.

    Raises:
        NewerStoreError: A newer version made it.
        NotAStoreError: Another program did.
        ReadOnlyError: The tables would have to be changed, and cannot be.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > schema.VERSION:
        raise errors.NewerStoreError(str(path), found, schema.VERSION)
    if found == schema.VERSION:
        return
    if is_read_only:
        raise errors.ReadOnlyError(str(path))
    connection.execute("BEGIN IMMEDIATE")  # of two processes that make a store, one waits here
    (name,) = connection.execute("PRAGMA application_id").fetchone()
    if name == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise errors.NotAStoreError(str(path))
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    schema.migrate(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA busy_timeout = 0")  # whoever waits for readers lets nobody write meanwhile
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that check_file finds it in the file itself
    connection.execute(f"PRAGMA busy_timeout = {limits.BUSY_TIMEOUT_MS}")
