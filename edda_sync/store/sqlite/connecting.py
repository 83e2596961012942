"""Connecting: the one place where a connection to a store's file is made, given its key, and configured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.opening import configure, configure_to_read
from edda_sync.store.sqlite.place import Place
from edda_sync.words.errors import ReplacedStoreError
from edda_sync.words.process import Owner, keep_for_ever

if TYPE_CHECKING:
    from edda_sync.store.sqlite.keyed import FileKeys

C = TypeVar("C", bound=Connection)


class Connector:
    """
    Makes the connections to one store's file.

    Args:
        path: The file, without symbolic links in its path.
        place: Where the file is.
        owner: The process that opened the store.
        mode: The mode in which SQLite opens a file that can only be read; empty for one that can be written.
        keys: The keys of an encrypted file; None for a plain one.
    """

    def __init__(self, path: Path, place: Place, owner: Owner, mode: str, keys: FileKeys | None) -> None:
        self._path, self._place, self._owner, self._mode, self.keys = path, place, owner, mode, keys

    def connect(self, kind: type[C]) -> C:
        """Return a new connection, which the caller closes."""
        self._owner.check()
        if self.keys is None:
            return self._make(kind, None)
        return self.keys.connect(lambda key: self._make(kind, key))

    def _make(self, kind: type[C], key: str | None) -> C:
        connection = connections.connect_as(kind, self._path, self._place.check(), self._mode)
        try:
            if key is not None:
                from edda_sync.store.sqlite import keyed  # only for encrypted stores

                keyed.give(connection, key)
                connection.key = key
            if self._mode:
                configure_to_read(connection)
            else:
                configure(connection, self._path)
            self._place.take_in(connection)
        except BaseException as error:
            if connections.file_of(self._path) == connection.file:
                connection.close()
                raise
            keep_for_ever(connection)  # another file may be there by now: closing this would remove that one's journal
            if isinstance(error, sqlite.Error):
                self._place.check()  # it says whether the file was removed, or replaced
                raise ReplacedStoreError(str(self._path)) from error
            raise
        return connection
