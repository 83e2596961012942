"""Small named values, in the SQLite store."""

from __future__ import annotations

from typing import Final

from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, sound

_WHAT: Final = "What the store notes of itself"


class SqliteMeta(Facet):
    """Implementation of ``seams.meta.MetaReader``. It remembers what was asked for."""

    __slots__ = ("_known",)

    def __init__(self, sql: Statements) -> None:
        super().__init__(sql)
        self._known: dict[str, bytes | None] = {}

    def reset(self) -> None:
        """Forget what is remembered."""
        self._known.clear()

    def get(self, key: str) -> bytes | None:
        try:
            return self._known[key]
        except KeyError:
            row = self._sql.one("SELECT value FROM _meta WHERE key = ?", key)
            value = self._known[key] = None if row is None else sound(row[0], _WHAT)
            return value

    def read(self, *keys: str) -> list[bytes | None]:
        found = {
            row[0]: sound(row[1], _WHAT) for row in self._sql.in_chunks("SELECT * FROM _meta WHERE key IN ({})", keys)
        }
        self._known.update((key, found.get(key)) for key in keys)
        return [found.get(key) for key in keys]


class SqliteMetaWriter(SqliteMeta):
    """Implementation of ``seams.meta.MetaWriter``."""

    __slots__ = ()

    _sql: WriterStatements

    def set(self, key: str, value: bytes) -> None:
        self._sql.execute(
            "INSERT INTO _meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, value)
        )
        self._known[key] = bytes(value)

    def drop(self, key: str) -> None:
        self._sql.execute("DELETE FROM _meta WHERE key = ?", (key,))
        self._known[key] = None
