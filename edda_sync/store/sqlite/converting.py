"""
Converting: how a plain file becomes an encrypted one, and the other way round, while nobody else has it open.

1. An exclusive lock keeps all other programs out until the end. The journal is copied into the file and removed.
2. SQLCipher writes everything into a new file beside it. That file is checked, every row of it is compared with the old one,
   and it is on disk before it takes the place of the old one, in one step.
3. A plain file is then overwritten with zeros, in case its blocks on the disk are found by somebody. Of an encrypted one
   only the first page is, so that a program that had just opened it, and was waiting, cannot take it for the new one.

A process that is killed before the new file takes its place leaves the old one as it was. What it left beside it is removed
the next time.

Source: https://www.zetetic.net/sqlcipher/sqlcipher-api/#sqlcipher_export, and https://sqlite.org/howtocorrupt.html,
"Unlinking or renaming a database file while in use".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import connections, keyed
from edda_sync.store.sqlite.errors import is_busy, translated
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, UsageError
from edda_sync.words.files import disk_error, make_file, mend_file, sync_folder

Progress = Callable[[str], object]

_UNFINISHED: Final = ".converting"  # behind the name of the file
_CHUNK_BYTES: Final = 1024 * 1024
_PAGE_BYTES: Final = 4_096


def convert(
    path: Path,
    before: str | None,
    after: str | None,
    progress: Progress = lambda _doing: None,
    ahead: Callable[[], object] = lambda: None,
) -> None:
    """
    Encrypt a store's file, decrypt it, or encrypt it anew.

    Args:
        path: The file, without symbolic links in its path. It is not open in this process.
        before: Its key, as SQLCipher takes it; None if it is plain.
        after: The key that it gets, which is in the key file already; None if it becomes plain.
        progress: Called with what is being done, in words.
        ahead: Called before the new file takes the place of the old one, while nobody else can open either.

    Raises:
        UsageError: Somebody has it open.
        CorruptError: It is damaged, or the new file is not the same. The old one is as it was.
        DiskFullError, ReadOnlyError: The new file cannot be written. The old one is as it was.
    """
    unfinished = Path(f"{path}{_UNFINISHED}")
    with connections.opening():
        if connections.is_open(path):
            raise UsageError(f"{path} is open in this process; close it first. Nothing was changed.")
        _remove(unfinished)
        with translated(path), closing(_alone(path, before)) as connection:
            try:
                progress("Checking")
                _check_sound(connection, path)
                make_file(unfinished)
                mend_file(unfinished)
                progress("Copying")
                with _attached(connection, unfinished, after):
                    _copy(connection)
                    progress("Comparing")
                    _check_same(connection, path)
                progress("Checking")
                _check_whole(unfinished, after)
                ahead()
                _swap(unfinished, path, is_plain=before is None)
            except BaseException as error:
                _remove(unfinished)
                if isinstance(error, OSError):
                    raise disk_error(path, error) from error
                raise


def plain_files(path: Path, needed: Collection[Path] = ()) -> list[str]:
    """
    Return the names of the files beside an encrypted store that are, or may be, plain: journals that were put aside, copies
    from before a migration, and stores in folders there, such as one that a join has put aside.

    Args:
        path: The store's file.
        needed: Folders there whose stores nobody may delete yet.
    """
    beside = sorted(each for each in path.parent.glob(f"{path.name}?*") if each.is_file())
    aside = [each for each in beside if each.name.startswith(f"{path.name}-wal-aside-")]
    kept = {each.name for each in needed}
    within = sorted(each for each in path.parent.glob(f"*/{path.name}") if each.parent.name not in kept)
    return [str(each.relative_to(path.parent)) for each in [*beside, *within] if each in aside or is_plain(each)]


def is_plain(path: Path) -> bool:
    """Tell whether a file is a plain store."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"
    return False


def _alone(path: Path, key: str | None) -> Any:
    """Return a connection that holds a file exclusively. Its journal is in the file."""
    connection = sqlite.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        if key is not None:
            keyed.give(connection, key)
        connection.execute(
            f"PRAGMA busy_timeout = {int(limits.MAKING_S * 1000)}"
        )  # somebody may be closing it just now
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            for mode in (
                "DELETE",
                "MEMORY",
            ):  # the first one copies the journal, and the second leaves no file of its own
                connection.execute(f"PRAGMA main.journal_mode = {mode}").fetchone()
        except sqlite.OperationalError as error:
            if not is_busy(error):
                raise
            raise UsageError(
                f"{path} is in use by another program; nothing was changed: end `edda up` and every other program that uses "
                "this store, then try again."
            ) from None
        with suppress(FileNotFoundError):
            os.unlink(f"{path}-journal")  # of the exclusive lock; it is empty
        return connection
    except BaseException:
        connection.close()
        raise


@contextmanager
def _attached(connection: Any, unfinished: Path, key: str | None) -> Iterator[None]:
    connection.execute("ATTACH ? AS target KEY ?", (str(unfinished), key or ""))
    try:
        connection.execute("PRAGMA target.journal_mode = OFF").fetchone()
        connection.execute("PRAGMA target.synchronous = OFF")  # it is synced once, at the end
        yield
    finally:
        with suppress(sqlite.Error):
            connection.execute("DETACH target")


def _copy(connection: Any) -> None:
    connection.execute("SELECT sqlcipher_export('target')").fetchone()
    for name in ("user_version", "application_id"):  # which it does not copy
        (value,) = connection.execute(f"PRAGMA main.{name}").fetchone()
        connection.execute(f"PRAGMA target.{name} = {value}")


def _check_same(connection: Any, path: Path) -> None:
    """
    Compare both files, table by table and row by row.

    Raises:
        CorruptError: They are not the same.
    """
    schemas = [connection.execute(f"SELECT type, name, tbl_name, sql FROM {name}.sqlite_master") for name in _BOTH]
    tables, others = (sorted(map(tuple, schema), key=repr) for schema in schemas)
    if tables != others:
        raise CorruptError(f"The copy of {path}")
    for kind, name, _, sql in tables:
        if kind != "table" or sql is None or sql.upper().startswith("CREATE VIRTUAL"):
            continue  # a virtual table keeps its rows in other tables
        columns = "*" if "WITHOUT ROWID" in sql.upper() else "rowid, *"
        rows = [connection.execute(f'SELECT {columns} FROM {each}."{name}"') for each in _BOTH]
        if any(one != other for one, other in zip_longest(*rows)):
            raise CorruptError(f"The copy of {path}")


_BOTH: Final = ("main", "target")


def _check_whole(unfinished: Path, key: str | None) -> None:
    """Let SQLite and SQLCipher check the new file, as it is read by a new connection."""
    with closing(sqlite.connect(f"{unfinished.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
        if key is not None:
            keyed.give(connection, key)
        _check_sound(connection, unfinished)
        if key is not None and connection.execute("PRAGMA cipher_integrity_check").fetchall():
            raise CorruptError(str(unfinished))


def _check_sound(connection: Any, path: Path) -> None:
    """
    Let SQLite check a file.

    Raises:
        CorruptError: It is damaged.
    """
    if connection.execute("PRAGMA main.integrity_check(1)").fetchall() != [("ok",)]:
        raise CorruptError(str(path))


def _swap(unfinished: Path, path: Path, *, is_plain: bool) -> None:
    """Let the new file take the place of the old one, and overwrite that. The lock on the old one is lost at the end."""
    with open(unfinished, "rb+") as new:
        owner = os.stat(path)
        if owner.st_uid != os.geteuid():  # an administrator converts the store of another user
            os.fchown(new.fileno(), owner.st_uid, owner.st_gid)
        os.fsync(new.fileno())
    with open(path, "rb+", buffering=0) as old:
        os.replace(unfinished, path)
        sync_folder(path.parent)
        size = os.fstat(old.fileno()).st_size if is_plain else _PAGE_BYTES
        old.writelines(bytes(min(_CHUNK_BYTES, size - at)) for at in range(0, size, _CHUNK_BYTES))
        os.fsync(old.fileno())


def _remove(unfinished: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(f"{unfinished}{suffix}")
