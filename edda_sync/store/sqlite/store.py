"""
The SQLite store: one file, one writer, a pool of readers, any number of processes.

1. One connection writes, under one lock. If nobody else is writing, it runs on the caller's thread, which saves two
   thread switches for each commit; otherwise on a thread of its own. Transactions that wait for that thread are
   committed together, each in a savepoint, and each is acknowledged only when their common COMMIT is on disk.
2. ``journal_mode=WAL`` and ``synchronous=FULL`` are read back when a connection opens: a store that would acknowledge a
   write before it is on disk does not open. Derived data, which can be derived again, is not waited for.
3. After a failed COMMIT or an I/O error, the writer's connection is discarded, because its pages in memory may no longer
   match the disk (Rebello et al., "Can applications recover from fsync failures?", ATC 2020).
4. A store belongs to the process that opened it. A forked child cannot use it, and must open the store again (see
   ``connections``).
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, MutableSet, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from edda_sync.store.sqlite import connections, journal, quiet
from edda_sync.store.sqlite.checks import FileChecks
from edda_sync.store.sqlite.committing import Committer, OnEnd, ignore_end
from edda_sync.store.sqlite.connecting import Connector
from edda_sync.store.sqlite.connections import GATE, Connection
from edda_sync.store.sqlite.errors import translated
from edda_sync.store.sqlite.jobs import Job, Jobs
from edda_sync.store.sqlite.keeping import InSql, Keep, Keeping, in_sql
from edda_sync.store.sqlite.opening import check_file, keys_of, mode_to_read, prepare_file, prepare_schema
from edda_sync.store.sqlite.outcome import Awaited, Outcome
from edda_sync.store.sqlite.place import Place
from edda_sync.store.sqlite.reader import SqliteReader
from edda_sync.store.sqlite.readers import Readers
from edda_sync.store.sqlite.statements import Statements, WriterStatements
from edda_sync.store.sqlite.states import backend
from edda_sync.store.sqlite.worker import Worker
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.words import errors, limits
from edda_sync.words.config import absolute
from edda_sync.words.files import can_only_be_read, without_links
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.store.sqlite.keyed import FileKeys
    from edda_sync.store.sqlite.sql import SqlConnection

T = TypeVar("T")

_UNREAD: Final = (
    "its journal, with what was written last, is read only where something can be written beside it; copy the folder to "
    "where you may write"
)


class SqliteStore:
    """
    A store in one SQLite file.

    Call :meth:`transact` to write, :meth:`read` to read, and :meth:`close` at the end.

    Args:
        path: The file, in an existing folder. A missing file is created. Symbolic links are resolved only here.
        on_end: Called after each transaction, on the thread that ran it: True if it is on disk, False if it left no
            trace.
        is_real_folder: Whether the path of its folder contains no symbolic link.
        pool_size: How many connections that read are kept open.
        keep: Returns what keeps the states, by the name of the backend that the file names, and the keys of the file.
        founding: Statements that are run when the file's tables are created.

    Attributes:
        on_idle: Runs in a transaction of its own once nobody has written for ``PROJECT_DELAY_S``, and again while it
            returns True.
        is_read_only: Whether the store can be read but not written, because its file or folder cannot be written.
        refusal: What every write raises, if the opener found a reason; None otherwise.
        keeping: What keeps the states.
        checks: What the doctor asks of the file.
        set_aside: Where a journal of another file was moved that lay beside this file; None if there was none.

    Raises:
        NotAStoreError: The file is not a store.
        NewerStoreError: A newer version of edda made it.
        LinkError: A symbolic link that points at nothing is in its place.
        LinkedStoreError: The file has several names, and is open under another one.
        NotPrivateError: Others can read it, and that cannot be changed.
        ReadOnlyError, DiskFullError: It cannot be created, or its journal cannot be read without writing beside it.
        StoreKeyError: It is encrypted, and its key cannot be had.
        UsageError: This process was forked while the parent was using the file.
    """

    def __init__(
        self,
        path: Path,
        on_end: OnEnd = ignore_end,
        *,
        is_real_folder: bool = False,
        pool_size: int = limits.POOL_SIZE,
        keep: Keep = in_sql,
        founding: Sequence[str] = (),
    ) -> None:
        self._owner = Owner("This store")
        self.on_idle: Callable[[SqliteWriter], bool] | None = None
        self._jobs = Jobs()
        self._lock = threading.Lock()  # held only for a moment, and may be taken while ``_writing`` is held
        self._worker = Worker()
        self._closed = False
        self._writing = threading.Lock()  # held as long as a transaction runs
        self._writer_is: int | None = None  # the thread that is running a transaction
        self._asked: MutableSet[SqlConnection] = set()  # connections of programs; once there are any, a weak set
        self._written_at = 0.0  # monotonic seconds
        self._idle_due = False
        self.refusal: errors.StorageError | None = None
        path = absolute(path)
        self.set_aside: Path | None = None
        connections.check_not_the_parents(path)
        with connections.opening():
            # SQLite finds the journal beside the resolved path.
            real = without_links(path, is_real_folder=is_real_folder)
            is_open, has_other_names = connections.is_open(real), connections.has_other_names(real)
            self.is_read_only = can_only_be_read(real)
            open_head = b"" if is_open and connections.has_key(real) else None
            keys = keys_of(real, open_head if is_open else check_file(path, real))
            if not (is_open or self.is_read_only):
                self.set_aside = journal.set_aside_anothers(real, keys)
            self._mode = mode_to_read(real, keys) if self.is_read_only else ""
            if has_other_names and not self.is_read_only:
                from edda_sync.store.sqlite import linked  # rarely needed

                (linked.check_one_name if is_open else linked.make_own)(real)
            self.path = real if self.is_read_only else prepare_file(path, real)
            self._place = Place(self.path)
            self._connector = Connector(self.path, self._place, self._owner, self._mode, keys)
            self.checks = FileChecks(self.path, self.connect, self._connect_to_write)
            self.keeping: Keeping = InSql()
            self._readers = Readers(
                self.path, self.connect, self._owner, pool_size, lambda each: SqliteReader(each, self.keeping)
            )
            self._committer = Committer(
                self.path, self._connect_to_write, self._place, self._owner, on_end, self._readers.journal_has,
                lambda each: SqliteWriter(each, self.keeping),
            )  # fmt: skip
            try:
                with translated(path):
                    self._prepare(keep, founding)
            except errors.ReadOnlyError:
                if self._mode == "ro":
                    raise errors.ReadOnlyError(str(path), _UNREAD) from None
                raise
        self._place.made()
        connections.watch_forks(self)

    # --- writing ------------------------------------------------------------------------------------------------------

    def transact(self, work: Callable[[SqliteWriter], T]) -> T:
        """Run ``work`` in one durable transaction, and return its result once the transaction is on disk."""
        self._check_not_inside("A transaction")
        with GATE.enter(self._owner):
            if self._jobs.is_quiet and not self._writing.locked():
                return self._write_here(work)
        return self._write_there(work)

    def transact_unless_busy(self, work: Callable[[SqliteWriter], object]) -> bool:
        """
        Run ``work`` in one durable transaction, unless another writer is active, in any process.

        Returns:
            Whether it ran.
        """
        with GATE.enter(self._owner):
            self._check_open()
            if not self._jobs.is_empty or self._writing.locked():
                return False
            done = Outcome()
            with self._writing:
                self._check_open()
                if not self._commit([(work, done)], waits=False):
                    return False
                self._put_off()
            done.result()
            return True

    def submit(self, work: Callable[[SqliteWriter], T]) -> Awaited:
        """Queue ``work`` for the writer's thread. Its outcome is there once it is on disk, or was rolled back."""
        done = Awaited()
        self._queue((work, done))
        return done

    def _queue(self, job: Job) -> None:
        self._owner.check()
        with self._lock:
            self._check_open()
            self._wake(job)

    def _write_here(self, work: Callable[[SqliteWriter], T]) -> T:
        """Write on the caller's thread."""
        done = Outcome()
        with self._writing:  # one step: an acquire() and a later block could be interrupted in between
            self._check_open()
            self._commit([(work, done)])
            self._settle()
            self._put_off()
        result: T = done.result()
        return result

    def _write_there(self, work: Callable[[SqliteWriter], T]) -> T:
        """Write on the writer's thread, together with other waiting transactions."""
        done = Awaited()
        try:
            self._queue((work, done))
            done.wait()
        except BaseException:  # an interrupt: when it is raised, the work has ended or will never begin
            if not done.cancel():
                done.wait()
            raise
        result: T = done.result()
        return result

    def _commit(self, batch: list[Job], *, waits: bool = True) -> bool:
        self._writer_is = threading.get_ident()
        try:
            return self._committer.commit(batch, waits=waits)
        finally:
            self._writer_is = None  # an assignment, not a call: no interrupt can come before it

    def _check_not_inside(self, what: str) -> None:
        if self._writer_is == threading.get_ident():
            raise errors.NestedError(what)

    def _check_open(self) -> None:
        if self._closed:
            raise errors.UsageError("This store is closed; open it again.")

    def _wake(self, job: Job | None) -> None:
        self._worker.begin(self._run)
        self._jobs.put(job)

    def _put_off(self) -> None:
        """Note that something was written, so that deferred work is due once nobody writes."""
        if not self._owner.is_here:
            return  # the transaction forked, and this is its end in the child
        self._written_at = time.monotonic()
        if self.on_idle is not None and not self._idle_due:
            self._idle_due = True
            try:
                with self._lock:
                    if not self._closed:
                        self._wake(None)
            except RuntimeError:  # there is no thread to be had, as at the end of the interpreter; the write is durable
                self._idle_due = False
            except BaseException:  # an interrupt
                self._idle_due = False
                raise

    def _run(self) -> None:
        while self._owner.is_here:
            batch, is_long = self._jobs.gather(self._patience_s()), False
            with GATE.enter(self._owner):
                with self._writing:
                    if batch:
                        self._commit(batch)
                        self._settle()
                        self._put_off()
                    elif self._closed and self._jobs.is_empty:  # a wake-up may have come before the last transactions
                        return
                    elif self._idle_due and time.monotonic() >= self._written_at + limits.PROJECT_DELAY_S:
                        self._idle_due = self._catch_up()
                        self._settle(quiet=not self._idle_due)
                        is_long = not self._idle_due and self._committer.has_long_journal()
                if is_long:  # without the lock, so that writers need not wait
                    quiet.shorten(self.connect)

    def _patience_s(self) -> float | None:
        if self._closed:
            return 0.0
        return max(0.0, self._written_at + limits.PROJECT_DELAY_S - time.monotonic()) if self._idle_due else None

    def settle(self) -> None:
        """Let what keeps the states settle what was written, now. A fault is in ``keeping.fault``."""
        with GATE.enter(self._owner), self._writing:
            self._check_open()
            self.keeping.settle(self._transact_here)

    def _settle(self, *, quiet: bool = False) -> None:
        """Let what keeps the states settle what was written, if that is due. The lock to write is held."""
        if self.keeping.is_due(quiet=quiet):
            self.keeping.settle(self._transact_here)

    def _transact_here(self, work: Callable[[WriterStatements], T]) -> T:
        done = Outcome()
        self._committer.commit([(lambda tx: work(tx.sql), done)], tells=False)
        result: T = done.result()
        return result

    def _catch_up(self) -> bool:
        """Do deferred work; tell whether there is more. A fault shows at the next write, and loses nothing."""
        if self.on_idle is None:
            return False
        done = Outcome()
        self._committer.commit_unsynced((self.on_idle, done))
        return done.exception() is None and bool(done.result())

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self) -> AbstractContextManager[SqliteReader]:
        """Open a reader. Close it soon: the file cannot shrink while it reads an old state."""
        return self._readers.lend()

    def version(self) -> int:
        """Return a number that changes with every commit, by whichever process."""
        return self._readers.version()

    def check_place(self) -> None:
        """
        Check that the store's file and the files beside it are where they were. Otherwise other programs would not see
        what is read and written here.

        Raises:
            LostStoreError: It was removed, its folder was moved, or it was emptied.
            ReplacedStoreError: Another file is there, it was truncated, or its journal or the journal's index was
                removed.
        """
        self._place.check()
        self._readers.check(self._place.check_all)

    @property
    def keys(self) -> FileKeys | None:
        """The keys of an encrypted file; None for a plain one."""
        return self._connector.keys

    def close(self) -> None:
        """Finish running transactions and release the file. After an interrupt, call this again."""
        self._owner.check()
        self._check_not_inside("Closing a store")
        with self._lock:
            self._closed = True
            self._jobs.put(None)  # in each call: an interrupt may have ended the first one
        self._worker.join()
        with self._writing:
            self._settle(quiet=True)
            self._committer.let_go()
        self._readers.close()
        self.keeping.close()
        for connection in list(self._asked):
            connection.shut()

    # --- forks --------------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Close the connections that nobody is using."""
        if not self._writing.locked():  # otherwise a transaction is running, perhaps on this thread
            with self._writing:
                self._committer.let_go()
        self._readers.close_idle()
        self.keeping.close()

    def disown(self) -> None:
        """Make the transaction and the readers that a fork interrupted refuse every use in the child."""
        self._readers.disown()
        self._committer.disown()

    # --- opening ------------------------------------------------------------------------------------------------------

    def _prepare(self, keep: Keep, founding: Sequence[str]) -> None:
        connection = self.connect()
        try:
            prepare_schema(connection, self.path, self.connect, is_read_only=self.is_read_only, founding=founding)
            self.keeping = keep(backend(Statements(connection)), self.keys)
        except BaseException:
            connection.close()
            raise
        self._readers.add(connection)

    def _connect_to_write(self) -> Connection:
        if self.is_read_only:
            raise errors.ReadOnlyError(str(self.path))
        if self.refusal is not None:
            raise self.refusal
        return self.connect()

    def connect(self) -> Connection:
        """Return a new connection, which the caller closes."""
        return self._connector.connect(connections.Connection)

    def sql(self) -> SqlConnection:
        """Return a connection for a program's own SQL. The caller closes it; otherwise it is closed with the store."""
        from edda_sync.store.sqlite.sql import SqlConnection  # rarely needed

        self._check_open()
        connection = self._connector.connect(SqlConnection)
        connection.open_to(self.path, self._readers.watch, self._owner)
        with self._lock:
            if not self._closed:
                self._asked = self._asked or weakref.WeakSet()
                self._asked.add(connection)
                return connection
        connection.shut()
        return connection
