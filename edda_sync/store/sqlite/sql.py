"""
The connection that a program asks by SQL: it reads, opens no other file, and holds on to no state for ever.

SQLite cannot write over what somebody may still read, so while a cursor waits to be fetched from, or a transaction is
open, the journal grows with all that is written. A notebook keeps such a cursor for days. So each connection notes when
it begins to hold on to a state, and ``readers`` ends that once too much was written since.
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

from edda_sync.store.sqlite.connections import Connection
from edda_sync.words.errors import OutdatedError, UsageError
from edda_sync.words.process import Owner

R = TypeVar("R")

_ENDED: Final = ("SQLITE_INTERRUPT", "SQLITE_ABORT")  # what a statement ends with that was interrupted


class SqlConnection(Connection):
    """
    A connection for a program's own SQL, as the DB-API has it. Call :meth:`open_to` before it is handed out.

    One thread at a time uses it, and others wait.
    """

    MODE: ClassVar = "ro"
    _watch: Callable[[SqlConnection], None] | None = None
    _is_shut = False

    def open_to(self, path: Path, watch: Callable[[SqlConnection], None], owner: Owner) -> None:
        """
        Let a program use it.

        Args:
            path: The store's file, for what an error says.
            watch: Called whenever it begins to hold on to a state; calls :meth:`end` after too long.
            owner: The process that opened the store.
        """
        self._path, self._watch, self._owner = path, watch, owner
        self._used = threading.RLock()  # a function of the program's own, called by a statement, may use it too
        self._waiting: weakref.WeakSet[SqlCursor] = weakref.WeakSet()  # cursors that may be fetched from
        self._is_ending = False  # until nothing is held any more: what fails meanwhile was interrupted by us
        self._is_outdated = False  # the program's transaction was ended, and it was not told yet
        self.set_authorizer(_no_other_file)

    def cursor(self) -> SqlCursor:
        """Return a new cursor."""
        self._check_open()
        found: SqlCursor = super().cursor(SqlCursor)
        return found

    def open_blob(self, *_of: Any, **_named: Any) -> NoReturn:
        """Refuse: as long as it is open, it holds on to a state, and nothing tells how long that is."""
        raise sqlite.NotSupportedError("a value is read by SELECT here")

    def commit(self) -> None:
        """End the transaction, if there is one."""
        self._check_open()
        if self._watch is not None:
            self._is_outdated = False
        super().commit()

    def rollback(self) -> None:
        """End the transaction, if there is one, and every cursor with it."""
        self._check_open()
        if self._watch is not None:
            self._is_outdated = False
        super().rollback()

    def close(self) -> None:
        """Close it, once, and in the process that opened it."""
        if self._watch is None or not self._owner.is_here:
            super().close()
        else:
            with self._used:  # or it would be closed while another thread ends what it looks at
                self._waiting.clear()
                super().close()

    def shut(self) -> None:
        """Close it, since its store is closed: every use is refused from now on, and a statement that runs is ended."""
        self._is_shut = True
        with suppress(sqlite.Error):  # it is closed
            self.interrupt()
        self.close()

    def _check_open(self) -> None:
        if self._is_shut:
            raise UsageError("This store is closed; open it again.")

    def run(self, cursor: SqlCursor, work: Callable[..., R], *of: Any) -> R:
        """Run a statement, and watch for how long it holds on to what it sees."""
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
        """Fetch what a statement found."""
        if self._watch is None:
            return work(*of)
        self._owner.check()
        with self._used:
            self._check_open()
            if cursor.is_outdated:
                raise self._outdated()
            return self._attempt(cursor, work, *of)

    def fetched(self, cursor: SqlCursor) -> None:
        """Note that there is no more to be fetched from a cursor."""
        if self._watch is not None:
            self._waiting.discard(cursor)

    def end(self) -> bool:
        """
        Let go of the state that is seen, by another thread. What is fetched of it from now on raises ``OutdatedError``.

        Returns:
            Whether nothing is held any more; False while a statement runs, which is interrupted: ask again later.
        """
        try:  # first: whoever takes it, and then begins a block, may be interrupted in between
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
            except RuntimeError:  # another thread has it
                pass

    @property
    def holds(self) -> bool:
        """Whether it may hold on to a state."""
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
            self._check_open()  # it was interrupted for that
            if self._is_ending and (getattr(error, "sqlite_errorname", None) or "").startswith(_ENDED):
                raise self._outdated() from None
            raise


class SqlCursor(sqlite.Cursor):  # type: ignore[misc]  # sqlcipher3 has no types
    """
    A cursor of such a connection.

    Attributes:
        is_outdated: Whether what it would fetch was ended.
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
        """Return the next row; None when there are no more."""
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
        """Return all other rows."""
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
        """Let go of what was not fetched; nobody fetches at this moment."""
        self.is_outdated = True
        with suppress(sqlite.Error):  # it is interrupted, if another thread was: and lets go all the same
            super().execute("SELECT 1 WHERE 0")

    def close(self) -> None:
        """Let go of what was not fetched."""
        super().close()
        self.connection.fetched(self)


def _no_other_file(action: int, *_of: str | None) -> int:
    """Refuse ATTACH, also that of VACUUM INTO: the file that it opens is written, and may be the same one once more."""
    denied: int = sqlite.SQLITE_DENY if action == sqlite.SQLITE_ATTACH else sqlite.SQLITE_OK
    return denied
