"""Large changes that are only partly here, in the SQLite store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.seams.incoming import Incoming
from edda_sync.store.sqlite.statements import Facet, WriterStatements, where


class SqliteIncoming(Facet):
    """Implementation of ``seams.incoming.IncomingReader``."""

    __slots__ = ()

    def all(self, seq: int | None = None) -> Sequence[Incoming]:
        found = []
        listed = self._sql.execute(
            f"SELECT actor, seq, raw FROM _incoming{where(seq=seq)} ORDER BY actor, seq", {"seq": seq}
        )
        for actor, at, raw in listed.fetchall():
            parts = self._sql.column("SELECT number FROM _incoming_parts WHERE actor = ? AND seq = ?", actor, at)
            found.append(Incoming(actor, at, raw, frozenset(parts)))
        return found

    def part(self, actor: bytes, seq: int, number: int) -> bytes:
        statement = "SELECT part FROM _incoming_parts WHERE actor = ? AND seq = ? AND number = ?"
        return bytes(self._sql.one(statement, actor, seq, number)[0])


class SqliteIncomingWriter(SqliteIncoming):
    """Implementation of ``seams.incoming.IncomingWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _incoming VALUES (?, ?, ?)", (actor, seq, raw))

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _incoming_parts VALUES (?, ?, ?, ?)", (actor, seq, number, part))

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        self._sql.execute(
            "INSERT INTO _log_parts SELECT ?, number, part FROM _incoming_parts WHERE actor = ? AND seq = ?",
            (position, actor, seq),
        )
        self.forget(actor, seq)

    def forget(self, actor: bytes, seq: int) -> None:
        self._sql.execute("DELETE FROM _incoming WHERE actor = ? AND seq = ?", (actor, seq))
        self._sql.execute("DELETE FROM _incoming_parts WHERE actor = ? AND seq = ?", (actor, seq))
