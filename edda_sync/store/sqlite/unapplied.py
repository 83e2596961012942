"""Operations that are not folded, in the SQLite store."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.store.seams.unapplied import Unapplied
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, where


class SqliteUnapplied(Facet):
    """Implementation of ``seams.unapplied.UnappliedReader``. It remembers whether any operation waits, and how many."""

    __slots__ = ("_waiting", "_waits")

    def __init__(self, sql: Statements) -> None:
        super().__init__(sql)
        self.reset()

    def reset(self) -> None:
        """Forget what is remembered."""
        self._waiting: int | None = None
        self._waits: bool | None = None

    def operations(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        rows = self._sql.execute(
            f"SELECT position, number, entity, refused, why FROM _unapplied{where(entity=entity, position=position)}"
            " ORDER BY position, number",
            {"entity": entity, "position": position},
        )
        return [Unapplied(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]

    def waits(self) -> bool:
        waits = self._waits
        if waits is None:
            found = self._sql.one("SELECT 1 FROM _unapplied WHERE NOT refused LIMIT 1")
            waits = self._waits = found is not None
        return waits

    def waiting(self) -> int:
        waiting = self._waiting
        if waiting is None:
            (waiting,) = self._sql.one("SELECT count(*) FROM _unapplied WHERE NOT refused")
            self._waiting = waiting
        return waiting

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        return self._sql.column(
            "SELECT DISTINCT position FROM _unapplied WHERE entity = ? AND position > ? AND NOT refused ORDER BY position",
            entity, after,
        )  # fmt: skip

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        return self._sql.all(
            "SELECT position, group_concat(number) FROM (SELECT position, number FROM _unapplied WHERE NOT refused"
            " ORDER BY position, number) GROUP BY position ORDER BY position"
        )


class SqliteUnappliedWriter(SqliteUnapplied):
    """Implementation of ``seams.unapplied.UnappliedWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def add(self, unapplied: Sequence[Unapplied]) -> None:
        self._sql.many("INSERT OR REPLACE INTO _unapplied VALUES (?, ?, ?, ?, ?)", unapplied)
        self.reset()

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the operations about some entities."""
        self._sql.many("DELETE FROM _unapplied WHERE entity = ?", [(entity,) for entity in entities])
        self.reset()
