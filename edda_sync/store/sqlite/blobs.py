"""Blobs, in the SQLite store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.sqlite.statements import Facet, WriterStatements, blob


class SqliteBlobs(Facet):
    """Implementation of ``seams.blobs.BlobsReader``."""

    __slots__ = ()

    def part(self, name: bytes, number: int) -> bytes | None:
        row = self._sql.one("SELECT part FROM _segment_parts WHERE hash = ? AND number = ?", name, number)
        return None if row is None else blob(row[0])

    def unreferenced(self) -> Sequence[tuple[bytes, int]]:
        return self._sql.all(
            "SELECT hash, count(*) FROM _segment_parts WHERE hash NOT IN (SELECT hash FROM _segments) GROUP BY hash"
            " ORDER BY hash"
        )


class SqliteBlobsWriter(SqliteBlobs):
    """Implementation of ``seams.blobs.BlobsWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def keep_part(self, name: bytes, number: int, part: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _segment_parts VALUES (?, ?, ?)", (name, number, part))

    def rename(self, draft: bytes, name: bytes) -> None:
        self._sql.execute("UPDATE OR IGNORE _segment_parts SET hash = ? WHERE hash = ?", (name, draft))
        self._sql.execute("DELETE FROM _segment_parts WHERE hash = ?", (draft,))

    def drop(self, name: bytes) -> None:
        self._sql.execute(
            "DELETE FROM _segment_parts WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM _segments WHERE hash = ?1)",
            (name,),
        )
