"""
The memory store: plain dictionaries that implement all of ``seams``, for tests, the simulator and temporary stores.

1. *Writing* changes the dictionaries in place, and notes the former values in a journal, with which it can be undone.
   (Copying the dictionaries for each transaction would cost the square of the number of transactions.)
2. *Reading* shares the dictionaries. One that a reader may still use is copied before its next change. So a reader sees
   one state that does not change, nothing is copied while nobody reads, and a transaction may write while it has a
   reader open.
3. *Constraints* are those of the specification's tables, as in SQLite: NOT NULL and UNIQUE when a row is written, foreign
   keys when the transaction ends.

It has one lock, and no thread, clock or randomness of its own: the same calls always have the same effect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from edda_sync.store.memory.journal import Tables, empty_tables, undo
from edda_sync.store.memory.reader import MemoryReader
from edda_sync.store.memory.writer import MemoryWriter
from edda_sync.words.errors import NestedError, UsageError
from edda_sync.words.process import Owner

T = TypeVar("T")


class MemoryStore:
    """
    A store that ends with its process.

    Call :meth:`transact` to write, :meth:`read` to read, and :meth:`close` at the end.

    Args:
        on_end: Called after each transaction, on its thread: True if it was committed, False if it left no trace.
        image: The content of another store, from :meth:`image`; empty by default.
    """

    def __init__(
        self, on_end: Callable[[bool], None] = lambda _committed: None, *, image: Tables | None = None
    ) -> None:
        self._owner = Owner("This store")
        self._on_end = on_end
        self._tables = empty_tables() if image is None else _copy(image)
        self._lock = threading.RLock()
        self._writer: MemoryWriter | None = None
        self._readers = 0
        self._shared: set[str] = set()  # tables that a reader may be using
        self._version = 0
        self._closed = False

    def transact(self, work: Callable[[MemoryWriter], T]) -> T:
        """Run ``work`` in one transaction; return its result."""
        return self.submit(work).result()

    def transact_unless_busy(self, work: Callable[[MemoryWriter], object]) -> bool:
        """Run ``work`` in one transaction, unless one is running now; tell whether it ran."""
        self._owner.check()
        self._check_open()
        if self._writer is not None:
            return False
        self.transact(work)
        return True

    def submit(self, work: Callable[[MemoryWriter], T]) -> Future[T]:
        """Run ``work`` in one transaction at once; return a future that is already done."""
        self._owner.check()  # a child would give one name to two changes, and its copy of the lock may stay taken
        done: Future[T] = Future()
        with self._lock:
            self._check_open()
            if self._writer is not None:  # this thread's own transaction: other threads wait for the lock
                raise NestedError("A transaction")
            self._writer = writer = MemoryWriter(self._tables, self._shared)
            try:
                result = work(writer)
                writer.check()
                self._owner.check()  # the work may have forked, and only one of the two processes goes on
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller who asks the future
                undo(self._tables, writer.journal.entries)
                done.set_exception(error)
            finally:
                self._writer = None
            if done.done():
                self._on_end(False)
                return done
            self._version += bool(writer.journal.entries)
            self._on_end(True)
        done.set_result(result)
        return done

    @contextmanager
    def read(self) -> Iterator[MemoryReader]:
        """Open a reader. Close it soon: each table that is changed meanwhile is copied first."""
        self._owner.check()
        with self._lock:
            self._check_open()
            tables = dict(self._tables)
            if self._writer is not None:  # the running transaction's own work opened it: show the state before
                journal = self._writer.journal.entries
                tables |= {name: dict(tables[name]) for name in {name for name, _, _ in journal}}
                undo(tables, journal)
            self._readers += 1
            self._shared.update(tables)
        try:
            yield MemoryReader(tables)
        finally:
            tables.clear()  # a reader that is used after its end finds nothing
            with self._lock:
                self._readers -= 1
                if self._readers == 0:
                    self._shared.clear()

    def version(self) -> int:
        """Return how many transactions have written something."""
        self._owner.check()
        self._check_open()
        return self._version

    def image(self) -> Tables:
        """Return a copy of everything that it holds, for another store to begin with."""
        self._owner.check()
        with self._lock:
            assert self._writer is None, "what a running transaction wrote is not held yet"
            return _copy(self._tables)

    def close(self) -> None:
        """Release everything."""
        self._owner.check()
        with self._lock:
            if self._writer is not None:
                raise NestedError("Closing a store")
            self._closed = True
            self._tables = {}

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("This store is closed; open it again.")


def _copy(tables: Tables) -> Tables:
    return {name: dict(table) for name, table in tables.items()}  # the values in a table are never changed in place
