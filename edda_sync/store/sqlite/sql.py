"""
The connection for a program's own SQL: it only reads, opens no other file, and does not keep a state forever.

SQLite cannot overwrite what somebody may still read. So while a cursor has rows left, or a transaction is open, the
journal grows with everything that is written. A notebook may keep such a cursor for days. So each connection reports
when it begins to read a state, and ``readers`` ends that once too much was written since.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.connections import Connection, lost_its_key
from edda_sync.words.errors import OutdatedError, StoreKeyError, UsageError
from edda_sync.words.process import Owner

R = TypeVar("R")

_ENDED: Final = ("SQLITE_INTERRUPT", "SQLITE_ABORT")  # errors of a statement that was interrupted


class SqlConnection(Connection):
    """
    A connection for a program's own SQL, as in the DB-API. Call :meth:`open_to` before handing it out.

    Only one thread at a time uses it; others wait.
    """

    MODE: ClassVar = "ro"
    _watch: Callable[[SqlConnection], None] | None = None
    _is_shut = False

    def open_to(self, path: Path, watch: Callable[[SqlConnection], None], owner: Owner) -> None:
        """
        Make it usable for a program.

        Args:
            path: The store's file, for errors.
            watch: Called whenever it begins to read a state. It calls :meth:`end` if that takes too long.
            owner: The process that opened the store.
        """
        self._path, self._watch, self._owner = path, watch, owner
        self._used = threading.RLock()  # a function of the program that a statement calls may use this connection, too
        self._waiting: weakref.WeakSet[SqlCursor] = weakref.WeakSet()  # cursors that may have rows left
        self._is_ending = False  # until nothing is held: errors in the meantime are our interrupts
        self._is_outdated = False  # the program's transaction was ended, and the program does not know yet
        self.set_authorizer(_no_other_file)

    def cursor(self) -> SqlCursor:
        """Return a new cursor."""
        self._check_open()
        found: SqlCursor = super().cursor(SqlCursor)
        return found

    def open_blob(self, *_of: Any, **_named: Any) -> NoReturn:
        """Refuse: an open blob holds a state, and nothing tells for how long."""
        raise sqlite.NotSupportedError("a value is read by SELECT here")

    def commit(self) -> None:
        """End the transaction, if there is one."""
        self._check_open()
        if self._watch is not None:
            self._is_outdated = False
        super().commit()

    def rollback(self) -> None:
        """End the transaction, if there is one, and all cursors with it."""
        self._check_open()
        if self._watch is not None:
            self._is_outdated = False
        super().rollback()

    def close(self) -> None:
        """Close it, only once, and only in the process that opened it."""
        if self._watch is None or not self._owner.is_here:
            super().close()
        else:
            with self._used:  # otherwise it could be closed while another thread ends its reads
                self._waiting.clear()
                super().close()

    def shut(self) -> None:
        """Close it, because its store is closed: every use is refused from now on, and a running statement is ended."""
        self._is_shut = True
        with suppress(sqlite.Error):  # it is already closed
            self.interrupt()
        self.close()

    def _check_open(self) -> None:
        if self._is_shut:
            raise UsageError("This store is closed; open it again.")

    def run(self, cursor: SqlCursor, work: Callable[..., R], *of: Any) -> R:
        """Run a statement, and have the state that it reads watched."""
        if self._watch is None:
            return work(*of)  # it is being configured
        self._owner.check()
        with self._used:
            self._check_open()
            if self._is_outdated:
                self._is_outdated = False
                raise self._outdated()
            self._waiting.discard(cursor)
            held_before = self.holds
            self._waiting.add(cursor)
            if not held_before:
                self._is_ending = False
                self._watch(self)
            found = self._attempt(cursor, work, *of)
            if cursor.description is None:
                self._waiting.discard(cursor)
            return found

    def fetch(self, cursor: SqlCursor, work: Callable[..., R], *of: Any) -> R:
        """Fetch rows of a statement."""
        if self._watch is None:
            return work(*of)
        self._owner.check()
        with self._used:
            self._check_open()
            if cursor.is_outdated:
                raise self._outdated()
            return self._attempt(cursor, work, *of)

    def fetched(self, cursor: SqlCursor) -> None:
        """Note that a cursor has no more rows."""
        if self._watch is not None:
            self._waiting.discard(cursor)

    def end(self) -> bool:
        """
        Release the state that is read, called by another thread. Further reads of it raise ``OutdatedError``.

        Returns:
            Whether the state is released. If not, a statement is running, which was interrupted: call this again later.
        """
        try:  # first: an acquire() and a later block could be interrupted in between
            if not self._used.acquire(blocking=False):
                self._is_ending = True
                self.interrupt()
                return False
            if not self.holds:
                return True
            self._is_outdated = self.in_transaction
            for cursor in list(self._waiting):
                cursor.end()
            self._waiting.clear()
            super().rollback()
            return True
        finally:
            try:  # noqa: SIM105 - `suppress` is Python's own code, where an interrupt may come before this call of C
                self._used.release()
            except RuntimeError:  # another thread holds it
                pass

    @property
    def holds(self) -> bool:
        """Whether it may hold a state."""
        with suppress(sqlite.ProgrammingError):  # it is closed
            return bool(self._waiting) or bool(self.in_transaction)
        return False

    def _outdated(self) -> OutdatedError:
        return OutdatedError(str(self._path))

    def _attempt(self, cursor: SqlCursor, work: Callable[..., R], *of: Any) -> R:
        try:
            return work(*of)
        except sqlite.Error as error:
            self._waiting.discard(cursor)
            self._check_open()  # it was interrupted for that reason
            if self._is_ending and (getattr(error, "sqlite_errorname", None) or "").startswith(_ENDED):
                raise self._outdated() from None
            if lost_its_key(self, error):
                raise StoreKeyError(str(self._path), "its key was replaced", "open this connection again") from None
            raise


class SqlCursor(sqlite.Cursor):  # type: ignore[misc]  # sqlcipher3 has no types
    """
    A cursor of a :class:`SqlConnection`.

    Attributes:
        is_outdated: Whether the rows that it would fetch were ended.
    """

    is_outdated = False

    def execute(self, *of: Any) -> SqlCursor:
        """Run a statement."""
        return self._run(super().execute, *of)

    def executemany(self, *of: Any) -> SqlCursor:
        """Run a statement many times."""
        return self._run(super().executemany, *of)

    def executescript(self, *of: Any) -> SqlCursor:
        """Run several statements."""
        return self._run(super().executescript, *of)

    def _run(self, work: Callable[..., Any], *of: Any) -> SqlCursor:
        self.is_outdated = False
        self.connection.run(self, work, *of)
        return self

    def fetchone(self) -> Any:
        """Return the next row; None if there are no more."""
        row = self.connection.fetch(self, super().fetchone)
        if row is None:
            self.connection.fetched(self)
        return row

    def fetchmany(self, *of: Any, **named: Any) -> list[Any]:
        """Return the next rows."""
        found: list[Any] = self.connection.fetch(self, partial(super().fetchmany, **named), *of)
        if not found:
            self.connection.fetched(self)
        return found

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        found: list[Any] = self.connection.fetch(self, super().fetchall)
        self.connection.fetched(self)
        return found

    def __next__(self) -> Any:
        """Return the next row."""
        try:
            return self.connection.fetch(self, super().__next__)
        except StopIteration:
            self.connection.fetched(self)
            raise

    def end(self) -> None:
        """Release the remaining rows. No other thread may be fetching."""
        self.is_outdated = True
        with suppress(sqlite.Error):  # if another thread was interrupted, this fails too, but releases the rows
            super().execute("SELECT 1 WHERE 0")

    def close(self) -> None:
        """Release the remaining rows."""
        super().close()
        self.connection.fetched(self)


def _no_other_file(action: int, *_of: str | None) -> int:
    """Refuse ATTACH, also in VACUUM INTO: it opens a file for writing, which may be this same file."""
    denied: int = sqlite.SQLITE_DENY if action == sqlite.SQLITE_ATTACH else sqlite.SQLITE_OK
    return denied
