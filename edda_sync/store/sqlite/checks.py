"""What the doctor asks of the file of an open store: whether it is what was written, and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edda_sync.store.sqlite import connections, journal, shape
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.errors import translated


class FileChecks:
    """
    The checks of one store's file.

    Args:
        path: The file.
        connect: Makes a connection, which is closed here.
        connect_to_write: The same, for one that writes.
    """

    def __init__(
        self, path: Path, connect: Callable[[], Connection], connect_to_write: Callable[[], Connection]
    ) -> None:
        self._path, self._connect, self._connect_to_write = path, connect, connect_to_write

    def changed_shape(self) -> list[str]:
        """Describe what other programs changed in the tables, indexes and triggers. ``clear_view`` mends it."""
        with closing(self._connect()) as connection, translated(self._path):
            return shape.changed(connection.execute)

    def wrong_indexes(self) -> list[str]:
        """Return the indexes that do not hold what the rows say, in words for a person. ``clear_view`` mends them."""
        from edda_sync.store.sqlite import held  # rarely needed

        with closing(self._connect()) as connection, translated(self._path):
            return held.wrong(connection)

    def damaged_parts(self, *, thorough: bool = False) -> list[str]:
        """Return which parts of the file are damaged, in words for a person. The whole file is read. See ``damage``."""
        from edda_sync.store.sqlite import damage  # rarely needed

        with closing(self._connect()) as connection, translated(self._path):
            return damage.parts(connection.execute, thorough=thorough)

    def forget_damaged(self) -> None:
        """Remove damaged tables that can be derived from the log. ``clear_view`` makes them again. See ``damage``."""
        from edda_sync.store.sqlite import damage  # rarely needed

        with translated(self._path), closing(self._connect_to_write()) as connection:
            with closing(self._connect()) as looking:
                damaged = damage.tables(looking.execute)
            connection.execute("BEGIN IMMEDIATE")
            damage.forget(connection.execute, damaged)
            connection.execute("COMMIT")

    def keep_journal(self) -> None:
        """Keep a copy of the journal before anything is written: SQLite skips and drops the damaged part of it."""
        journal.copy_aside(self._path)

    def has_other_names(self) -> bool:
        """Tell whether the file has got other names (hard links) since it was opened; see ``linked``."""
        return connections.has_other_names(self._path)

    def journals_aside(self) -> list[str]:
        """Return the names of journals beside the file that were put aside: those of another file, and damaged ones."""
        return journal.set_aside(self._path)
