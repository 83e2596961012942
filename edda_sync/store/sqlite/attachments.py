"""Which files documents refer to, and which are here, in the SQLite store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from edda_sync.store.seams.attachments import Attached
from edda_sync.store.sqlite.statements import Facet, WriterStatements

_COLUMNS: Final = "cell, record, root, size, created_at"
_LACKING: Final = "FROM _attachments WHERE root NOT IN (SELECT root FROM _held_files)"


class SqliteAttachments(Facet):
    """Implementation of ``seams.attachments.AttachmentsReader``."""

    __slots__ = ()

    def of(self, entity: bytes) -> Sequence[Attached]:
        rows = self._sql.all(f"SELECT {_COLUMNS} FROM _attachments WHERE entity = ? ORDER BY cell", entity)
        return [Attached(*row) for row in rows]

    def scan(self) -> Iterator[tuple[bytes, Attached]]:
        for entity, *row in self._sql.execute(f"SELECT entity, {_COLUMNS} FROM _attachments ORDER BY entity, cell"):
            yield entity, Attached(*row)

    def referring(self, root: bytes) -> Sequence[tuple[bytes, Attached]]:
        statement = f"SELECT entity, {_COLUMNS} FROM _attachments WHERE root = ? ORDER BY entity, cell"
        return [(entity, Attached(*row)) for entity, *row in self._sql.all(statement, root)]

    def missing(self, size_max: int, limit: int, after: tuple[int, bytes] | None = None) -> Sequence[Attached]:
        grouped = f"SELECT {_COLUMNS}, min(entity) {_LACKING} AND size <= ? AND (size, root) > (?, ?) GROUP BY root"
        statement = f"{grouped} ORDER BY size, root LIMIT ?"
        return [Attached(*row[:-1]) for row in self._sql.all(statement, size_max, *(after or (-1, b"")), limit)]

    def totals(self) -> tuple[int, int]:
        return self._counted("FROM _attachments")

    def lacking(self) -> tuple[int, int]:
        return self._counted(_LACKING)

    def _counted(self, among: str) -> tuple[int, int]:
        """Return how many files there are among some attachments, and their size: the least, should somebody have lied."""
        grouped = f"SELECT min(size) AS size {among} GROUP BY root"
        count, size = self._sql.one(f"SELECT count(*), coalesce(sum(size), 0) FROM ({grouped})")
        return count, size

    def unneeded(self) -> Sequence[bytes]:
        statement = "SELECT root FROM _held_files WHERE root NOT IN (SELECT root FROM _attachments) ORDER BY root"
        return [root for (root,) in self._sql.all(statement)]

    def holds(self, root: bytes) -> bool:
        return self._sql.one("SELECT 1 FROM _held_files WHERE root = ?", root) is not None


class SqliteAttachmentsWriter(SqliteAttachments):
    """Implementation of ``seams.attachments.AttachmentsWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def put(self, attached: Mapping[bytes, Sequence[Attached]]) -> None:
        for entity, rows in attached.items():
            before = {each.cell: each for each in self.of(entity)}
            now = {each.cell: each for each in rows}
            gone = [(entity, cell) for cell in before if cell not in now]
            new = [(entity, *each) for each in rows if before.get(each.cell) != each]
            self._sql.many_if_any("DELETE FROM _attachments WHERE entity = ? AND cell = ?", gone)
            self._sql.many_if_any("INSERT OR REPLACE INTO _attachments VALUES (?, ?, ?, ?, ?, ?)", new)

    def hold(self, root: bytes) -> None:
        self._sql.execute("INSERT OR IGNORE INTO _held_files VALUES (?)", (root,))

    def release(self, roots: Collection[bytes]) -> None:
        self._sql.many_if_any("DELETE FROM _held_files WHERE root = ?", [(root,) for root in roots])

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the attachments of some documents."""
        self._sql.many_if_any("DELETE FROM _attachments WHERE entity = ?", [(entity,) for entity in entities])
