"""
What must be true of a file before SQLite opens it: it is a store of ours, or empty, and only its owner can read it. And of
a connection before it is used: it acknowledges only what is on disk.

SQLite creates a missing file with the permissions that the umask leaves, and follows a symbolic link that points at nothing.
So the file is created here. SQLite gives the journal and the shared index beside it the permissions of the file.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import journal, schema
from edda_sync.words import errors, limits
from edda_sync.words.files import disk_error, make_file, mend_file, opener, without_links
from edda_sync.words.order import TITLE_KEY, title_key

if TYPE_CHECKING:
    from edda_sync.store.sqlite.keyed import FileKeys

_HEAD_BYTES: Final = 100  # of the file's header, at the beginning of the first page
_MAGIC: Final = b"SQLite format 3\0"
_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_WAL_RETRY_S: Final = 0.005
_CHECKPOINT_PAGES: Final = 4_000  # of the journal, 16 MB: a page that changes often is copied only once in that many
_PAGE_BYTES: Final = 4_096
_SETTINGS: Final = """
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -16384;
"""
_VALUES_OF_RANDOM: Final = 250  # different bytes in 4,096: random ones have all 256, or nearly
_BESIDE: Final = ("-wal", "-shm", "-journal")


def prepare_file(path: Path, real: Path | None = None) -> Path:
    """
    Create a store's file, empty and private to its owner, or repair the permissions of an existing one.

    Args:
        path: A file that :func:`check_file` accepted.
        real: Its path without symbolic links, if the caller has resolved it already.

    Returns:
        Its path without symbolic links: a link may point elsewhere when the file is opened again.

    Raises:
        LinkError: The path is a link that points at nothing, or a file beside it is a link.
        NotPrivateError: Others can read it, and that cannot be changed.
        StorageError: It cannot be created.
    """
    found = real or without_links(path)
    if not mend_file(found):
        make_file(path)
        mend_file(found)  # another process may have made it
    for suffix in _BESIDE:
        mend_file(f"{found}{suffix}")
    return found


def mode_to_read(path: Path, keys: FileKeys | None = None) -> str:
    """
    Return the mode in which SQLite opens a file that can only be read.

    While a process uses the store, a journal and its index lie beside the file, and SQLite reads them. If neither is there,
    no process uses it. SQLite would then try to create them, so it is told that the file does not change.

    Args:
        path: The file.
        keys: Its keys, if it is encrypted.

    Source: https://sqlite.org/wal.html, "Read-Only Databases".
    """
    beside = os.path.exists(f"{path}-wal") or os.path.exists(f"{path}-shm")
    return "ro" if beside and not journal.is_anothers(path, keys) else "ro&immutable=1"


def keys_of(path: Path, head: bytes | None) -> FileKeys | None:
    """Return the keys of a file, if it is encrypted. A person may be asked for its passphrase."""
    if head is None:
        return None
    from edda_sync.store.sqlite import keyed  # only for encrypted stores

    return keyed.FileKeys(path, head)


def has_key_file(path: Path) -> bool:
    """Tell whether a key file lies beside a file, under the name that ``sealing.keyfile`` gives it."""
    return os.access(f"{path}-key", os.F_OK)


def _check_key_file(path: Path) -> None:
    """
    Check that a file does not look like an encrypted store whose key file is missing.

    Raises:
        StoreKeyError: It does: it has whole pages, and the first one is random.
    """
    with open(path, "rb") as file:
        page, size = file.read(_PAGE_BYTES), os.fstat(file.fileno()).st_size
    if size % _PAGE_BYTES == 0 and len(set(page)) > _VALUES_OF_RANDOM:
        raise errors.StoreKeyError(
            str(path),
            f"its key file {path.name}-key is missing (or it was overwritten)",
            "put both back from the same backup, or get the content from another device",
        )


def check_file(path: Path, real: Path | None = None) -> bytes | None:
    """
    Check a file before SQLite opens it, so that a file that is not ours stays as it is.

    The content of an encrypted file cannot be checked yet. It is one if a key file lies beside it.

    Args:
        path: The file.
        real: Its path without symbolic links, if the caller has resolved it already.

    Returns:
        The first bytes of a file that is encrypted, or will be; None for a plain one.

    Raises:
        NotAStoreError: It is not a store.
        StoreKeyError: It looks encrypted, and has no key file.
        NewerStoreError: A newer version of edda made it.
        UnreadableError: It may not be read.
    """
    try:
        with open(path, "rb", buffering=0, opener=opener) as file:
            head = file.read(_HEAD_BYTES)
        if head and not head.startswith(_MAGIC):
            head = _restored_head(path, head)
    except FileNotFoundError:
        return b"" if has_key_file(real or path) else None
    except (IsADirectoryError, NotADirectoryError):
        raise errors.NotAStoreError(str(path)) from None
    except PermissionError:
        raise errors.UnreadableError(str(path)) from None
    except OSError as error:
        raise (errors.NotAStoreError(str(path)) if error.errno == errno.EINVAL else disk_error(path, error)) from None
    if not head:
        return b"" if has_key_file(real or path) else None
    if not head.startswith(_MAGIC):
        if has_key_file(real or path):
            return head
        _check_key_file(path)
        raise errors.NotAStoreError(str(path))
    application_id = int.from_bytes(head[68:72], "big")
    if application_id not in (0, schema.APPLICATION_ID):
        raise errors.NotAStoreError(str(path))
    pages = int.from_bytes(head[28:32], "big")
    if application_id == 0 and (pages > 1 or head[60:64] != bytes(4)):  # a store has its id before its second page
        raise errors.NotAStoreError(str(path))
    found = int.from_bytes(head[60:64], "big")
    if found > schema.VERSION:
        raise errors.NewerStoreError(str(path), found, schema.VERSION)
    return None


def _restored_head(path: Path, head: bytes) -> bytes:
    """
    Return the head of the file as SQLite will repair it: a power failure may have left a first page that is partly written.

    The journal says what the file will be: its first page is restored from the journal, or it becomes empty if it was just
    being created.

    Source: https://sqlite.org/fileformat2.html, "The Rollback Journal" and "The Write-Ahead Log".
    """
    with suppress(FileNotFoundError), open(f"{path}-journal", "rb") as file:
        header = file.read(20)
        if header.startswith(_JOURNAL_MAGIC) and header[16:] == bytes(4):  # the file had no pages before
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
    Make a new connection durable and careful. Its journal is open afterwards.

    Raises:
        CorruptError: The connection would acknowledge what is not on disk.
    """
    execute = connection.execute
    _add_functions(connection)
    connection.executescript(  # one call for all settings: a call for each takes twice as long
        f"{_patience()}{_SETTINGS}PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};"
        f"PRAGMA journal_size_limit = {_CHECKPOINT_PAGES * _PAGE_BYTES}"  # a longer journal shrinks again
    )
    mode = execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        mode = _switch_to_wal(connection)
        execute("SELECT count(*) FROM sqlite_master").fetchone()  # the first read creates the journal
    synchronous = execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or synchronous != 2:
        raise errors.CorruptError(f"The durability of {path} (journal {mode}, synchronous {synchronous})")


def configure_to_read(connection: Any) -> None:
    """Make a new connection careful, to a file that can only be read."""
    _add_functions(connection)
    connection.executescript(_patience() + _SETTINGS)


def _patience() -> str:
    """Return the setting that lets a connection wait for the transactions of others."""
    return f"PRAGMA busy_timeout = {limits.BUSY_TIMEOUT_MS};"


def _add_functions(connection: Any) -> None:
    """Add the functions of our queries. No table or index uses them, so other programs can do without."""
    connection.create_function(TITLE_KEY, 1, _title_key, deterministic=True)
    connection.create_function("edda_contains", 2, _contains, deterministic=True)
    connection.create_function("edda_distance", 4, _distance, deterministic=True)


def _title_key(title: object) -> object:
    return title_key(title) if isinstance(title, str) else title  # another program may have written anything


def _contains(words: str, text: object) -> bool:
    from edda_sync.words.paths import occurs  # rarely needed

    return occurs(words, text)


def _distance(*places: Any) -> float | None:
    from edda_sync.words.places import measured  # rarely needed

    return measured(*places)


def _switch_to_wal(connection: Any) -> str:
    """Return the journal mode after the switch to WAL. If several processes switch at once, SQLite itself does not wait."""
    deadline = time.monotonic() + limits.BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)


def prepare_schema(
    connection: Any, path: Path, connect: Callable[[], Any], *, is_read_only: bool, founding: Sequence[str] = ()
) -> None:
    """
    Create a store's tables, or bring them up to date.

    Args:
        connection: A connection to the file, from :func:`configure`.
        path: The file.
        connect: Makes another connection to it.
        is_read_only: Whether the file cannot be written.
        founding: Further statements, if the tables are created.

    Raises:
        NewerStoreError: A newer version of edda made the store.
        NotAStoreError: Another program made the file.
        ReadOnlyError: The tables would have to be changed, which is not possible.
    """
    found = schema.version(connection.execute)
    if found == schema.VERSION:
        return
    if found > schema.VERSION:
        raise errors.NewerStoreError(str(path), found, schema.VERSION)
    if is_read_only:
        raise errors.ReadOnlyError(str(path))
    from edda_sync.store.sqlite import migrations  # rarely needed

    connection.execute("BEGIN IMMEDIATE")  # if two processes create or migrate a store, one waits here
    schema.refuse_newer(connection.execute)
    (name,) = connection.execute("PRAGMA application_id").fetchone()
    if name == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise errors.NotAStoreError(str(path))
    if 0 < schema.version(connection.execute) < schema.VERSION:
        with closing(connect()) as reader:  # SQLite copies nothing from a connection that may write
            migrations.copy_beside(reader, path)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    if schema.version(connection.execute):
        migrations.migrate(connection)
    else:
        migrations.found(connection)
        for statement in founding:
            connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA busy_timeout = 0")  # a checkpoint that waited for readers would block all writers
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that check_file finds the schema in the file itself
    connection.execute(_patience())
