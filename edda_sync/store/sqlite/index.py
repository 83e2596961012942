"""The index over states, in the SQLite store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edda_sync.store.sqlite.names import bounds, text_of
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, blob
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError

if TYPE_CHECKING:
    from edda_sync.crdt.cells import Write
    from edda_sync.store.seams import Deleted

_SUM_END: Final = 1 << 128  # sums of the digest are taken modulo this number


class SqliteIndex(Facet):
    """
    Implementation of ``seams.index.IndexReader``.

    Args:
        sql: The statements of the reader.
        summary: The summary.
        states: Those that read states, if these are others.
    """

    __slots__ = ("_states", "_summary")

    def __init__(self, sql: Statements, summary: Summary, states: Statements | None = None) -> None:
        super().__init__(sql)
        self._summary, self._states = summary, states or sql

    def digest(self) -> int:
        return self._summary.digest()

    def hidden(self, kind: str) -> list[bytes]:
        statement = "SELECT key FROM _entities WHERE hidden AND key BETWEEN ? AND ? ORDER BY key"
        return self._states.column(statement, *bounds(kind))

    def hidden_count(self) -> int:
        """Return how many entities are in the trash."""
        return int(self._states.one("SELECT count(*) FROM _entities WHERE hidden")[0])

    def conflicted(self) -> list[bytes]:
        return self._states.column("SELECT key FROM _entities WHERE conflicted ORDER BY key")

    def contested(self) -> list[bytes]:
        return [
            blob(each) for each in self._sql.column("SELECT entity FROM _deletions WHERE contested ORDER BY entity")
        ]

    def deletions(self, entities: Iterable[bytes]) -> dict[bytes, tuple[Write, ...]]:
        rows = self._sql.in_chunks("SELECT entity, open FROM _deletions WHERE entity IN ({})", entities)
        return {entity: _decoded(encoded) for entity, encoded in rows}

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        last = bytes.fromhex(suffix[-limits.SHORT_ID_CHARACTERS_MIN :])
        keys = self._states.column(  # the plus keeps SQLite from using the index of whole keys
            "SELECT key FROM _entities WHERE substr(key, -3) = ? AND +key BETWEEN ? AND ? AND lower(hex(key)) LIKE ?"
            " ORDER BY hidden, key LIMIT ?",
            last, *bounds(kind), "%" + suffix, limits.CANDIDATES_MAX,
        )  # fmt: skip
        return [text_of(key) for key in keys]

    def stale(self) -> list[bytes]:
        return self._sql.column("SELECT entity FROM _stale ORDER BY entity")

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        return {row[0] for row in self._sql.in_chunks("SELECT entity FROM _stale WHERE entity IN ({})", entities)}


class SqliteIndexWriter(SqliteIndex):
    """Implementation of ``seams.index.IndexWriter``. It remembers whether anything is stale, and which marks it wrote."""

    __slots__ = ("_any_stale", "_noted")

    _sql: WriterStatements
    _summary: SummaryWriter

    def __init__(self, sql: WriterStatements, summary: SummaryWriter) -> None:
        super().__init__(sql, summary)
        self.reset()

    def reset(self) -> None:
        """Forget what is remembered."""
        self._any_stale: bool | None = None
        self._noted: set[bytes] = set()  # entities that this writer marked as stale: typing marks its text only once

    def stale(self) -> list[bytes]:
        return super().stale() if self._is_any_stale() else []

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        return super().stale_among(entities) if entities and self._is_any_stale() else set()

    def _is_any_stale(self) -> bool:
        if self._any_stale is None:
            self._any_stale = self._sql.one("SELECT 1 FROM _stale LIMIT 1") is not None
        return self._any_stale

    def add_to_digest(self, delta: int) -> None:
        self._summary.set_digest((self._summary.digest() + delta) % _SUM_END)

    def set_deletions(self, deletions: Mapping[bytes, Deleted | None]) -> None:
        import msgspec  # lists do not need it

        encode = msgspec.msgpack.encode
        rows = [(key, encode(each.open), each.is_contested) for key, each in deletions.items() if each]
        self._sql.many_if_any("INSERT OR REPLACE INTO _deletions(entity, open, contested) VALUES (?, ?, ?)", rows)
        self._forget_deletions([key for key, each in deletions.items() if each is None])

    def _forget_deletions(self, entities: Sequence[bytes]) -> None:
        self._sql.many_if_any("DELETE FROM _deletions WHERE entity = ?", [(entity,) for entity in entities])

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        became = [(entity,) for entity, is_stale in stale.items() if is_stale and entity not in self._noted]
        ended = [entity for entity, is_stale in stale.items() if not is_stale]
        if became:
            self._sql.many("INSERT OR IGNORE INTO _stale VALUES (?)", became)
            self._noted.update(entity for (entity,) in became)
            self._any_stale = True
        if ended:
            self._end_stale(ended)

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget that some entities are stale, and their open deletions."""
        self._end_stale(entities)
        self._forget_deletions(entities)

    def _end_stale(self, entities: Sequence[bytes]) -> None:
        self._sql.many("DELETE FROM _stale WHERE entity = ?", [(entity,) for entity in entities])
        self._noted.difference_update(entities)
        self._any_stale = None


def _decoded(encoded: bytes) -> tuple[Write, ...]:
    import msgspec  # lists do not need it

    try:
        return msgspec.msgpack.decode(blob(encoded), type=tuple[tuple[bytes, int, int, None], ...])
    except msgspec.DecodeError:
        raise CorruptError("The list of the deletions of an item") from None
