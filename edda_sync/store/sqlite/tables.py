"""The SQLite store's readers and transactions: the statements behind ``protocols.StoreReader`` and ``StoreWriter``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.crdt.entity import key_of, kind_and_id
from edda_sync.crdt.rows import COLUMNS
from edda_sync.store.seams import (
    Head,
    Incoming,
    Logged,
    Patch,
    Pointed,
    Record,
    Rewritten,
    Row,
    Shown,
    TailEdit,
    TextState,
    Unapplied,
)
from edda_sync.store.sqlite import fulltext, queries, shape
from edda_sync.store.sqlite.journal import Chain
from edda_sync.store.sqlite.schema import VIEW_TABLES
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from edda_sync.words.query import Plan

T = TypeVar("T")

_SUM_END: Final = 1 << 128  # sums of the digest are taken modulo this
_RECORDS_REMEMBERED: Final = 64
_DUE_MAX: Final = 1_000  # rows that wait to be written together

_IDS_MAX: Final = 500  # parameters of one statement
_SPECIFIED: Final = {
    "tasks": "id", "documents": "id", "tags": "id", "task_documents": "task_id, document_id",
    "entity_tags": "entity_type, entity_id, tag_id",
}  # fmt: skip
_TABLE: Final = {"task": "tasks", "document": "documents", "tag": "tags"}
_COLUMNS: Final = {_TABLE[kind]: ", ".join(columns) for kind, columns in COLUMNS.items()} | {
    "task_documents": "task_id, document_id, relationship_type, created_at",
    "entity_tags": "entity_type, entity_id, tag_id, created_at",
}  # by name: somebody may have added a column
_REFERRERS: Final = {
    "task": "SELECT 'task', id FROM tasks WHERE parent_id IN ({})",
    "tag": "SELECT entity_type, entity_id FROM entity_tags WHERE tag_id IN ({})",
    "document": "SELECT 'task', task_id FROM task_documents WHERE document_id IN ({})",
}
_OF_ENTITY: Final = (
    ("_entities", "key"), ("_withheld", "source"), ("_texts", "entity"), ("_text_tail", "entity"), ("_stale", "entity"),
    ("_unapplied", "entity"),
)  # fmt: skip
_INSERT: Final = {
    kind: f"INSERT INTO {_TABLE[kind]}({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for kind, columns in COLUMNS.items()
}
_UPSERT: Final = {
    kind: f"{_INSERT[kind]} ON CONFLICT(id) DO UPDATE SET " + ", ".join(f"{c} = excluded.{c}" for c in columns[1:])
    for kind, columns in COLUMNS.items()
}


_INDEXED: Final = frozenset(("title", "description", "content"))  # what full text is made of


@lru_cache(maxsize=256)
def _patch(kind: str, columns: tuple[str, ...]) -> str:
    """Return the statement that writes some columns: SQLite touches no index of the others."""
    return f"UPDATE {_TABLE[kind]} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"


def _chunks(ids: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(ids)
    for at in range(0, len(listed), _IDS_MAX):
        yield listed[at : at + _IDS_MAX]


def _bounds(kind: str) -> tuple[bytes, bytes]:
    """Return the least and the greatest key that an entity of a kind can have."""
    return key_of(kind, bytes(16)), key_of(kind, b"\xff" * 16)


def _text_of(key: bytes) -> str:
    return values.id_text(kind_and_id(key)[1])


def _marks(chunk: Sequence[Any]) -> str:
    return ", ".join("?" * len(chunk))


def _where(**wanted: Any) -> str:
    """Return the condition on those columns of which a value is wanted; no index serves a statement that leaves it open."""
    conditions = [f"{column} = :{column}" for column, value in wanted.items() if value is not None]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


_APPEND: Final = "INSERT INTO _log VALUES (?, ?, ?, ?, ?, ?)"
_APPEND_TEXT: Final = (
    "INSERT INTO _text_tail(serial, entity, field, genesis, actor, seq, edit) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
# In its place: to replace a row is to delete it and to write it anew, in the index too, and each change sets a head.
_SET_HEAD: Final = "INSERT OR REPLACE INTO _heads VALUES (?, ?, ?, ?, ?, ?, ?)"


class SqliteReader:
    """One unmoving state of the store: a connection inside a read transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._heads: Mapping[bytes, Head] | None = (
            None  # once somebody asked: of a thousand lives that is a thousand rows
        )

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        """Refuse every use from now on: this process was forked, and the connection is the parent's."""
        self._execute = refuse

    def _one(self, statement: str, *parameters: Any) -> Any:
        return self._execute(statement, parameters).fetchone()

    def _all(self, statement: str, *parameters: Any) -> list[Any]:
        return list(self._execute(statement, parameters).fetchall())

    def meta(self, key: str) -> bytes | None:
        row = self._one("SELECT value FROM _meta WHERE key = ?", key)
        return None if row is None else bytes(row[0])

    # --- the log ------------------------------------------------------------------------------------------------------

    def heads(self) -> Mapping[bytes, Head]:
        if self._heads is None:
            self._heads = self._read_heads()
        return self._heads

    def _read_heads(self) -> dict[bytes, Head]:
        rows = self._execute("SELECT actor, seq, hash, deps, birth, signed_seq, signature FROM _heads")
        return {row[0]: Head(*row) for row in rows}

    def log_position(self) -> int:
        logged, segment = self._one("SELECT (SELECT max(position) FROM _log), (SELECT max(position) FROM _segments)")
        return max(logged or 0, segment or 0)

    def positions_missing(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        found: list[int] = []
        for actor, seq in self._execute("SELECT actor, seq FROM _heads").fetchall():
            held = frontier.get(actor, 0)
            if held < seq:
                rows = self._execute("SELECT position FROM _log WHERE actor = ? AND seq > ?", (actor, held))
                found.extend(row[0] for row in rows)
        found.sort()
        return found

    def logged(self, position: int) -> Logged:
        row = self._one("SELECT position, actor, seq, hash, raw, body FROM _log WHERE position = ?", position)
        if row is None:
            raise CorruptError(f"The log, which has nothing at position {position:,},")
        return Logged(*row)

    def position_of(self, actor: bytes, seq: int) -> int | None:
        row = self._one("SELECT position FROM _log WHERE actor = ? AND seq = ?", actor, seq)
        return None if row is None else int(row[0])

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        row = self._one(
            "SELECT hash FROM _log WHERE actor = ?1 AND seq = ?2"
            " UNION SELECT hash FROM _heads WHERE actor = ?1 AND seq = ?2",
            actor, seq,
        )  # fmt: skip
        return None if row is None else bytes(row[0])

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        return self._all("SELECT seq, hash FROM _log WHERE actor = ? AND seq >= ? ORDER BY seq", actor, first)

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        statement = "SELECT raw FROM _log WHERE actor = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        return [row[0] for row in self._execute(statement, (actor, first, last))]

    def log_part(self, position: int, number: int) -> bytes | None:
        row = self._one("SELECT part FROM _log_parts WHERE position = ? AND number = ?", position, number)
        return None if row is None else bytes(row[0])

    def parts(self, position: int) -> Iterator[bytes]:
        number = 0
        while (part := self.log_part(position, number)) is not None:
            yield part
            number += 1

    def signature_at(self, actor: bytes, seq: int) -> bytes | None:
        row = self._one("SELECT signature FROM _signatures WHERE actor = ? AND seq = ?", actor, seq)
        return None if row is None else bytes(row[0])

    def next_signed(self, actor: bytes, seq: int) -> int | None:
        row = self._one("SELECT min(seq) FROM _signatures WHERE actor = ? AND seq >= ?", actor, seq)
        return None if row is None else row[0]

    def last_signed(self, actor: bytes, seq: int) -> int | None:
        row = self._one("SELECT max(seq) FROM _signatures WHERE actor = ? AND seq <= ?", actor, seq)
        return None if row is None else row[0]

    def segments(self) -> Sequence[tuple[int, bytes]]:
        return self._all("SELECT position, hash FROM _segments ORDER BY position")

    def segment_part(self, segment: bytes, number: int) -> bytes | None:
        row = self._one("SELECT part FROM _segment_parts WHERE hash = ? AND number = ?", segment, number)
        return None if row is None else bytes(row[0])

    def kept_segments(self) -> Sequence[tuple[bytes, int]]:
        return self._all(
            "SELECT hash, count(*) FROM _segment_parts WHERE hash NOT IN (SELECT hash FROM _segments) GROUP BY hash"
            " ORDER BY hash"
        )

    def incoming(self, seq: int | None = None) -> Sequence[Incoming]:
        found = []
        listed = self._execute(
            f"SELECT actor, seq, raw FROM _incoming{_where(seq=seq)} ORDER BY actor, seq", {"seq": seq}
        )
        for actor, at, raw in listed.fetchall():
            parts = self._execute("SELECT number FROM _incoming_parts WHERE actor = ? AND seq = ?", (actor, at))
            found.append(Incoming(actor, at, raw, frozenset(row[0] for row in parts)))
        return found

    def behind(self) -> Mapping[bytes, Head]:
        rows = self._execute("SELECT actor, seq, hash, deps, birth, signed_seq, signature FROM _behind")
        return {row[0]: Head(*row) for row in rows}

    def rewritten(self) -> Sequence[Rewritten]:
        rows = self._execute("SELECT position, entity, before, edits, leaves FROM _rewritten ORDER BY position, rowid")
        return [Rewritten(*row) for row in rows]

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        row = self._one("SELECT leaves FROM _rewritten WHERE entity = ? ORDER BY rowid DESC LIMIT 1", entity)
        return None if row is None else bytes(row[0])

    def evidence(self) -> Mapping[bytes, bytes]:
        return dict(self._all("SELECT name, evidence FROM _evidence ORDER BY name"))

    def evidence_names(self) -> Sequence[bytes]:
        return [name for (name,) in self._all("SELECT name FROM _evidence ORDER BY name")]

    def evidence_at(self, name: bytes) -> bytes | None:
        row = self._one("SELECT evidence FROM _evidence WHERE name = ?", name)
        return None if row is None else bytes(row[0])

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        found: set[bytes] = set()
        for chunk in _chunks(positions):
            rows = self._execute(f"SELECT entity FROM _mentions WHERE position IN ({_marks(chunk)})", chunk)
            found.update(row[0] for row in rows)
        return sorted(found)

    def mentions(self, entity: bytes) -> Sequence[int]:
        rows = self._execute("SELECT position FROM _mentions WHERE entity = ? ORDER BY position", (entity,))
        return [row[0] for row in rows]

    def mention_count(self) -> int:
        row = self._one("SELECT count(*) FROM _mentions")
        return int(row[0])

    # --- entities -----------------------------------------------------------------------------------------------------

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        found: dict[bytes, Record] = {}
        for chunk in _chunks(keys):
            statement = f"SELECT key, hidden, hash, state FROM _entities WHERE key IN ({_marks(chunk)})"
            for row in self._execute(statement, chunk):
                found[row[0]] = Record(row[0], bool(row[1]), row[2], row[3])
        return found

    def all_records(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        condition = "" if kind is None else " AND key BETWEEN ? AND ?"
        bounds = () if kind is None else _bounds(kind)
        while True:
            rows = self._execute(
                f"SELECT key, hidden, hash, state FROM _entities WHERE key > ?{condition} ORDER BY key LIMIT 1000",
                (after, *bounds),
            ).fetchall()
            yield from (Record(row[0], bool(row[1]), row[2], row[3]) for row in rows)
            if len(rows) < 1000:
                return
            after = rows[-1][0]

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        last = bytes.fromhex(suffix[-limits.SHORT_ID_CHARACTERS_MIN :])
        rows = self._execute(  # the plus keeps SQLite from taking the index over whole keys
            "SELECT key FROM _entities WHERE substr(key, -3) = ? AND +key BETWEEN ? AND ? AND lower(hex(key)) LIKE ?"
            " ORDER BY hidden, key LIMIT 20",
            (last, *_bounds(kind), "%" + suffix),
        )
        return [_text_of(row[0]) for row in rows]

    def _rows_to(self, statement: str, targets: Iterable[Any]) -> Iterator[Row]:
        for chunk in _chunks(targets):
            yield from self._execute(statement.format(_marks(chunk)), chunk)

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        found: set[Row] = set()
        for kind, statement in _REFERRERS.items():
            of_kind = [values.id_text(target) for its, target in map(kind_and_id, targets) if its == kind]
            found.update(self._rows_to(statement, of_kind))
        return sorted(key_of(kind, values.id_bytes("id", entity)) for kind, entity in found)

    def waiting_for(self, targets: Sequence[bytes]) -> list[bytes]:
        found = set(self._rows_to("SELECT source FROM _withheld WHERE target IN ({})", targets))
        return sorted(row[0] for row in found)

    def withholds(self) -> bool:
        """Tell whether any edge is withheld."""
        return self._one("SELECT 1 FROM _withheld LIMIT 1") is not None

    def parent_edge(self, task: bytes) -> bytes | None:
        row = self._one(
            "SELECT parent_id, (SELECT target FROM _withheld WHERE source = ?2 AND cell = 'parent_id' AND why = 'ring')"
            " FROM tasks WHERE id = ?1",
            _text_of(task), task,
        )  # fmt: skip
        if row is None:
            return None
        parent: bytes | None = row[1] if row[0] is None else key_of("task", values.id_bytes("parent_id", row[0]))
        return parent

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        shown = self._rows_to(
            "SELECT id FROM tasks AS parent WHERE id IN ({}) AND EXISTS"
            " (SELECT 1 FROM tasks WHERE parent_id = parent.id)",
            map(_text_of, tasks),
        )
        found = {key_of("task", values.id_bytes("id", row[0])) for row in shown}
        if self.has_rings():
            ringed = self._rows_to("SELECT target FROM _withheld WHERE target IN ({}) AND why = 'ring'", tasks)
            found.update(row[0] for row in ringed)
        return found

    def in_rings(self) -> list[bytes]:
        return [row[0] for row in self._execute("SELECT source FROM _withheld WHERE why = 'ring' ORDER BY source")]

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        found = self._rows_to("SELECT source FROM _withheld WHERE source IN ({}) AND why = 'ring'", tasks)
        return {row[0] for row in found}

    def has_rings(self) -> bool:
        return self._one("SELECT 1 FROM _withheld WHERE why = 'ring' LIMIT 1") is not None

    def conflicted(self) -> list[bytes]:
        return [row[0] for row in self._execute("SELECT key FROM _entities WHERE conflicted ORDER BY key")]

    def hidden(self, kind: str) -> list[bytes]:
        statement = "SELECT key FROM _entities WHERE hidden AND key BETWEEN ? AND ? ORDER BY key"
        return [row[0] for row in self._execute(statement, _bounds(kind))]

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        key = (entity, field, genesis)
        row = self._one("SELECT serial FROM _texts WHERE entity = ? AND field = ? AND genesis = ?", *key)
        if row is None:
            return None
        serial, state = row[0], b""
        if serial > since:
            (state,) = self._one("SELECT state FROM _texts WHERE entity = ? AND field = ? AND genesis = ?", *key)
        tail = self._all(
            "SELECT serial, actor, seq, edit FROM _text_tail WHERE entity = ? AND field = ? AND genesis = ? AND serial > ?"
            " ORDER BY serial",
            *key, max(serial, since),
        )  # fmt: skip
        return TextState(state, serial, [TailEdit(*row) for row in tail])

    def last_serial(self) -> int:
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = '_text_tail'")
        return 0 if row is None else int(row[0])

    def all_texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return self._all("SELECT entity, field, genesis FROM _texts ORDER BY entity, field, genesis")

    def stale_texts(self) -> list[bytes]:
        return [row[0] for row in self._execute("SELECT entity FROM _stale ORDER BY entity")]

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        return {row[0] for row in self._rows_to("SELECT entity FROM _stale WHERE entity IN ({})", entities)}

    def any_stale(self) -> bool:
        """Tell whether any row or hash does not yet reflect the latest edits."""
        return self._one("SELECT 1 FROM _stale LIMIT 1") is not None

    def unindexed(self) -> bool:
        return self._one("SELECT 1 FROM _unindexed LIMIT 1") is not None

    def unindexed_of(self, kind: str) -> Sequence[str]:
        return [row[0] for row in self._execute("SELECT id FROM _unindexed WHERE kind = ? ORDER BY id", (kind,))]

    def unapplied(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        rows = self._execute(
            f"SELECT position, number, entity, refused, why FROM _unapplied{_where(entity=entity, position=position)}"
            " ORDER BY position, number",
            {"entity": entity, "position": position},
        )
        return [Unapplied(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]

    def waits(self) -> bool:
        return self._one("SELECT 1 FROM _unapplied WHERE NOT refused LIMIT 1") is not None

    def waiting(self) -> int:
        return int(self._one("SELECT count(*) FROM _unapplied WHERE NOT refused")[0])

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        rows = self._execute(
            "SELECT DISTINCT position FROM _unapplied WHERE entity = ? AND position > ? AND NOT refused ORDER BY position",
            (entity, after),
        )
        return [row[0] for row in rows]

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        return self._all(
            "SELECT position, group_concat(number) FROM (SELECT position, number FROM _unapplied WHERE NOT refused"
            " ORDER BY position, number) GROUP BY position ORDER BY position"
        )

    def digest(self) -> int:
        row = self._one("SELECT sum FROM _digest")
        return 0 if row is None else int.from_bytes(row[0], "big")

    # --- the specification's tables -----------------------------------------------------------------------------------

    def rows(self, plan: Plan) -> list[Row]:
        near = queries.select_near(plan)
        found = None if near is None else self._rows_by_index(*near)
        if found is None or len(found) < plan.limit:
            found = self._rows_by_index(*queries.select(plan))
        return self._all_of(*queries.select(plan, hint=False)) if found is None else found

    def _rows_by_index(self, statement: str, parameters: Sequence[Any]) -> list[Row] | None:
        """Return the rows of a statement that names an index; None where somebody dropped that index from the file."""
        try:
            return self._all_of(statement, parameters)
        except sqlite.OperationalError as error:
            if "no such index" not in str(error):
                raise
            return None

    def _all_of(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return list(self._execute(statement, parameters).fetchall())

    def row(self, kind: str, entity: str) -> Row | None:
        row: Row | None = self._one(f"SELECT {_COLUMNS[_TABLE[kind]]} FROM {_TABLE[kind]} WHERE id = ?", entity)
        return row

    def table(self, name: str) -> list[Row]:
        return list(self.scan(name))

    def scan(self, name: str) -> Iterator[Row]:
        yield from self._execute(f"SELECT {_COLUMNS[name]} FROM {name} ORDER BY {_SPECIFIED[name]}")

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {entity: [] for entity in ids}
        for chunk in _chunks(ids):
            statement = (
                "SELECT entity_id, tag_id, name FROM entity_tags JOIN tags ON tags.id = tag_id"
                f" WHERE entity_type = '{kind}' AND entity_id IN ({_marks(chunk)}) ORDER BY entity_id, name"
            )
            for entity, tag_id, name in self._execute(statement, chunk):
                found[entity].append((tag_id, name))
        return found

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        return self._all(
            "SELECT entity_type, entity_id FROM entity_tags WHERE tag_id = ? ORDER BY entity_type, entity_id", tag
        )

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        rows = self._execute(
            f"SELECT {_COLUMNS['task_documents']} FROM task_documents{_where(task_id=task, document_id=document)}"
            " ORDER BY created_at, task_id, document_id",
            {"task_id": task, "document_id": document},
        )
        return list(rows.fetchall())

    def changed_shape(self) -> list[str]:
        """Return what somebody changed in the tables, indexes and triggers, in words."""
        return shape.changed(self._execute)

    def counts(self) -> dict[str, int]:
        row = self._one(
            "SELECT (SELECT count(*) FROM tasks), (SELECT count(*) FROM documents), (SELECT count(*) FROM tags),"
            " (SELECT count(*) FROM _entities WHERE hidden), (SELECT count(*) FROM _log)"
        )
        return dict(zip(("tasks", "documents", "tags", "hidden", "changes"), row, strict=True))


class SqliteWriter(SqliteReader):
    """
    The writer connection; inside a transaction of the store once :meth:`begin` was called.

    1. What every commit asks for is remembered from one transaction to the next: until a transaction or job is undone, or
       another connection has committed.
    2. What every change writes is *due* until any other statement, the COMMIT at the latest, runs: of a batch of changes it
       is written together, which takes a third of the time, and an actor's head once.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._execute, self._many = self._execute_in_order, self._many_in_order
        self._known: dict[str, Any] = {}
        self._due: dict[str, dict[Any, Row]] = {}  # rows by statement, and by what names them: the last one counts
        self._version = -1
        self._chain = Chain(connection)

    def disown(self, refuse: Callable[..., NoReturn]) -> None:
        super().disown(refuse)
        self._many = refuse
        self._forget_all()

    # --- what is due --------------------------------------------------------------------------------------------------

    def _execute_in_order(self, statement: str, parameters: Any = ()) -> Any:
        if self._due:
            self._write_due()
        return self._connection.execute(statement, parameters)

    def _many_in_order(self, statement: str, rows: Sequence[Any]) -> Any:
        if self._due:
            self._write_due()
        return self._connection.executemany(statement, rows)

    def _write_due(self) -> None:
        due, self._due = self._due, {}
        for statement, rows in due.items():
            self._connection.executemany(statement, list(rows.values()))

    def _write_later(self, statement: str, name: Any, row: Row) -> None:
        rows = self._due.get(statement)
        if rows is None:
            self._due[statement] = {name: row}
            return
        rows[name] = row
        if len(rows) >= _DUE_MAX:
            self._write_due()

    def _forget_all(self) -> None:
        """Forget what is remembered and what is due: the transaction or job is undone."""
        self._known.clear()
        self._due.clear()

    # --- transactions, and the jobs that share one --------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction."""
        self._execute("BEGIN IMMEDIATE")
        self._chain.begin()
        (version,) = self._one("PRAGMA data_version")
        if version != self._version:
            self._version = version
            self._known.clear()

    def commit(self) -> None:
        """Make the transaction durable."""
        if self._due:
            self._write_due()
        self._chain.go_on()
        self._execute("COMMIT")

    def roll_back(self) -> None:
        """Undo the transaction, if one is running."""
        self._forget_all()
        if self.in_transaction:
            self._execute("ROLLBACK")

    def begin_job(self) -> None:
        """Begin what can be undone without the rest of the transaction."""
        self._execute("SAVEPOINT job")

    def end_job(self) -> None:
        """Keep what was done since :meth:`begin_job`."""
        self._execute("RELEASE job")

    def undo_job(self) -> None:
        """Undo what was done since :meth:`begin_job`, unless all of the transaction is undone already."""
        self._forget_all()
        if self.in_transaction:
            self._execute("ROLLBACK TO job")
            self._execute("RELEASE job")

    @contextmanager
    def undoing(self) -> Iterator[None]:
        self._execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._forget_all()
            if self.in_transaction:
                self._execute("ROLLBACK TO part")
                self._execute("RELEASE part")
            raise
        self._execute("RELEASE part")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is running."""
        return bool(self._connection.in_transaction)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    # --- what is remembered -------------------------------------------------------------------------------------------

    def _remembered(self, name: str, look: Callable[[], T]) -> T:
        if name not in self._known:
            self._known[name] = look()
        known: T = self._known[name]
        return known

    def meta(self, key: str) -> bytes | None:
        known: dict[str, bytes | None] | None = self._known.get("meta")
        if known is None:
            known = self._known["meta"] = {}
        if key not in known:  # as _remembered, which takes twice as long: every change asks for several
            known[key] = super().meta(key)
        return known[key]

    def heads(self) -> Mapping[bytes, Head]:
        known: Mapping[bytes, Head] | None = self._known.get("heads")  # likewise
        return self._remembered("heads", self._read_heads) if known is None else known

    def log_position(self) -> int:
        return self._remembered("log_position", super().log_position)

    def segments(self) -> Sequence[tuple[int, bytes]]:
        return self._remembered("segments", super().segments)

    def waits(self) -> bool:
        return self._remembered("waits", super().waits)

    def waiting(self) -> int:
        return self._remembered("waiting", super().waiting)

    def digest(self) -> int:
        return self._remembered("digest", super().digest)

    def last_serial(self) -> int:
        return self._remembered("serial", super().last_serial)

    def stale_texts(self) -> list[bytes]:
        return super().stale_texts() if self._remembered("any stale", super().any_stale) else []

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        if not entities or not self._remembered("any stale", super().any_stale):
            return set()
        return super().stale_among(entities)

    def waiting_for(self, targets: Sequence[bytes]) -> list[bytes]:
        return super().waiting_for(targets) if self._remembered("withheld", super().withholds) else []

    def has_rings(self) -> bool:
        return self._remembered("rings", super().has_rings)

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        return super().in_rings_among(tasks) if tasks and self.has_rings() else set()

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        if self._texts().get((entity, field, genesis)) == since:
            return TextState(b"", since, [])
        return super().text(entity, field, genesis, since)

    def _texts(self) -> dict[tuple[bytes, str, bytes], int]:
        """Return the last serial number of texts that were written lately."""
        latest: dict[tuple[bytes, str, bytes], int] = self._known.setdefault("texts", {})
        return latest

    # --- small values -------------------------------------------------------------------------------------------------

    def set_meta(self, key: str, value: bytes) -> None:
        self._execute(
            "INSERT INTO _meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, value)
        )
        self._known.setdefault("meta", {})[key] = bytes(value)

    def drop_meta(self, key: str) -> None:
        self._execute("DELETE FROM _meta WHERE key = ?", (key,))
        self._known.setdefault("meta", {}).pop(key, None)

    # --- the log ------------------------------------------------------------------------------------------------------

    def append(self, logged: Logged, head: Head) -> None:
        self._known["log_position"] = max(
            self.log_position(), logged.position
        )  # looked up first: it writes what is due
        self._write_later(_APPEND, logged.position, logged)
        self.set_head(head)

    def append_part(self, position: int, number: int, part: bytes) -> None:
        self._execute("INSERT INTO _log_parts VALUES (?, ?, ?)", (position, number, part))

    def append_segment(self, position: int, segment: bytes) -> None:
        self._execute("INSERT INTO _segments VALUES (?, ?)", (position, segment))
        self._known.pop("segments", None)
        self._known["log_position"] = max(self.log_position(), position)

    def keep_segment_part(self, segment: bytes, number: int, part: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO _segment_parts VALUES (?, ?, ?)", (segment, number, part))

    def name_segment(self, draft: bytes, segment: bytes) -> None:
        self._execute("UPDATE OR IGNORE _segment_parts SET hash = ? WHERE hash = ?", (segment, draft))
        self._execute("DELETE FROM _segment_parts WHERE hash = ?", (draft,))

    def drop_segment(self, segment: bytes) -> None:
        self._execute(
            "DELETE FROM _segment_parts WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM _segments WHERE hash = ?1)",
            (segment,),
        )

    def set_head(self, head: Head) -> None:
        self._known["heads"] = {**self.heads(), head.actor: head}  # anew: who asked before holds them as they were
        self._write_later(_SET_HEAD, head.actor, head)

    def sign(self, actor: bytes, seq: int, signature: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO _signatures VALUES (?, ?, ?)", (actor, seq, signature))
        head = self.heads().get(actor)
        if head is not None and head.signed_seq < seq:
            self.set_head(head._replace(signed_seq=seq, signature=signature))

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO _incoming VALUES (?, ?, ?)", (actor, seq, raw))

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO _incoming_parts VALUES (?, ?, ?, ?)", (actor, seq, number, part))

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        self._execute(
            "INSERT INTO _log_parts SELECT ?, number, part FROM _incoming_parts WHERE actor = ? AND seq = ?",
            (position, actor, seq),
        )
        self.forget_incoming(actor, seq)

    def forget_incoming(self, actor: bytes, seq: int) -> None:
        self._execute("DELETE FROM _incoming WHERE actor = ? AND seq = ?", (actor, seq))
        self._execute("DELETE FROM _incoming_parts WHERE actor = ? AND seq = ?", (actor, seq))

    def replace(self, logged: Logged) -> None:
        self._execute("INSERT OR REPLACE INTO _log VALUES (?, ?, ?, ?, ?, ?)", logged)

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO _log_parts VALUES (?, ?, ?)", (position, number, part))

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        renamed = [
            row[0]
            for row in self._all("SELECT position FROM _log WHERE actor = ? AND seq > ? ORDER BY position", old, above)
        ]
        for table in ("_log", "_signatures"):
            self._execute(f"UPDATE {table} SET actor = ? WHERE actor = ? AND seq > ?", (new, old, above))
        self._execute("UPDATE _heads SET actor = ? WHERE actor = ?", (new, old))
        self._known.pop("heads", None)
        if before is not None:
            signed = self._one("SELECT seq, signature FROM _signatures WHERE actor = ? ORDER BY seq DESC LIMIT 1", old)
            at, signature = signed or (0, b"")
            self.set_head(before._replace(signed_seq=at, signature=signature))
        return renamed

    def move_to_end(self, positions: Sequence[int]) -> None:
        for old in positions:
            new = self.log_position() + 1
            for table in ("_log", "_log_parts", "_mentions", "_unapplied", "_rewritten"):
                self._execute(f"UPDATE {table} SET position = ? WHERE position = ?", (new, old))
            self._known["log_position"] = new

    def set_behind(self, head: Head) -> None:
        self._execute("INSERT OR REPLACE INTO _behind VALUES (?, ?, ?, ?, ?, ?, ?)", head)

    def drop_behind(self) -> None:
        for table in ("_log", "_log_parts"):
            self._execute(f"DELETE FROM {table} WHERE position < (SELECT min(position) FROM _segments)")
        self._execute(
            "DELETE FROM _signatures WHERE EXISTS (SELECT 1 FROM _behind b WHERE b.actor = _signatures.actor AND"
            " _signatures.seq <= b.seq) AND NOT EXISTS (SELECT 1 FROM _heads h WHERE h.actor = _signatures.actor AND"
            " h.signed_seq = _signatures.seq)"
        )
        self._execute("DELETE FROM _behind")

    def fall_back(self) -> None:
        for table in ("_log", "_log_parts", "_mentions", "_unapplied"):
            self._execute(f"DELETE FROM {table} WHERE position >= (SELECT min(position) FROM _segments)")
        self._execute("DELETE FROM _heads")
        self._execute("INSERT INTO _heads SELECT actor, seq, hash, deps, birth, 0, x'' FROM _behind")
        self._execute(
            "DELETE FROM _signatures WHERE NOT EXISTS"
            " (SELECT 1 FROM _behind b WHERE b.actor = _signatures.actor AND b.seq >= _signatures.seq)"
        )
        self._execute(
            "UPDATE _heads SET signed_seq = s.seq, signature = s.signature FROM"
            " (SELECT actor, max(seq) AS seq, signature FROM _signatures GROUP BY actor) s WHERE s.actor = _heads.actor"
        )
        for name in ("heads", "log_position", "waiting", "waits"):
            self._known.pop(name, None)

    def end_segment(self, segment: bytes) -> None:
        self._execute("DELETE FROM _segments WHERE hash = ?", (segment,))
        self._execute("DELETE FROM _segment_parts WHERE hash = ?", (segment,))
        self._execute("DELETE FROM _behind")
        self._known.pop("segments", None)
        self._known.pop("log_position", None)

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        self._execute("INSERT INTO _rewritten VALUES (?, ?, ?, ?, ?)", rewritten)

    def forget_rewritten(self) -> None:
        self._execute("DELETE FROM _rewritten")

    def drop_lives(self, actors: Collection[bytes]) -> None:
        for actor in actors:
            for table in ("_log_parts", "_mentions", "_unapplied", "_rewritten"):
                self._execute(
                    f"DELETE FROM {table} WHERE position IN (SELECT position FROM _log WHERE actor = ?)", (actor,)
                )
            for table in ("_log", "_heads", "_signatures"):
                self._execute(f"DELETE FROM {table} WHERE actor = ?", (actor,))
        for name in ("heads", "log_position", "waiting", "waits"):
            self._known.pop(name, None)

    def add_evidence(self, name: bytes, evidence: bytes) -> None:
        self._execute("INSERT OR IGNORE INTO _evidence VALUES (?, ?)", (name, evidence))

    def drop_evidence(self, name: bytes) -> None:
        self._execute("DELETE FROM _evidence WHERE name = ?", (name,))

    def mention(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        self._many("INSERT OR IGNORE INTO _mentions VALUES (?, ?)", mentions)

    # --- the view -----------------------------------------------------------------------------------------------------

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        saved: dict[bytes, Record] = self._known.get("records", {})
        if not saved:
            return super().records(keys)
        listed = list(keys)
        found = super().records(key for key in listed if key not in saved)
        found.update((key, saved[key]) for key in listed if key in saved)
        return found

    def save(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        saved: dict[bytes, Record] = self._known.setdefault("records", {})
        for record in records:
            saved.pop(record.key, None)  # or what is written anew would not be the latest
        for record in records[-_RECORDS_REMEMBERED:]:  # what was written last is often written next: a text, a tag
            saved[record.key] = record
        while len(saved) > _RECORDS_REMEMBERED:
            del saved[next(iter(saved))]
        self._many(
            "INSERT INTO _entities(key, hidden, conflicted, hash, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO"
            " UPDATE SET hidden = excluded.hidden, conflicted = excluded.conflicted, hash = excluded.hash,"
            " state = excluded.state",
            [(r.key, r.hidden, conflicted[r.key], r.hash, r.state) for r in records],
        )

    def add_to_digest(self, delta: int) -> None:
        total = (self.digest() + delta) % _SUM_END
        self._execute("INSERT OR REPLACE INTO _digest VALUES (1, ?)", (total.to_bytes(16, "big"),))
        self._known["digest"] = total

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        self._clear_edges([each for each in shown if each.key not in new])
        for kind in ("tag", "document", "task"):
            of_kind = [each for each in shown if each.kind == kind]
            self._write_all(_INSERT[kind], [each.row for each in of_kind if each.key in new])
            self._write_all(_UPSERT[kind], [each.row for each in of_kind if each.key not in new])
            if kind != "tag":
                due = [(kind, each.row[0]) for each in of_kind]
                self._write_all("INSERT OR IGNORE INTO _unindexed VALUES (?, ?)", due)
        tags = [(each.kind, each.row[0], tag, since) for each in shown for tag, since in each.tags]
        links = [(each.row[0], document, what, since) for each in shown for document, what, since in each.links]
        withheld = [(each.key, *edge) for each in shown for edge in each.withheld]
        self._write_edges(tags, links, withheld)

    def patch(self, patches: Sequence[Patch]) -> None:
        alike: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        for each in patches:
            alike.setdefault((each.kind, each.columns), []).append((*each.values, each.id))
        for (kind, columns), rows in alike.items():
            if self._many(_patch(kind, columns), rows).rowcount != len(rows):
                raise CorruptError(f"The table {_TABLE[kind]}, which lacks a row,")
            if kind != "tag" and not _INDEXED.isdisjoint(columns):
                self._many("INSERT OR IGNORE INTO _unindexed VALUES (?, ?)", [(kind, row[-1]) for row in rows])

    def point(self, pointed: Sequence[Pointed]) -> None:
        tags = [each for each in pointed if each.cell.startswith("tag.")]
        links = [each for each in pointed if not each.cell.startswith("tag.")]
        self._write_all(
            "DELETE FROM entity_tags WHERE entity_type = ? AND entity_id = ? AND tag_id = ?",
            [(each.kind, each.id, each.target) for each in tags],
        )
        self._write_all(
            "DELETE FROM task_documents WHERE task_id = ? AND document_id = ?",
            [(each.id, each.target) for each in links],
        )
        if self._remembered("withheld", self.withholds):
            self._write_all(
                "DELETE FROM _withheld WHERE source = ? AND cell = ?", [(each.key, each.cell) for each in pointed]
            )
        self._write_edges(
            [(each.kind, each.id, each.target, *each.shown) for each in tags if each.shown],
            [(each.id, each.target, *each.shown) for each in links if each.shown],
            [(each.key, each.cell, *each.withheld) for each in pointed if each.withheld],
        )

    def _write_edges(self, tags: Sequence[Row], links: Sequence[Row], withheld: Sequence[Row]) -> None:
        self._write_all(f"INSERT INTO entity_tags({_COLUMNS['entity_tags']}) VALUES (?, ?, ?, ?)", tags)
        self._write_all(f"INSERT INTO task_documents({_COLUMNS['task_documents']}) VALUES (?, ?, ?, ?)", links)
        self._write_all("INSERT INTO _withheld VALUES (?, ?, ?, ?)", withheld)
        if withheld:
            self._known["withheld"] = True
            self._known.pop("rings", None)

    def _write_all(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:  # a statement costs 3 us even for none
            self._many(statement, rows)

    def _clear_edges(self, shown: Sequence[Shown]) -> None:
        edged = [each for each in shown if each.kind != "tag"]
        ids = [(each.row[0],) for each in edged if each.kind == "task"]
        self._write_all(
            "DELETE FROM entity_tags WHERE entity_type = ? AND entity_id = ?",
            [(each.kind, each.row[0]) for each in edged],
        )
        self._write_all("DELETE FROM task_documents WHERE task_id = ?", ids)
        if self._remembered("withheld", self.withholds):
            self._write_all("DELETE FROM _withheld WHERE source = ?", [(each.key,) for each in edged])
            self._known.pop("rings", None)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        if kind not in _TABLE:
            return
        many = self._many
        texts = [(_text_of(key),) for key in keys]
        if kind == "tag":
            many("DELETE FROM entity_tags WHERE tag_id = ?", texts)
        else:
            many(f"DELETE FROM entity_tags WHERE entity_type = '{kind}' AND entity_id = ?", texts)
            many(f"DELETE FROM task_documents WHERE {kind}_id = ?", texts)
            many(f"DELETE FROM _{kind}_search WHERE rowid = (SELECT rowid FROM {kind}s WHERE id = ?)", texts)
            many(f"DELETE FROM _unindexed WHERE kind = '{kind}' AND id = ?", texts)
        many("DELETE FROM _withheld WHERE source = ?", [(key,) for key in keys])
        self._known.pop("rings", None)
        many(f"DELETE FROM {_TABLE[kind]} WHERE id = ?", texts)

    def save_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        self._execute("INSERT OR REPLACE INTO _texts VALUES (?, ?, ?, ?, ?)", (entity, field, genesis, serial, state))
        self._execute(
            "DELETE FROM _text_tail WHERE entity = ? AND field = ? AND genesis = ? AND serial <= ?",
            (entity, field, genesis, serial),
        )
        self._texts().pop((entity, field, genesis), None)

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        serial = self._known["serial"] = self.last_serial() + 1
        self._write_later(_APPEND_TEXT, serial, (serial, entity, field, genesis, actor, seq, edit))
        latest = self._texts()
        if len(latest) >= limits.DOCUMENTS_CACHED_MAX:
            latest.clear()
        latest[entity, field, genesis] = serial
        return serial

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        known: set[bytes] = self._known.setdefault("stale", set())  # by this writer: who types writes it once
        became = [(entity,) for entity, is_stale in stale.items() if is_stale and entity not in known]
        ended = [(entity,) for entity, is_stale in stale.items() if not is_stale]
        if became:
            self._many("INSERT OR IGNORE INTO _stale VALUES (?)", became)
            known.update(entity for (entity,) in became)
            self._known["any stale"] = True
        if ended:
            self._many("DELETE FROM _stale WHERE entity = ?", ended)
            known.difference_update(entity for (entity,) in ended)
            self._known.pop("any stale", None)

    def set_unapplied(self, unapplied: Sequence[Unapplied]) -> None:
        self._many("INSERT OR REPLACE INTO _unapplied VALUES (?, ?, ?, ?, ?)", unapplied)
        self._known.pop("waiting", None)
        self._known.pop("waits", None)

    def forget(self, entities: Sequence[bytes]) -> None:
        for record in self.records(entities).values():
            self.add_to_digest(-int.from_bytes(record.hash[:16], "big"))
        for kind in {kind for kind, _ in map(kind_and_id, entities)}:
            self.hide(kind, [key for key in entities if kind_and_id(key)[0] == kind])
        keys = [(key,) for key in entities]
        for name, column in _OF_ENTITY:
            self._many(f"DELETE FROM {name} WHERE {column} = ?", keys)
        self._known.clear()

    def clear_view(self) -> None:
        self._known.clear()
        shape.mend(self._execute)
        for name in VIEW_TABLES:
            self._execute(f"DELETE FROM {name}")
        fulltext.clear(self._execute)

    def index_texts(self, limit: int = -1) -> int:
        return fulltext.index(self._execute, limit)
