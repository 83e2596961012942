"""
The place of an open store: whether its file, the journal and the journal's index are still where they were opened.

SQLite resolves the file's name only once, when it opens the file. If the file is no longer under that name, or if its
journal was removed, a program that goes on acknowledges writes that are lost. So all three are checked before each commit,
with three system calls.

A journal stays while any connection is open: SQLite removes it when the last connection of all processes is closed, and
creates a new one later. No program that uses SQLite correctly removes the journal of an open store.

The same is true of the journal's index, ``-shm``. Through it all processes see what is in the journal, and wait for each
other. If it was removed, the next process creates a second one, and each process overwrites what the others wrote. A
connection that has the old index is never closed: closing the last one copies into the file only what the old index knows,
and removes the journal with everything that others wrote.

Our code never makes a file shorter: freed pages are used again, and no transaction is undone in the file itself. So a file
that became shorter was truncated, or another file was copied over it, and the journal's pages do not fit it.

Source: https://sqlite.org/howtocorrupt.html, "Unlinking or renaming a database file while in use".
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.connections import Connection, File, file_of
from edda_sync.words.errors import CutStoreError, LostIndexError, LostJournalError, LostStoreError, ReplacedStoreError
from edda_sync.words.folders import KEY_FILE, NOTE_FILE


class Place:
    """
    Where a store's file is, and which file it was when the store was opened. Call :meth:`check` before each commit.

    Args:
        path: The file, which exists, without symbolic links in its path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name, self._journal_name, self._index_name = str(path), f"{path}-wal", f"{path}-shm"
        self._file = file_of(path)
        self._is_made = False
        self._bytes = 0  # size of the file, when it was last checked

    def made(self) -> None:
        """Note that the file contains a store now. If the file is empty later, that store is lost."""
        self._file = file_of(
            self._path
        )  # again: some container file systems give a file another number once it is opened
        self._is_made = True

    def check(self) -> File | None:
        """
        Check that the file is where it was, and return which file it is; None if it cannot be checked.

        Raises:
            LostStoreError: It was removed, its folder was moved, or it was emptied.
            ReplacedStoreError: Another file is there.
            CutStoreError: It is shorter than it was.
        """
        known = self._bytes  # read before the check: another thread may check a grown file meanwhile
        try:
            found = os.lstat(
                self._name
            )  # a link to the file: other processes look for the journal beside what it names
        except (FileNotFoundError, NotADirectoryError):
            raise LostStoreError(self._name, self._left()) from None
        except OSError:
            return None  # the caller's next read or write reports the reason
        if not found.st_size and self._is_made:
            raise LostStoreError(self._name, self._left())
        file = found.st_dev, found.st_ino
        if file != self._file:
            raise ReplacedStoreError(self._name)
        if found.st_size > known:
            if self._is_made:
                self._bytes = found.st_size
        elif found.st_size < known:
            raise CutStoreError(self._name)
        return file

    def check_all(self, connection: Connection) -> int:
        """
        Check that the file, a connection's journal and the journal's index are where they were; return the journal's size.

        Raises:
            LostStoreError, ReplacedStoreError: As :meth:`check`.
            LostJournalError: The journal was removed.
            LostIndexError: The journal's index was removed.
        """
        self.check()
        try:
            found = os.stat(self._journal_name)
        except FileNotFoundError:
            raise LostJournalError(self._name) from None
        except OSError:
            return 0
        if (found.st_dev, found.st_ino) != connection.journal:
            raise LostJournalError(self._name)
        try:
            index = os.stat(self._index_name)
        except FileNotFoundError:
            raise LostIndexError(self._name) from None
        except OSError:
            return found.st_size
        if (index.st_dev, index.st_ino) != connection.index:
            raise LostIndexError(self._name)
        return found.st_size

    def take_in(self, connection: Connection) -> None:
        """
        Note which files the journal and the index of a connection are, now that both are open.

        Raises:
            LostJournalError, LostIndexError: Another connection's journal or index was removed, and SQLite would share it.
        """
        connection.journal, connection.index = file_of(self._journal_name), file_of(self._index_name)
        connection.must_stay = self.must_stay
        for other in connections.beside(connection):
            if other.journal not in (None, connection.journal):  # SQLite would read one with the other's index
                raise LostJournalError(self._name)
            if other.index not in (None, connection.index):
                raise LostIndexError(self._name)

    def must_stay(self, connection: Connection) -> bool:
        """Tell whether closing a connection would destroy what others wrote to its journal, or damage the present file."""
        with suppress(OSError):
            if os.stat(self._name).st_size < self._bytes and file_of(self._name) == connection.file:
                return True
        return file_of(self._index_name) != connection.index and file_of(self._journal_name) == connection.journal

    def _left(self) -> list[str]:
        """Return the names of the files that are left and show that a store was here."""
        here = self._path.parent
        names = [self._path.name] if self._path.exists() else []
        with suppress(OSError):
            names += [f"{self._path.name}-wal"] if os.stat(self._journal_name).st_size else []
        return names + [name for name in (NOTE_FILE, KEY_FILE) if (here / name).exists()]
