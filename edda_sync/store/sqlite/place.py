"""
The place of an open store: whether its file, its journal and the journal's index still lie where they were opened.

SQLite looks a name up once, when it opens the file. A program that goes on with a file which nobody can find any more, or
whose journal was taken away, acknowledges what is lost. So all are looked at before each commit, in three calls of the
operating system.

A journal is that of one connection: SQLite removes it when the last connection of all processes is closed, and makes a
new one later. While a connection is open, nobody who knows SQLite takes its journal away.

So it is with the index of the journal, ``-shm``, through which all processes see what is in it and wait for one another.
Where it was taken away, the next process makes a second one, and each writes over what the other wrote. A connection with
the old one is never closed: whoever closes the last one brings into the file what the old index knows of, and removes the
journal with all that others wrote.

Nothing of ours makes a file shorter: freed pages are used again, and no transaction is undone in the file itself. So one
that is shorter was cut, or another one was copied over it, and the journal's pages do not fit it.

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
    Where a store's file lies, and which file it was when the store was opened. Call :meth:`check` before each commit.

    Args:
        path: The file, which is there, with no link on the way.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name, self._journal_name, self._index_name = str(path), f"{path}-wal", f"{path}-shm"
        self._file = file_of(path)
        self._is_made = False
        self._bytes = 0  # of the file, at the last look

    def made(self) -> None:
        """Note that there is a store in the file now, which is lost when the file is empty."""
        self._file = file_of(
            self._path
        )  # anew: some file systems of containers give a file that is opened another name
        self._is_made = True

    def check(self) -> File | None:
        """
        Look whether the file is where it was, and return which it is; None if it cannot be looked at.

        Raises:
            LostStoreError: It was taken away, its folder was moved, or it was emptied.
            ReplacedStoreError: Another file is there.
            CutStoreError: It is shorter than it was.
        """
        known = self._bytes  # before the look: another thread may look meanwhile, when the file has grown
        try:
            found = os.stat(self._name)
        except (FileNotFoundError, NotADirectoryError):
            raise LostStoreError(self._name, self._left()) from None
        except OSError:
            return None  # whoever reads or writes it says why
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
        Look whether the file, a connection's journal and its index are where they were; return the bytes of the journal.

        Raises:
            LostStoreError, ReplacedStoreError: As :meth:`check`.
            LostJournalError: The journal was taken away.
            LostIndexError: The index of the journal was.
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
            LostJournalError, LostIndexError: SQLite would share another connection's, which was taken away.
        """
        connection.journal, connection.index = file_of(self._journal_name), file_of(self._index_name)
        connection.must_stay = self.must_stay
        for other in connections.beside(connection):
            if other.journal not in (None, connection.journal):  # SQLite reads one with the index of the other
                raise LostJournalError(self._name)
            if other.index not in (None, connection.index):
                raise LostIndexError(self._name)

    def must_stay(self, connection: Connection) -> bool:
        """Tell whether to close a connection would harm what others wrote in its journal, or the file that is there now."""
        with suppress(OSError):
            if os.stat(self._name).st_size < self._bytes and file_of(self._name) == connection.file:
                return True
        return file_of(self._index_name) != connection.index and file_of(self._journal_name) == connection.journal

    def _left(self) -> list[str]:
        """Return what still lies where the file was, and shows that a store was here."""
        here = self._path.parent
        names = [self._path.name] if self._path.exists() else []
        with suppress(OSError):
            names += [f"{self._path.name}-wal"] if os.stat(self._journal_name).st_size else []
        return names + [name for name in (NOTE_FILE, KEY_FILE) if (here / name).exists()]
