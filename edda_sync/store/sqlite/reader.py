"""A reader of the SQLite store: a connection inside a read transaction, and the facets over it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.attachments import SqliteAttachments
from edda_sync.store.sqlite.blobs import SqliteBlobs
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.edges import SqliteEdges
from edda_sync.store.sqlite.evidence import SqliteEvidence
from edda_sync.store.sqlite.incoming import SqliteIncoming
from edda_sync.store.sqlite.keeping import Keeping
from edda_sync.store.sqlite.log import SqliteLog
from edda_sync.store.sqlite.mentions import SqliteMentions
from edda_sync.store.sqlite.meta import SqliteMeta
from edda_sync.store.sqlite.segments import SqliteSegments
from edda_sync.store.sqlite.signatures import SqliteSignatures
from edda_sync.store.sqlite.statements import Statements
from edda_sync.store.sqlite.summary import Summary
from edda_sync.store.sqlite.tables import SqliteTables
from edda_sync.store.sqlite.unapplied import SqliteUnapplied
from edda_sync.store.sqlite.uniques import SqliteUniques


class SqliteReader:
    """
    A reader of one state of the store, and of another after each :meth:`begin`, which takes the state of that moment.

    Args:
        connection: A connection that only this reader uses.
        keeping: What keeps the states.

    Attributes:
        connection: The same connection.
    """

    __slots__ = (
        "_is_ending", "_sql", "attachments", "blobs", "connection", "edges", "evidence", "incoming", "index", "log",
        "mentions", "meta", "segments", "signatures", "states", "tables", "unapplied", "uniques",
    )  # fmt: skip

    def __init__(self, connection: Connection, keeping: Keeping) -> None:
        self.connection = connection
        self._is_ending = False
        self._sql = sql = Statements(connection)
        summary = Summary(sql)
        self.log, self.signatures, self.evidence = SqliteLog(sql), SqliteSignatures(sql), SqliteEvidence(sql)
        self.mentions, self.incoming, self.segments = SqliteMentions(sql), SqliteIncoming(sql), SqliteSegments(sql)
        self.states, self.index = keeping.reader(sql, summary)
        self.unapplied = SqliteUnapplied(sql)
        self.tables, self.edges = SqliteTables(sql, self.index.hidden_count), SqliteEdges(sql)
        self.uniques, self.attachments = SqliteUniques(sql), SqliteAttachments(sql)
        self.blobs, self.meta = SqliteBlobs(sql), SqliteMeta(sql)

    def begin(self) -> None:
        """Begin to read the state of this moment."""
        self._forget()
        self._sql.execute("BEGIN")
        schema.refuse_newer(self._sql.execute)  # the first read, which fixes the state
        while not self.states.begin():
            self._sql.execute("ROLLBACK")
            self._sql.execute("BEGIN")
            schema.refuse_newer(self._sql.execute)  # of the new state, too

    def end(self) -> bool:
        """
        Release the state that is read, even while another thread is reading it.

        Returns:
            Whether the state is released. If not, a cursor is still open. Call this again some seconds later, when the other
            thread has got the row that it may be fetching now.
        """
        if self._is_ending:
            self.connection.rollback()  # this resets all cursors
            return True
        self._is_ending = True
        self.connection.interrupt()  # in case it is reading now
        with suppress(sqlite.Error):  # a statement that begins during a read is interrupted as well
            self.connection.execute("ROLLBACK")
        return not self.connection.in_transaction

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on: this process was forked, and the connection belongs to the parent."""
        self._sql.disown(refuse)
        self.states.disown(refuse)
        self._forget()

    def _forget(self) -> None:
        """Forget what the facets remember of a state."""
        for facet in (self.log, self.unapplied, self.meta, self.tables, self.uniques):
            facet.reset()
