"""Which changes are about which entities, in the SQLite store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.sqlite.statements import Facet, WriterStatements


class SqliteMentions(Facet):
    """Implementation of ``seams.mentions.MentionsReader``."""

    __slots__ = ()

    def of(self, entity: bytes) -> Sequence[int]:
        return self._sql.column("SELECT position FROM _mentions WHERE entity = ? ORDER BY position", entity)

    def count(self) -> int:
        return int(self._sql.one("SELECT count(*) FROM _mentions")[0])

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        found = set(self._sql.in_chunks("SELECT entity FROM _mentions WHERE position IN ({})", positions))
        return sorted(row[0] for row in found)


class SqliteMentionsWriter(SqliteMentions):
    """Implementation of ``seams.mentions.MentionsWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def add(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        self._sql.many("INSERT OR IGNORE INTO _mentions VALUES (?, ?)", mentions)
