"""The committer: the connection that writes, and the batches of transactions that it commits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import quiet, shape
from edda_sync.store.sqlite.connections import Connection, lost_its_key
from edda_sync.store.sqlite.errors import is_fault, translated
from edda_sync.store.sqlite.jobs import Job
from edda_sync.store.sqlite.place import Place
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.words import errors, limits
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.store.sqlite.outcome import Outcome

T = TypeVar("T")

OnEnd = Callable[[bool], None]
"""Called after each transaction: True if it is on disk, False if it left no trace."""


def ignore_end(_committed: bool) -> None:
    """Do nothing when a transaction ends."""


class Committer:
    """
    Commits into a store's file. Only one thread at a time may call it. It connects when it needs to.

    Args:
        path: The file.
        connect: Makes a connection.
        place: Where the file is, which is checked before each commit.
        owner: The process that opened the store.
        on_end: Called after each transaction: True if it is on disk, False if it left no trace.
        journal_has: Called with the size of the journal in bytes, after each commit.
        make: Makes a writer of a connection.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], Connection],
        place: Place,
        owner: Owner,
        on_end: OnEnd,
        journal_has: Callable[[int], None],
        make: Callable[[Connection], SqliteWriter],
    ) -> None:
        self._path, self._connect, self._place, self._owner = path, connect, place, owner
        self._on_end, self._journal_has, self._make = on_end, journal_has, make
        self._writer: SqliteWriter | None = None
        self._connection: Connection  # the writer's
        self._tells = True
        self._is_settled = True  # False while a batch runs, and after an interrupt in the handling of its end

    def commit_unsynced(self, job: Job) -> None:
        """Run one transaction of derived data only, which need not be on disk before other data is."""
        if self._writer is None:  # the last write has failed
            self.commit([job])
            return
        try:
            with quiet.unsynced(self._connection):
                self.commit([job])
        except sqlite.Error:
            self.let_go()

    def has_long_journal(self) -> bool:
        """Tell whether many pages of the journal have not been copied into the file yet."""
        return self._writer is not None and quiet.is_long(self._connection)

    def commit(self, batch: list[Job], *, waits: bool = True, tells: bool = True) -> bool:
        """
        Run a batch in one SQL transaction, and set every outcome, except those of jobs that were cancelled before.

        Args:
            batch: The jobs.
            waits: Whether to wait for another process that writes.
            tells: Whether to call ``on_end``, because it changes what others see.

        Returns:
            Whether the batch ran. If not, because it was not to wait for another process that writes, no outcome is set.
        """
        begun = [job for job in batch if job[1].begin()]
        if not begun:
            return True
        if not self._is_settled:
            self._start_over()
        self._is_settled, self._tells = False, tells
        try:
            ran = self._run(begun, waits=waits)
            self._is_settled = True
        finally:
            if not self._is_settled:
                self._start_over()
        return ran

    def _run(self, batch: list[Job], *, waits: bool) -> bool:
        results: list[tuple[Outcome, Any]] = []
        try:
            with translated(self._path):
                if (writer := self._begun(waits=waits)) is None:
                    return False
                for work, done in batch:
                    try:
                        results.append((done, self._attempt(work, writer, alone=len(batch) == 1)))
                    except BaseException as error:  # also an end of the program: no signal comes to the writer's thread
                        is_own = not is_fault(error)
                        if len(batch) == 1 or not writer.in_transaction or not is_own:
                            raise
                        done.set_exception(error)
                journal_bytes = self._place.check_all(self._connection)
                writer.commit()
            self._told(True)
            self._journal_has(journal_bytes)
        except BaseException as error:  # noqa: BLE001 - the same error for all of them
            self._abandon(error)
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return True
        for done, result in results:
            done.set_result(result)
        return True

    def _begun(self, *, waits: bool) -> SqliteWriter | None:
        """Return the writer, in a new transaction; None if it is not to wait and somebody else is writing."""
        attempts = 0
        while True:
            if is_new := self._writer is None:
                self._connection = self._connect()
                self._writer = self._make(self._connection)
            writer = self._writer
            try:
                if is_new and shape.referring(self._connection.execute):  # otherwise others' rows can block deletions
                    self._connection.execute("PRAGMA foreign_keys = OFF")
                if not waits:
                    return writer if writer.begin_at_once() else None
                writer.begin()
            except sqlite.DatabaseError as error:
                attempts += 1
                if attempts > limits.REKEYED_MAX or not lost_its_key(self._connection, error):
                    raise
                self.let_go()  # the next connection gets the new key
            else:
                return writer

    def _start_over(self) -> None:
        """Discard what is left of a batch, if an interrupt ended the handling of its end."""
        self._told(False)
        self.let_go()
        self._is_settled = True

    def _attempt(self, work: Callable[[SqliteWriter], T], writer: SqliteWriter, *, alone: bool) -> T:
        if alone:
            return work(writer)
        writer.begin_job()
        try:
            with translated(self._path):
                result = work(writer)
                writer.end_job()
        except BaseException:
            self._told(False)
            writer.undo_job()
            raise
        return result

    def _abandon(self, error: BaseException) -> None:
        """Undo the transaction; after a fault of the disk or an interrupt, also close the connection."""
        self._told(False)
        if self._writer is None or not self._owner.is_here:  # in a forked child it is the parent's
            return
        with suppress(sqlite.Error):
            self._writer.roll_back()
        if not isinstance(error, errors.EddaError) or isinstance(error, errors.StorageError):
            self.let_go()

    def _told(self, committed: bool) -> None:
        if self._tells:
            self._on_end(committed)

    def let_go(self) -> None:
        """Close the connection that writes. The next transaction makes another one."""
        if self._writer is not None:
            with suppress(sqlite.Error):
                self._writer.close()
            self._writer = None

    def disown(self) -> None:
        """Make the transaction that a fork interrupted refuse every use in the child."""
        if self._writer is not None:
            self._writer.disown(self._owner.refuse)
