"""Claims under unique indexes, in the SQLite store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from edda_sync.store.seams.uniques import Claim
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, blob

_COLUMNS = "name, value, entity, withheld"


class SqliteUniques(Facet):
    """Implementation of ``seams.uniques.UniquesReader``. It remembers the settings."""

    __slots__ = ("_settings",)

    def __init__(self, sql: Statements) -> None:
        super().__init__(sql)
        self._settings: dict[str, bytes] | None = None

    def reset(self) -> None:
        """Forget what is remembered."""
        self._settings = None

    def settings(self) -> Mapping[str, bytes]:
        if self._settings is None:
            self._settings = {name: blob(record) for name, record in self._sql.all("SELECT * FROM _unique")}
        return self._settings

    def claims_of(self, entities: Collection[bytes]) -> list[Claim]:
        if not self.settings():
            return []
        found = self._sql.in_chunks(f"SELECT {_COLUMNS} FROM _claims WHERE entity IN ({{}})", entities)
        return sorted(map(_claim, found))

    def holders(self, name: str, value: bytes, limit: int) -> list[Claim]:
        statement = f"SELECT {_COLUMNS} FROM _claims WHERE name = ? AND value = ? ORDER BY entity LIMIT ?"
        return [_claim(row) for row in self._sql.execute(statement, (name, value, limit))]

    def withheld(self, name: str) -> list[Claim]:
        statement = f"SELECT {_COLUMNS} FROM _claims WHERE name = ? AND withheld ORDER BY value, entity"
        return [_claim(row) for row in self._sql.execute(statement, (name,))]

    def scan(self) -> Iterator[Claim]:
        yield from map(_claim, self._sql.execute(f"SELECT {_COLUMNS} FROM _claims ORDER BY name, entity"))

    def clashes(self) -> int:
        if not self.settings():
            return 0
        return int(self._sql.one("SELECT count(*) FROM _claims WHERE withheld")[0])


class SqliteUniquesWriter(SqliteUniques):
    """
    Implementation of ``seams.uniques.UniquesWriter``.

    Args:
        sql: The statements of the writer.
        defined: Called with the name and the record of each index, so that one of SQLite serves queries.
    """

    __slots__ = ("_defined",)

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, defined: Callable[[str, bytes | None], None]) -> None:
        super().__init__(sql)
        self._defined = defined

    def define(self, name: str, record: bytes | None) -> None:
        self._sql.execute("DELETE FROM _claims WHERE name = ?", (name,))
        self._defined(name, None)
        self._sql.execute("DELETE FROM _unique WHERE name = ?", (name,))
        if record is not None:
            self._sql.execute("INSERT INTO _unique VALUES (?, ?)", (name, record))
            self._defined(name, record)
        self._settings = None

    def put(self, gone: Sequence[tuple[str, bytes]], held: Sequence[Claim]) -> None:
        before = [*gone, *((each.name, each.entity) for each in held)]
        self._sql.many_if_any("DELETE FROM _claims WHERE name = ? AND entity = ?", before)
        self._sql.many_if_any(f"INSERT INTO _claims({_COLUMNS}) VALUES (?, ?, ?, ?)", held)

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the claims of some entities."""
        if self.settings():
            self._sql.many_if_any("DELETE FROM _claims WHERE entity = ?", [(entity,) for entity in entities])


def _claim(row: tuple[str, bytes, bytes, int]) -> Claim:
    return Claim(row[0], blob(row[1]), blob(row[2]), bool(row[3]))
