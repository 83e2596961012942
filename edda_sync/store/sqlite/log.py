"""The log, in the SQLite store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from edda_sync.store.seams.log import Head, Logged
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, blob
from edda_sync.store.sqlite.unapplied import SqliteUnappliedWriter
from edda_sync.words.errors import CorruptError
from edda_sync.words.query import Row

_APPEND: Final = "INSERT INTO _log VALUES (?, ?, ?, ?, ?, ?)"
_SET_HEAD: Final = "INSERT OR REPLACE INTO _heads VALUES (?, ?, ?, ?, ?, ?, ?)"

# One wrong bit makes text of bytes, which the driver would try to decode.
_READ: Final = (
    "SELECT position, CAST(actor AS BLOB), seq, CAST(hash AS BLOB), CAST(raw AS BLOB), CAST(body AS BLOB)"
    " FROM _log WHERE position = ?"
)
_LOGGED: Final = (int, bytes, int, bytes, bytes, bytes)
_HEAD: Final = (bytes, int, bytes, bytes, bytes, int, bytes)


def head_of(row: Row) -> Head:
    """
    Return the head of a row.

    Raises:
        CorruptError: It holds something else.
    """
    if tuple(map(type, row)) != _HEAD:
        raise CorruptError("The end of the log of a device")
    return Head(*row)


class SqliteLog(Facet):
    """Implementation of ``seams.log.LogReader``."""

    __slots__ = ("_heads",)

    def __init__(self, sql: Statements) -> None:
        super().__init__(sql)
        # None until somebody asks: a store with a thousand lives has a thousand rows here.
        self._heads: Mapping[bytes, Head] | None = None

    def reset(self) -> None:
        """Forget what is remembered."""
        self._heads = None

    def heads(self) -> Mapping[bytes, Head]:
        found = self._heads
        if found is None:
            rows = self._sql.execute("SELECT actor, seq, hash, deps, birth, signed_seq, signature FROM _heads")
            found = self._heads = {row[0]: head_of(row) for row in rows}
        return found

    def position(self) -> int:
        logged, segment = self._sql.one(
            "SELECT (SELECT max(position) FROM _log), (SELECT max(position) FROM _segments)"
        )
        return max(logged or 0, segment or 0)

    def positions_after(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        found: list[int] = []
        for actor, head in self.heads().items():
            held = frontier.get(actor, 0)
            if held < head.seq:
                rows = self._sql.execute("SELECT position FROM _log WHERE actor = ? AND seq > ?", (actor, held))
                found.extend(row[0] for row in rows)
        found.sort()
        return found

    def backwards(self) -> Iterator[int]:
        rows = self._sql.execute("SELECT position FROM _log ORDER BY position DESC")
        return (row[0] for row in rows)

    def read(self, position: int) -> Logged:
        row = self._sql.one(_READ, position)
        if row is None:
            raise CorruptError(f"The log, which has nothing at position {position:,},")
        if tuple(map(type, row)) != _LOGGED:  # one wrong bit makes another type of a value
            raise CorruptError(f"The log, in which position {position:,} holds something else,")
        return Logged(*row)

    def position_of(self, actor: bytes, seq: int) -> int | None:
        row = self._sql.one("SELECT position FROM _log WHERE actor = ? AND seq = ?", actor, seq)
        return None if row is None else int(row[0])

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        row = self._sql.one(
            "SELECT hash FROM _log WHERE actor = ?1 AND seq = ?2"
            " UNION SELECT hash FROM _heads WHERE actor = ?1 AND seq = ?2",
            actor, seq,
        )  # fmt: skip
        return None if row is None else blob(row[0])

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        return self._sql.all("SELECT seq, hash FROM _log WHERE actor = ? AND seq >= ? ORDER BY seq", actor, first)

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        statement = "SELECT CAST(raw AS BLOB) FROM _log WHERE actor = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        return [blob(raw) for raw in self._sql.column(statement, actor, first, last)]

    def part(self, position: int, number: int) -> bytes | None:
        row = self._sql.one(
            "SELECT CAST(part AS BLOB) FROM _log_parts WHERE position = ? AND number = ?", position, number
        )
        return None if row is None else blob(row[0])

    def parts(self, position: int) -> Iterator[bytes]:
        number = 0
        while (part := self.part(position, number)) is not None:
            yield part
            number += 1


class SqliteLogWriter(SqliteLog):
    """Implementation of ``seams.log.LogWriter``. It remembers the heads, and the end of the log."""

    __slots__ = ("_end", "_unapplied")

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, unapplied: SqliteUnappliedWriter) -> None:
        super().__init__(sql)
        self._unapplied = unapplied
        self._end: int | None = None

    def reset(self) -> None:
        """Forget what is remembered."""
        self._heads = self._end = None

    def position(self) -> int:
        end = self._end
        if end is None:
            end = self._end = super().position()
        return end

    def reach(self, position: int) -> None:
        """Note that the log has an entry at a position."""
        self._end = max(self.position(), position)

    def append(self, logged: Logged, head: Head) -> None:
        self.reach(logged.position)  # first: this may read, which writes what is due
        self._sql.later(_APPEND, logged.position, logged)
        self.set_head(head)

    def append_part(self, position: int, number: int, part: bytes) -> None:
        self._sql.execute("INSERT INTO _log_parts VALUES (?, ?, ?)", (position, number, part))

    def set_head(self, head: Head) -> None:
        self._heads = {**self.heads(), head.actor: head}  # a new mapping: whoever asked before keeps the former one
        self._sql.later(_SET_HEAD, head.actor, head)

    def replace(self, logged: Logged) -> None:
        self._sql.execute("INSERT OR REPLACE INTO _log VALUES (?, ?, ?, ?, ?, ?)", logged)

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        self._sql.execute("INSERT OR REPLACE INTO _log_parts VALUES (?, ?, ?)", (position, number, part))

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        moved = "SELECT position FROM _log WHERE actor = ? AND seq > ? ORDER BY position"
        renamed = self._sql.column(moved, old, above)
        for table in ("_log", "_signatures"):
            self._sql.execute(f"UPDATE {table} SET actor = ? WHERE actor = ? AND seq > ?", (new, old, above))
        self._sql.execute("UPDATE _heads SET actor = ? WHERE actor = ?", (new, old))
        self._heads = None
        if before is not None:
            signed = self._sql.one(
                "SELECT seq, signature FROM _signatures WHERE actor = ? ORDER BY seq DESC LIMIT 1", old
            )
            at, signature = signed or (0, b"")
            self.set_head(before._replace(signed_seq=at, signature=signature))
        return renamed

    def move_to_end(self, positions: Sequence[int]) -> None:
        for old in positions:
            new = self.position() + 1
            for table in ("_log", "_log_parts", "_mentions", "_unapplied", "_rewritten"):
                self._sql.execute(f"UPDATE {table} SET position = ? WHERE position = ?", (new, old))
            self._end = new

    def drop_lives(self, actors: Collection[bytes]) -> None:
        for actor in actors:
            for table in ("_log_parts", "_mentions", "_unapplied", "_rewritten"):
                self._sql.execute(
                    f"DELETE FROM {table} WHERE position IN (SELECT position FROM _log WHERE actor = ?)", (actor,)
                )
            for table in ("_log", "_heads", "_signatures"):
                self._sql.execute(f"DELETE FROM {table} WHERE actor = ?", (actor,))
        self.reset()
        self._unapplied.reset()
