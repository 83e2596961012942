"""The writer of the SQLite store: its transactions, and the jobs that share a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.sqlite import fulltext, schema, shape
from edda_sync.store.sqlite.attachments import SqliteAttachmentsWriter
from edda_sync.store.sqlite.blobs import SqliteBlobsWriter
from edda_sync.store.sqlite.edges import SqliteEdgesWriter
from edda_sync.store.sqlite.errors import is_busy
from edda_sync.store.sqlite.evidence import SqliteEvidenceWriter
from edda_sync.store.sqlite.incoming import SqliteIncomingWriter
from edda_sync.store.sqlite.keeping import Keeping
from edda_sync.store.sqlite.log import SqliteLogWriter
from edda_sync.store.sqlite.mentions import SqliteMentionsWriter
from edda_sync.store.sqlite.meta import SqliteMetaWriter
from edda_sync.store.sqlite.segments import SqliteSegmentsWriter
from edda_sync.store.sqlite.signatures import SqliteSignaturesWriter
from edda_sync.store.sqlite.statements import WriterStatements
from edda_sync.store.sqlite.summary import SummaryWriter
from edda_sync.store.sqlite.tables import SqliteTablesWriter
from edda_sync.store.sqlite.unapplied import SqliteUnappliedWriter
from edda_sync.store.sqlite.uniques import SqliteUniquesWriter
from edda_sync.words import limits

_PIECE_MS = 100  # of a wait in SQLite, which hears no signal


class SqliteWriter:
    """
    The connection that writes. It is inside a transaction after :meth:`begin`.

    The facets remember, from one transaction to the next, what every commit asks for. They forget it when a transaction or
    job is undone, or when another connection has committed. What every change writes is deferred (``statements``).

    Args:
        connection: The connection that writes.
        keeping: What keeps the states.

    Attributes:
        sql: The statements of the transaction.
    """

    def __init__(self, connection: Any, keeping: Keeping) -> None:
        self._connection = connection
        fulltext.prepare(connection)
        self.sql = self._sql = sql = WriterStatements(connection)
        self._summary = SummaryWriter(sql, connection)
        self.unapplied = SqliteUnappliedWriter(sql)
        self.log = SqliteLogWriter(sql, self.unapplied)
        self.signatures, self.evidence = SqliteSignaturesWriter(sql, self.log), SqliteEvidenceWriter(sql)
        self.mentions, self.incoming = SqliteMentionsWriter(sql), SqliteIncomingWriter(sql)
        self.segments = SqliteSegmentsWriter(sql, self.log, self.unapplied)
        self.states, self.index = keeping.writer(sql, self._summary)
        self.edges = SqliteEdgesWriter(sql)
        self.tables = SqliteTablesWriter(sql, self.edges, self.index.hidden_count)
        self.uniques = SqliteUniquesWriter(sql, self.tables.define)
        self.attachments = SqliteAttachmentsWriter(sql)
        self.blobs, self.meta = SqliteBlobsWriter(sql), SqliteMetaWriter(sql)
        self._version = -1

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on: this process was forked, and the connection belongs to the parent."""
        self._sql.disown(refuse)
        self.states.disown(refuse)
        self._forget_known()

    # --- transactions, and the jobs that share one --------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction. It waits for another process in short pieces, so that Ctrl-C is heard between two of them."""
        deadline = time.monotonic() + limits.BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                return self._begin(_PIECE_MS)
            except sqlite.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise

    def begin_at_once(self) -> bool:
        """Begin a transaction, unless another process is writing at this moment; tell whether it began."""
        try:
            self._begin(0)
        except sqlite.OperationalError as error:
            if not is_busy(error):
                raise
            return False
        return True

    def _begin(self, patience_ms: int) -> None:
        self._sql.execute(f"PRAGMA busy_timeout = {patience_ms}")
        try:
            self._sql.execute("BEGIN IMMEDIATE")
        finally:
            self._sql.execute(f"PRAGMA busy_timeout = {limits.BUSY_TIMEOUT_MS}")
        self._summary.begin()
        (version,) = self._sql.one("PRAGMA data_version")
        if version != self._version:
            schema.refuse_newer(self._sql.execute)  # another process may have migrated the store
            self._version = version
            self._forget_known()
        self.states.begin()

    def commit(self) -> None:
        """Make the transaction durable."""
        self.states.flush()
        self._sql.write_due()
        self.tables.settle()
        self._summary.commit()
        self._sql.execute("COMMIT")
        self.states.committed()

    def roll_back(self) -> None:
        """Undo the transaction, if one is running."""
        self._forget_all()
        if self.in_transaction:
            self._sql.execute("ROLLBACK")

    def begin_job(self) -> None:
        """Begin a job, which can be undone without the rest of the transaction."""
        self.states.flush()
        self._summary.flush()
        self._sql.execute("SAVEPOINT job")

    def end_job(self) -> None:
        """Keep what was done since :meth:`begin_job`."""
        self._sql.execute("RELEASE job")

    def undo_job(self) -> None:
        """Undo what was done since :meth:`begin_job`, unless the whole transaction is already undone."""
        self._forget_all()
        if self.in_transaction:
            self._sql.execute("ROLLBACK TO job")
            self._sql.execute("RELEASE job")

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """See ``StoreWriter.undoing``."""
        self.states.flush()
        self._summary.flush()
        self._sql.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._forget_all()
            if self.in_transaction:
                self._sql.execute("ROLLBACK TO part")
                self._sql.execute("RELEASE part")
            raise
        self._sql.execute("RELEASE part")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is running."""
        return bool(self._connection.in_transaction)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _forget_all(self) -> None:
        """Forget what is remembered and what is deferred, because the transaction or job is undone."""
        self._forget_known()
        self._sql.forget_due()

    def _forget_known(self) -> None:
        for remembering in (
            self._summary, self.meta, self.log, self.segments, self.unapplied, self.states, self.index, self.edges,
            self.tables, self.uniques,
        ):  # fmt: skip
            remembering.reset()

    # --- the view -----------------------------------------------------------------------------------------------------

    def forget(self, entities: Sequence[bytes]) -> None:
        """See ``StoreWriter.forget``."""
        for record in self.states.get(entities).values():
            self.index.add_to_digest(-int.from_bytes(record.hash[:16], "big"))
        for kind in {kind for kind, _ in map(kind_and_id, entities)}:
            self.tables.hide(kind, [key for key in entities if kind_and_id(key)[0] == kind])
        self.states.drop(entities)
        self.index.drop(entities)
        self.unapplied.drop(entities)
        self.attachments.drop(entities)
        self.uniques.drop(entities)

    def clear_view(self) -> None:
        """See ``StoreWriter.clear_view``. This also mends tables, indexes and triggers that other programs changed."""
        self._summary.flush()
        shape.mend(self._sql.execute)
        self.tables.clear()
        self.states.clear()
        fulltext.clear(self._sql.execute)
        self._forget_known()
        self._summary.set_digest(0)
