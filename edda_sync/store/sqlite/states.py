"""States and texts, in the SQLite store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams.states import Record, TailEdit, TextState
from edda_sync.store.sqlite.names import bounds
from edda_sync.store.sqlite.schema import SETTLED_TABLE
from edda_sync.store.sqlite.statements import Facet, Statements, WriterStatements, blob
from edda_sync.store.sqlite.summary import Summary, SummaryWriter
from edda_sync.words import limits
from edda_sync.words.errors import MovedStatesError

BACKEND_KEY: Final = "backend"
"""The named value that says what keeps the states; it is missing if the tables of this file do."""
_RECORDS_REMEMBERED: Final = 64
_HASH_BYTES: Final = 32  # of an entity's hash (``crdt.digests``, which reading a list need not load)
_APPEND_TEXT: Final = "INSERT INTO _text_tail VALUES (?, ?, ?, ?, ?, ?, ?)"


def check_backend(sql: Statements, expected: str) -> None:
    """
    Check that the states are where they were when the store was opened.

    Raises:
        MovedStatesError: Another process has moved them.
    """
    if (found := backend(sql)) != expected:
        raise MovedStatesError(found)


def backend(sql: Statements) -> str:
    """Return the name of what keeps the states. It is told even if the page that has it is damaged."""
    try:
        row = sql.one("SELECT value FROM _meta WHERE key = ?", BACKEND_KEY)
    except sqlite.DatabaseError as error:
        if not (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_CORRUPT"):
            raise
        is_elsewhere = sql.one("SELECT 1 FROM sqlite_master WHERE name = ?", SETTLED_TABLE) is not None
        return "rocksdb" if is_elsewhere else "sqlite"
    return "sqlite" if row is None else bytes(row[0]).decode(errors="replace")


class StatesStatements(Statements):
    """
    The statements of a reader that read states. The first one after :meth:`begin` checks that the states are in this file.
    So whoever reads only tables, which always are, pays nothing for that.

    Args:
        sql: The statements of the reader.
    """

    __slots__ = ("_is_checked", "_sql")

    def __init__(self, sql: Statements) -> None:
        self._sql, self._is_checked = sql, False

    def begin(self) -> None:
        """Note that the reader has begun to read the state of another moment."""
        self._is_checked = False

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Run a statement with its parameters, and return the cursor."""
        if not self._is_checked:
            check_backend(self._sql, "sqlite")
            self._is_checked = True
        return self._sql.execute(statement, parameters)


class SqliteStates(Facet):
    """The states and texts, as readers and the writer read them."""

    __slots__ = ("_summary",)

    def __init__(self, sql: Statements, summary: Summary) -> None:
        super().__init__(sql)
        self._summary = summary

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Do nothing: the statements refuse every use."""

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        rows = list(self._sql.in_chunks("SELECT key, hidden, hash, state FROM _entities WHERE key IN ({})", keys))
        return {row[0]: Record(row[0], bool(row[1]), blob(row[2], _HASH_BYTES), blob(row[3])) for row in rows}

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        condition = "" if kind is None else " AND key BETWEEN ? AND ?"
        between = () if kind is None else bounds(kind)
        while True:
            rows = self._sql.execute(
                f"SELECT key, hidden, hash, state FROM _entities WHERE key > ?{condition} ORDER BY key LIMIT 1000",
                (after, *between),
            ).fetchall()
            yield from (Record(row[0], bool(row[1]), blob(row[2], _HASH_BYTES), blob(row[3])) for row in rows)
            if len(rows) < 1000:
                return
            after = rows[-1][0]

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        key = (entity, field, genesis)
        row = self._sql.one("SELECT serial FROM _texts WHERE entity = ? AND field = ? AND genesis = ?", *key)
        if row is None:
            return None
        serial, state = row[0], b""
        if serial > since:
            (state,) = self._sql.one("SELECT state FROM _texts WHERE entity = ? AND field = ? AND genesis = ?", *key)
        tail = self._sql.all(
            "SELECT serial, actor, seq, edit FROM _text_tail WHERE entity = ? AND field = ? AND genesis = ? AND serial > ?"
            " ORDER BY serial",
            *key, max(serial, since),
        )  # fmt: skip
        return TextState(blob(state), serial, [TailEdit(row[0], row[1], row[2], blob(row[3])) for row in tail])

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return self._sql.all("SELECT entity, field, genesis FROM _texts ORDER BY entity, field, genesis")

    def last_serial(self) -> int:
        return self._summary.last_serial()


class SqliteStatesReader(SqliteStates):
    """Implementation of ``seams.states.StatesReader`` and ``keeping.KeptStates``."""

    __slots__ = ()

    _sql: StatesStatements

    def __init__(self, sql: StatesStatements, summary: Summary) -> None:
        super().__init__(sql, summary)

    def begin(self) -> bool:
        """See ``keeping.KeptStates``. Whether the states have moved is checked when they are read."""
        self._sql.begin()
        return True

    def ended(self) -> None:
        """Do nothing: nothing is open but the connection."""


class SqliteStatesWriter(SqliteStates):
    """Implementation of ``seams.states.StatesWriter``. It remembers what was written last."""

    __slots__ = ("_is_checked", "_recent", "_serials")

    _sql: WriterStatements
    _summary: SummaryWriter

    def __init__(self, sql: WriterStatements, summary: SummaryWriter) -> None:
        super().__init__(sql, summary)
        self._recent: dict[bytes, Record] = {}
        self._serials: dict[tuple[bytes, str, bytes], int] = {}  # the last serial numbers of lately edited texts
        self._is_checked = False

    def reset(self) -> None:
        """Forget what is remembered."""
        self._recent.clear()
        self._serials.clear()
        self._is_checked = False

    def begin(self) -> bool:
        """See ``keeping.KeptStatesWriter``."""
        if not self._is_checked:  # it is forgotten when another process has written
            check_backend(self._sql, "sqlite")
            self._is_checked = True
        return True

    def flush(self) -> None:
        """Do nothing: everything is written at once."""

    def committed(self) -> None:
        """Do nothing: the tables have everything."""

    def clear(self) -> None:
        """Do nothing: the tables of the view are emptied together."""

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        saved = self._recent
        if not saved:
            return super().get(keys)
        listed = list(keys)
        found = super().get(key for key in listed if key not in saved)
        found.update((key, saved[key]) for key in listed if key in saved)
        return found

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        if self._serials.get((entity, field, genesis)) == since:
            return TextState(b"", since, [])
        return super().text(entity, field, genesis, since)

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        saved = self._recent
        for record in records:
            saved.pop(record.key, None)  # so that the record becomes the newest one remembered
        for record in records[-_RECORDS_REMEMBERED:]:  # what was written last is often written next: a text, a tag
            saved[record.key] = record
        while len(saved) > _RECORDS_REMEMBERED:
            del saved[next(iter(saved))]
        self._sql.many(
            "INSERT INTO _entities(key, hidden, conflicted, hash, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO"
            " UPDATE SET hidden = excluded.hidden, conflicted = excluded.conflicted, hash = excluded.hash,"
            " state = excluded.state",
            [(r.key, r.hidden, conflicted[r.key], r.hash, r.state) for r in records],
        )

    def put_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        self._sql.execute(
            "INSERT OR REPLACE INTO _texts VALUES (?, ?, ?, ?, ?)", (entity, field, genesis, serial, state)
        )
        self._sql.execute(
            "DELETE FROM _text_tail WHERE entity = ? AND field = ? AND genesis = ? AND serial <= ?",
            (entity, field, genesis, serial),
        )
        self._serials.pop((entity, field, genesis), None)

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        serial = self._summary.next_serial()
        self._sql.later(_APPEND_TEXT, serial, (entity, field, genesis, serial, actor, seq, edit))
        latest = self._serials
        if len(latest) >= limits.DOCUMENTS_CACHED_MAX:
            latest.clear()
        latest[entity, field, genesis] = serial
        return serial

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the states and the texts of some entities."""
        keys = [(key,) for key in entities]
        for name, column in (("_entities", "key"), ("_texts", "entity"), ("_text_tail", "entity")):
            self._sql.many(f"DELETE FROM {name} WHERE {column} = ?", keys)
        self.reset()
