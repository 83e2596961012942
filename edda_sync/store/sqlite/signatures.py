"""Signatures over heads, in the SQLite store."""

from __future__ import annotations

from edda_sync.store.sqlite.log import SqliteLogWriter
from edda_sync.store.sqlite.statements import Facet, WriterStatements, blob


class SqliteSignatures(Facet):
    """Implementation of ``seams.signatures.SignaturesReader``."""

    __slots__ = ()

    def at(self, actor: bytes, seq: int) -> bytes | None:
        row = self._sql.one("SELECT signature FROM _signatures WHERE actor = ? AND seq = ?", actor, seq)
        return None if row is None else blob(row[0])

    def next(self, actor: bytes, seq: int) -> int | None:
        row = self._sql.one("SELECT min(seq) FROM _signatures WHERE actor = ? AND seq >= ?", actor, seq)
        return None if row is None else row[0]

    def last(self, actor: bytes, seq: int) -> int | None:
        row = self._sql.one("SELECT max(seq) FROM _signatures WHERE actor = ? AND seq <= ?", actor, seq)
        return None if row is None else row[0]


class SqliteSignaturesWriter(SqliteSignatures):
    """Implementation of ``seams.signatures.SignaturesWriter``. It notes the latest signature in the head, too."""

    __slots__ = ("_log",)

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, log: SqliteLogWriter) -> None:
        super().__init__(sql)
        self._log = log

    def add(self, actor: bytes, seq: int, signature: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _signatures VALUES (?, ?, ?)", (actor, seq, signature))
        head = self._log.heads().get(actor)
        if head is not None and head.signed_seq < seq:
            self._log.set_head(head._replace(signed_seq=seq, signature=signature))
