"""Evidence, in the SQLite store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.store.sqlite.statements import Facet, WriterStatements, blob


class SqliteEvidence(Facet):
    """Implementation of ``seams.evidence.EvidenceReader``."""

    __slots__ = ()

    def all(self) -> Mapping[bytes, bytes]:
        return dict(self._sql.all("SELECT name, evidence FROM _evidence ORDER BY name"))

    def names(self) -> Sequence[bytes]:
        return [name for (name,) in self._sql.all("SELECT name FROM _evidence ORDER BY name")]

    def get(self, name: bytes) -> bytes | None:
        row = self._sql.one("SELECT evidence FROM _evidence WHERE name = ?", name)
        return None if row is None else blob(row[0])


class SqliteEvidenceWriter(SqliteEvidence):
    """Implementation of ``seams.evidence.EvidenceWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def add(self, name: bytes, evidence: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _evidence VALUES (?, ?)", (name, evidence))

    def drop(self, name: bytes) -> None:
        self._sql.execute("DELETE FROM _evidence WHERE name = ?", (name,))
