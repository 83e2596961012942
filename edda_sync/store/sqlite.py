"""
The SQLite store: one file, one writer, a pool of readers, any number of processes.

1. One connection writes, under one lock: on the caller's thread while nobody else writes, which saves two switches of
   threads a commit, else on a thread of its own. Transactions that wait for that thread are committed together, each in
   a savepoint, and each is acknowledged only when their common COMMIT is on disk.
2. ``journal_mode=WAL`` and ``synchronous=FULL`` are read back when a connection opens: a store that would acknowledge
   before the disk has it does not open.
3. After a failed COMMIT, or an I/O error, the writer's connection is thrown away: what the pages in memory say about
   the disk is not known any more (Rebello et al., "Can applications recover from fsync failures?", ATC 2020).
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync import errors, limits
from edda_sync.store import schema
from edda_sync.store.tables import SqliteReader, SqliteWriter

T = TypeVar("T")

FILE_NAME: Final = "edda.db"
_BATCH_MAX: Final = 64  # transactions of one COMMIT
_WAL_RETRY_S: Final = 0.005
_ROOM_BYTES: Final = 64 * 1024  # with less a disk is full, though SQLite calls it a fault where its shared index grows
_CHECKPOINT_PAGES: Final = 4_000  # of the journal, 16 MB: a page that changes often is copied into the file once in it
_HEAD_BYTES: Final = 100  # of the first page: the file's header
_MAGIC: Final = b"SQLite format 3\0"
_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_Job = tuple[Callable[[SqliteWriter], Any], "Future[Any]"]


class SqliteStore:
    """
    A store in one SQLite file.

    Call :meth:`transact` to write, :meth:`read` to look, :meth:`close` at the end.

    Args:
        path: The file; its folder exists. A missing file is made.
        on_end: Called after each transaction, on the thread that ran it: True when it is on disk, False when it left
            no trace.

    Attributes:
        on_idle: Run in a transaction of its own once nobody has written for ``PROJECT_DELAY_S``, and again while it
            returns True.

    Raises:
        NotAStoreError: The file holds something else.
        NewerStoreError: A newer version made it.
        ReadOnlyError, DiskFullError: It cannot be made.
    """

    def __init__(self, path: Path, on_end: Callable[[bool], None] = lambda _committed: None) -> None:
        self.path = path
        self._on_end = on_end
        self.on_idle: Callable[[SqliteWriter], bool] | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # None: look whether something else is due
        self._idle: list[Any] = []
        self._watcher: Any = None
        self._lock = threading.Lock()  # for a moment only; whoever writes may take it
        self._thread: threading.Thread | None = None
        self._closed = False
        self._writing = threading.Lock()  # for as long as a transaction takes
        self._writer: SqliteWriter | None = None
        self._written_at = 0.0  # monotonic seconds
        self._idle_due = False
        check_file(path)
        with _translated(path):
            self._prepare()

    # --- writing ------------------------------------------------------------------------------------------------------

    def transact(self, work: Callable[[SqliteWriter], T]) -> T:
        """Run ``work`` in one durable transaction; return what it returns once that is on disk."""
        if not self._jobs.empty() or not self._writing.acquire(blocking=False):
            return self.submit(work).result()  # somebody writes: wait together with the others who do
        done: Future[T] = Future()
        try:
            self._check_open()
            self._commit([(work, done)])
            self._put_off()
        finally:
            self._writing.release()
        return done.result()

    def submit(self, work: Callable[[SqliteWriter], T]) -> Future[T]:
        """Queue ``work`` for the writer's thread; the future ends once it is on disk, or has left no trace."""
        done: Future[T] = Future()
        with self._lock:
            self._check_open()
            self._wake((work, done))
        return done

    def _check_open(self) -> None:
        if self._closed:
            raise errors.UsageError("This store is closed; open it again.")

    def _wake(self, job: _Job | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="edda-store", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _put_off(self) -> None:
        """Note that something was written: what may wait is due once it is quiet."""
        self._written_at = time.monotonic()
        if self.on_idle is not None and not self._idle_due:
            self._idle_due = True
            with self._lock:
                if not self._closed:
                    self._wake(None)

    def _run(self) -> None:
        while True:
            batch = self._gather()
            with self._writing:
                if batch:
                    self._commit(batch)
                    self._put_off()
                elif self._closed and self._jobs.empty():  # a wake-up may have come before the last transactions
                    return
                elif self._idle_due and time.monotonic() >= self._written_at + limits.PROJECT_DELAY_S:
                    self._idle_due = self._catch_up()

    def _gather(self) -> list[_Job]:
        """Wait for transactions; return none when something else may be due."""
        batch: list[_Job] = []
        with suppress(queue.Empty):
            job = self._jobs.get(timeout=self._patience_s())
            while job is not None:
                batch.append(job)
                job = self._jobs.get_nowait() if len(batch) < _BATCH_MAX else None
        return batch

    def _patience_s(self) -> float | None:
        if self._closed:
            return 0.0
        return max(0.0, self._written_at + limits.PROJECT_DELAY_S - time.monotonic()) if self._idle_due else None

    def _catch_up(self) -> bool:
        """Do what was put off; True when there is more of it. A fault shows at the next write, and loses nothing."""
        if self.on_idle is None:
            return False
        done: Future[bool] = Future()
        self._commit([(self.on_idle, done)])
        return done.exception() is None and done.result()

    def _commit(self, batch: list[_Job]) -> None:
        """Run a batch in one SQL transaction; every future ends here."""
        results: list[tuple[Future[Any], Any]] = []
        try:
            with _translated(self.path):
                if self._writer is None:
                    self._writer = SqliteWriter(self.connect())
                writer = self._writer
                writer.begin()
                for work, done in batch:
                    try:
                        results.append((done, self._attempt(work, writer, alone=len(batch) == 1)))
                    except Exception as error:
                        if len(batch) == 1 or not writer.in_transaction or _is_fault(error):
                            raise
                        done.set_exception(error)
                writer.commit()
            self._on_end(True)
        except BaseException as error:  # noqa: BLE001 - the same, for all of them
            self._abandon(error)
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for done, result in results:
            done.set_result(result)

    def _attempt(self, work: Callable[[SqliteWriter], T], writer: SqliteWriter, *, alone: bool) -> T:
        if alone:
            return work(writer)
        writer.begin_job()
        try:
            with _translated(self.path):
                result = work(writer)
        except BaseException:
            self._on_end(False)
            writer.undo_job()
            raise
        writer.end_job()
        return result

    def _abandon(self, error: BaseException) -> None:
        """Undo the transaction; after a fault of the disk, let go of the connection too."""
        self._on_end(False)
        if self._writer is None:
            return
        with suppress(sqlite.Error):
            self._writer.roll_back()
        if isinstance(error, errors.StorageError):
            with suppress(sqlite.Error):
                self._writer.close()
            self._writer = None

    # --- reading ------------------------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[SqliteReader]:
        """Open a reader; close it soon, since the file cannot shrink while it sees an old state."""
        with _translated(self.path):
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone()  # the state is fixed by the first read
                yield SqliteReader(connection)
            finally:
                with suppress(sqlite.Error):
                    connection.execute("COMMIT")
                self._give_back(connection)

    def version(self) -> int:
        """Return a number that changes with every commit, whichever process made it."""
        with self._lock:
            self._check_open()
            if self._watcher is None:
                self._watcher = (
                    self.connect()
                )  # SQLite tells a connection of the commits of others: this one makes none
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def _borrow(self) -> Any:
        with self._lock:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return self.connect()

    def _give_back(self, connection: Any) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < limits.READERS_MAX:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Finish running transactions and let go of the file."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle, self._idle = self._idle, []
            if self._watcher is not None:
                idle.append(self._watcher)
            self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
        for connection in idle:
            connection.close()

    # --- opening ------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        connection = self.connect()
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > schema.VERSION:
                raise errors.NewerStoreError(str(self.path), found, schema.VERSION)
            if found < schema.VERSION:
                connection.execute("BEGIN IMMEDIATE")  # of two processes that make a store, one waits here
                self._make(connection)
                connection.execute("COMMIT")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that check_file finds it in the file itself
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def _make(self, connection: Any) -> None:
        (name,) = connection.execute("PRAGMA application_id").fetchone()
        if name == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
            raise errors.NotAStoreError(str(self.path))
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        schema.migrate(connection)

    def connect(self) -> Any:
        """Return a connection of the caller's own, who closes it."""
        connection = sqlite.connect(
            str(self.path), isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            execute = connection.execute
            execute(f"PRAGMA busy_timeout = {limits.BUSY_TIMEOUT_MS}")
            execute("PRAGMA trusted_schema = OFF")
            execute("PRAGMA cell_size_check = ON")
            mode = execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal":
                mode = _switch_to_wal(connection)
            execute("PRAGMA synchronous = FULL")
            execute("PRAGMA foreign_keys = ON")
            execute("PRAGMA temp_store = MEMORY")
            execute("PRAGMA cache_size = -16384")
            execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            synchronous = execute("PRAGMA synchronous").fetchone()[0]
            if mode != "wal" or synchronous != 2:
                raise errors.CorruptError(f"The durability of {self.path} (journal {mode}, synchronous {synchronous})")
        except BaseException:
            connection.close()
            raise
        return connection


def _is_fault(error: Exception) -> bool:
    """Tell whether the store failed, rather than what one transaction asked of it."""
    return isinstance(error.__cause__, sqlite.Error) and not isinstance(error.__cause__, sqlite.IntegrityError)


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


def check_file(path: Path) -> None:
    """
    Look at a file before SQLite does, so that what is not ours stays untouched.

    Raises:
        NotAStoreError: It is something else.
        NewerStoreError: A newer version made it.
        ReadOnlyError: It may not be read or written.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head and not head.startswith(_MAGIC):
            head = _restored_head(path, head)
    except FileNotFoundError:
        return
    except (IsADirectoryError, NotADirectoryError):
        raise errors.NotAStoreError(str(path)) from None
    except PermissionError:
        raise errors.ReadOnlyError(str(path)) from None
    if not head:
        return
    if not os.access(path, os.W_OK):
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


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, each with what to do."""
    try:
        yield
    except sqlite.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL"):
            raise errors.DiskFullError(str(path)) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            raise errors.ReadOnlyError(str(path)) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise errors.BusyError(str(path)) from error
        if name.startswith("SQLITE_NOTADB"):
            raise errors.NotAStoreError(str(path)) from error
        if name.startswith("SQLITE_CORRUPT"):
            raise errors.CorruptError(str(path)) from error
        if name.startswith("SQLITE_IOERR"):
            if shutil.disk_usage(path.parent).free < _ROOM_BYTES:
                raise errors.DiskFullError(str(path)) from error
            raise errors.DiskFaultError(str(path), str(error)) from error
        raise errors.StorageError(f"{path} could not do what was asked ({error}); nothing was written.") from error
