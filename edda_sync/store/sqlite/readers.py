"""
The readers of a store, which are lent out one by one, and the connection that watches for commits.

A reader that failed is not lent again, since the pages of its connection in memory may differ from the disk.

SQLite cannot overwrite what a reader may still read. So while a state is being read, the journal grows with everything
that is written. A program may forget to close a reader. So a reader is ended once too much was written since it began.
Writers notice this; for writes of other processes, a thread checks while anybody reads.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.connections import GATE, Connection, lost_its_key
from edda_sync.store.sqlite.errors import translated
from edda_sync.store.sqlite.reader import SqliteReader
from edda_sync.store.sqlite.worker import Worker
from edda_sync.words import errors, limits
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.store.sqlite.sql import SqlConnection

H = TypeVar("H")

_ENDED: Final = -1
_WATCHES: Final = 2**32  # above every value of SQLite's data_version


class Readers:
    """
    The readers of one store. Use :meth:`lend` for a reader, :meth:`version` for its version, and :meth:`close` at the
    end.

    Args:
        path: The store's file, for errors.
        connect: Makes a connection.
        owner: The process that opened the store.
        pool_size: How many readers are kept when they come back.
        make: Makes a reader of a connection.

    Attributes:
        is_watched: Whether a thread checks how much other processes write while anybody reads.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], Connection],
        owner: Owner,
        pool_size: int,
        make: Callable[[Connection], SqliteReader],
    ) -> None:
        self._path, self._connect, self._owner, self._pool_size = path, connect, owner, pool_size
        self._make = make
        self._lock = threading.RLock()  # a forgotten reader may come back on any thread, at any moment
        self._idle: list[SqliteReader] = []
        self._lent: dict[SqliteReader, int | None] = {}  # each with the size of the journal at its first check
        self._asked: MutableMapping[SqlConnection, int | None] = {}  # the same; once needed, with weak keys
        self._ending: set[SqliteReader | SqlConnection] = set()  # those that have not released their state yet
        self.is_watched = False
        self._watcher: Connection | None = None
        self._watches = 0
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[SqliteReader]:
        """Open a reader of one fixed state. Close it soon: the file cannot shrink while it reads an old state."""
        with GATE.enter(self._owner), translated(self._path):
            reader = self._borrow()
            failed = False
            try:
                attempts = 0
                while True:
                    try:
                        reader.begin()
                        break
                    except sqlite.DatabaseError as error:
                        attempts += 1
                        if attempts > limits.REKEYED_MAX or not lost_its_key(reader.connection, error):
                            raise
                        reader.connection.close()
                        reader = self._make(self._connect())  # with the new key
                self._lent[reader] = None
                if not self.is_watched:
                    _watch.begin(self)
                yield reader
            except sqlite.Error:
                failed = True
                raise
            finally:
                with self._lock:  # or its connection would be another's by the time its reading is ended
                    was_ended = (
                        self._lent.pop(reader, _ENDED) is _ENDED
                    )  # first: it counts as returned even if the rest is interrupted
                    self._ending.discard(reader)
                if self._owner.is_here:  # in a forked child the connection belongs to the parent, which goes on reading
                    self._give_back(reader, failed or was_ended)

    def version(self) -> int:
        """
        Return a number that changes with every commit, by whichever process.

        This is called far more often than anything else, so it passes the gate only to make its connection. A fork
        shuts the gate, and then waits for the lock and closes that connection before it goes on.
        """
        with translated(self._path):
            while True:
                with self._lock:
                    if self._watcher is not None:
                        try:
                            (found,) = self._watcher.execute("PRAGMA data_version").fetchone()
                        except sqlite.DatabaseError as error:
                            if not lost_its_key(self._watcher, error):
                                raise
                            self._watcher.close()
                            self._watcher = None
                        else:
                            return self._watches * _WATCHES + int(found)
                self._begin_to_watch()

    def check(self, look: Callable[[Connection], object]) -> None:
        """Pass the watching connection to a function, if there is one. It is not closed meanwhile."""
        with self._lock:
            if self._watcher is not None:
                look(self._watcher)

    def _begin_to_watch(self) -> None:
        with GATE.enter(self._owner), self._lock:
            self._check_open()
            if self._watcher is None:
                self._watcher = self._connect()  # it makes no commits, so SQLite tells it of all
                self._watches += 1  # each connection begins to count again

    def journal_has(self, count: int) -> None:
        """Note the size of the journal; end each reader since whose beginning it has grown too much."""
        if self._lent or self._asked:
            with self._lock:
                for reader in _outgrown(self._lent, count):
                    reader.disown(self._refuse_outdated)
                    self._end(reader)
                for connection in _outgrown(self._asked, count):
                    self._end(connection)

    def _end(self, holder: SqliteReader | SqlConnection) -> None:
        if holder.end():
            self._ending.discard(holder)
        else:
            self._ending.add(holder)

    def _refuse_outdated(self, *_: object) -> NoReturn:
        raise errors.OutdatedError(str(self._path))

    def watch(self, connection: SqlConnection) -> None:
        """Watch a connection of a program, which begins to read a state."""
        with self._lock:
            self._asked = self._asked or weakref.WeakKeyDictionary()
            self._asked[connection] = None
        if not self.is_watched:
            _watch.begin(self)

    def look(self) -> bool:
        """Check the journal, because other processes may write; tell whether anybody reads."""
        with self._lock:
            for holder in list(self._ending):
                self._end(holder)
            for connection in [each for each in self._asked if not each.holds]:
                del self._asked[connection]
        with suppress(OSError):
            self.journal_has(os.stat(f"{self._path}-wal").st_size)
        return bool(self._lent or self._asked or self._ending)

    def add(self, connection: Connection) -> None:
        """Add a connection that was made elsewhere."""
        self._idle.append(self._make(connection))

    def close(self) -> None:
        """Close the readers that are not lent. The others are closed when they come back."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the readers that are not lent. New ones are made when needed."""
        with self._lock:
            idle, self._idle = [reader.connection for reader in self._idle], []
            if self._watcher is not None:
                idle.append(self._watcher)
                self._watcher = None
        for connection in idle:
            with suppress(sqlite.Error):  # its last reference closes it, then
                connection.close()

    def disown(self) -> None:
        """Make the lent readers refuse every use, in a forked child."""
        self._lock = threading.RLock()  # the thread that held it is not in this process
        for reader in self._lent:
            reader.disown(self._owner.refuse)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise errors.UsageError("This store is closed; open it again.")

    def _borrow(self) -> SqliteReader:
        with self._lock:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return self._make(self._connect())

    def _give_back(self, reader: SqliteReader, failed: bool) -> None:
        with suppress(sqlite.Error):
            reader.connection.execute("COMMIT")
        reader.states.ended()
        with self._lock:
            if not failed and not self._closed and len(self._idle) < self._pool_size:
                self._idle.append(reader)
                return
        reader.connection.close()


def _outgrown(held: MutableMapping[H, int | None], count: int) -> list[H]:
    """Remove and return the holders since whose beginning the journal has grown too much."""
    found = []
    for holder, known in list(held.items()):
        held[holder] = before = count if known is None else min(known, count)
        if count - before > limits.JOURNAL_BYTES_MAX:
            del held[holder]
            found.append(holder)
    return found


class _Watch:
    """One thread that regularly checks the journals of all stores in this process that are being read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: weakref.WeakSet[Readers] = weakref.WeakSet()
        self._worker = Worker()

    def begin(self, readers: Readers) -> None:
        """Check a store's journal until nobody reads the store."""
        with self._lock:
            self._watched.add(readers)
            self._worker.begin(self._run)
            readers.is_watched = True

    def _run(self) -> None:
        while True:
            time.sleep(limits.READERS_LOOKED_AT_EVERY_S)
            for readers in list(self._watched):
                readers.is_watched = False  # first: a reader that begins now is seen here, or sets it again
                if readers.look():
                    readers.is_watched = True
                else:
                    with self._lock:
                        if not readers.is_watched:
                            self._watched.discard(readers)
            with self._lock:
                if not self._watched:
                    self._worker.leave()
                    return


_watch = _Watch()


def _begin_anew() -> None:
    global _watch
    _watch = _Watch()  # the thread, and the holder of the lock, are in the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
