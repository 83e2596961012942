"""A reader of the SQLite store: one connection inside a read transaction, and the facets over it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import shape
from edda_sync.store.sqlite.blobs import SqliteBlobs
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.edges import SqliteEdges
from edda_sync.store.sqlite.evidence import SqliteEvidence
from edda_sync.store.sqlite.incoming import SqliteIncoming
from edda_sync.store.sqlite.index import SqliteIndex
from edda_sync.store.sqlite.log import SqliteLog
from edda_sync.store.sqlite.mentions import SqliteMentions
from edda_sync.store.sqlite.meta import SqliteMeta
from edda_sync.store.sqlite.segments import SqliteSegments
from edda_sync.store.sqlite.signatures import SqliteSignatures
from edda_sync.store.sqlite.statements import Statements
from edda_sync.store.sqlite.states import SqliteStates
from edda_sync.store.sqlite.summary import Summary
from edda_sync.store.sqlite.tables import SqliteTables
from edda_sync.store.sqlite.unapplied import SqliteUnapplied


class SqliteReader:
    """
    One unmoving state of the store after another: :meth:`begin` to see the one of now.

    Args:
        connection: The reader's own.

    Attributes:
        connection: The same.
    """

    __slots__ = (
        "_is_ending", "_sql", "blobs", "connection", "edges", "evidence", "incoming", "index", "log", "mentions", "meta",
        "segments", "signatures", "states", "tables", "unapplied",
    )  # fmt: skip

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._is_ending = False
        self._sql = sql = Statements(connection)
        summary = Summary(sql)
        self.log, self.signatures, self.evidence = SqliteLog(sql), SqliteSignatures(sql), SqliteEvidence(sql)
        self.mentions, self.incoming, self.segments = SqliteMentions(sql), SqliteIncoming(sql), SqliteSegments(sql)
        self.states, self.index = SqliteStates(sql, summary), SqliteIndex(sql, summary)
        self.unapplied = SqliteUnapplied(sql)
        self.tables, self.edges = SqliteTables(sql), SqliteEdges(sql)
        self.blobs, self.meta = SqliteBlobs(sql), SqliteMeta(sql)

    def begin(self) -> None:
        """Begin to see the state of this moment."""
        self._forget()
        self._sql.execute("BEGIN")
        self._sql.execute("SELECT 1 FROM _meta LIMIT 1").fetchone()  # the state is fixed by the first read

    def changed_shape(self) -> list[str]:
        """Return what somebody changed in the tables, indexes and triggers, in words."""
        return shape.changed(self._sql.execute)

    def end(self) -> bool:
        """
        Let go of the state that is seen, while another thread may read it.

        Returns:
            Whether nothing is held any more. If not, a cursor is open: call this again some seconds later, when the row
            that the other thread may be fetching at this moment has reached it.
        """
        if self._is_ending:
            self.connection.rollback()  # resets all cursors
            return True
        self._is_ending = True
        self.connection.interrupt()  # should it be reading at this moment
        with suppress(sqlite.Error):  # what begins while something is read is interrupted with it
            self.connection.execute("ROLLBACK")
        return not self.connection.in_transaction

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on: this process was forked, and the connection is the parent's."""
        self._sql.disown(refuse)
        self._forget()

    def _forget(self) -> None:
        """Forget what is remembered of a state."""
        for facet in (self.log, self.unapplied, self.meta):
            facet.reset()
