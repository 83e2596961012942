"""Segments, and how much of the log behind them is here, in the SQLite store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.store.seams.log import Head
from edda_sync.store.seams.segments import Rewritten
from edda_sync.store.sqlite.log import SqliteLogWriter, head_of
from edda_sync.store.sqlite.statements import Facet, WriterStatements, blob
from edda_sync.store.sqlite.unapplied import SqliteUnappliedWriter


class SqliteSegments(Facet):
    """Implementation of ``seams.segments.SegmentsReader``."""

    __slots__ = ()

    def merged(self) -> Sequence[tuple[int, bytes]]:
        return self._sql.all("SELECT position, hash FROM _segments ORDER BY position")

    def behind(self) -> Mapping[bytes, Head]:
        rows = self._sql.execute("SELECT actor, seq, hash, deps, birth, signed_seq, signature FROM _behind")
        return {row[0]: head_of(row) for row in rows}

    def rewritten(self) -> Sequence[Rewritten]:
        rows = self._sql.execute(
            "SELECT position, entity, before, edits, leaves FROM _rewritten ORDER BY position, rowid"
        )
        return [Rewritten(*row) for row in rows]

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        row = self._sql.one("SELECT leaves FROM _rewritten WHERE entity = ? ORDER BY rowid DESC LIMIT 1", entity)
        return None if row is None else blob(row[0])


class SqliteSegmentsWriter(SqliteSegments):
    """Implementation of ``seams.segments.SegmentsWriter``. It remembers which segments were merged."""

    __slots__ = ("_log", "_merged", "_unapplied")

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, log: SqliteLogWriter, unapplied: SqliteUnappliedWriter) -> None:
        super().__init__(sql)
        self._log, self._unapplied = log, unapplied
        self._merged: Sequence[tuple[int, bytes]] | None = None

    def reset(self) -> None:
        """Forget what is remembered."""
        self._merged = None

    def merged(self) -> Sequence[tuple[int, bytes]]:
        merged = self._merged
        if merged is None:
            merged = self._merged = super().merged()
        return merged

    def append(self, position: int, segment: bytes) -> None:
        self._sql.execute("INSERT INTO _segments VALUES (?, ?)", (position, segment))
        self._merged = None
        self._log.reach(position)

    def end(self, segment: bytes) -> None:
        self._sql.execute("DELETE FROM _segments WHERE hash = ?", (segment,))
        self._sql.execute("DELETE FROM _segment_parts WHERE hash = ?", (segment,))
        self._sql.execute("DELETE FROM _behind")
        self._merged = None
        self._log.reset()

    def set_behind(self, head: Head) -> None:
        self._sql.execute("INSERT OR REPLACE INTO _behind VALUES (?, ?, ?, ?, ?, ?, ?)", head)

    def drop_behind(self) -> None:
        for table in ("_log", "_log_parts"):
            self._sql.execute(f"DELETE FROM {table} WHERE position < (SELECT min(position) FROM _segments)")
        self._sql.execute(
            "DELETE FROM _signatures WHERE EXISTS (SELECT 1 FROM _behind b WHERE b.actor = _signatures.actor AND"
            " _signatures.seq <= b.seq) AND NOT EXISTS (SELECT 1 FROM _heads h WHERE h.actor = _signatures.actor AND"
            " h.signed_seq = _signatures.seq)"
        )
        self._sql.execute("DELETE FROM _behind")

    def fall_back(self) -> None:
        for table in ("_log", "_log_parts", "_mentions", "_unapplied"):
            self._sql.execute(f"DELETE FROM {table} WHERE position >= (SELECT min(position) FROM _segments)")
        self._sql.execute("DELETE FROM _heads")
        self._sql.execute("INSERT INTO _heads SELECT actor, seq, hash, deps, birth, 0, x'' FROM _behind")
        self._sql.execute(
            "DELETE FROM _signatures WHERE NOT EXISTS"
            " (SELECT 1 FROM _behind b WHERE b.actor = _signatures.actor AND b.seq >= _signatures.seq)"
        )
        self._sql.execute(
            "UPDATE _heads SET signed_seq = s.seq, signature = s.signature FROM"
            " (SELECT actor, max(seq) AS seq, signature FROM _signatures GROUP BY actor) s WHERE s.actor = _heads.actor"
        )
        self._log.reset()
        self._unapplied.reset()

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        self._sql.execute("INSERT INTO _rewritten VALUES (?, ?, ?, ?, ?)", rewritten)

    def forget_rewritten(self) -> None:
        self._sql.execute("DELETE FROM _rewritten")
