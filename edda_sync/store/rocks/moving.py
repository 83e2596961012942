"""
Moving states from one backend to the other.

Everything happens in one transaction of SQLite's: the states are copied, the copy is read back and compared with what was
copied, and only then the store says that they are there. If this ends anywhere before, the store is as it was. RocksDB's
folder, whose name is among the named values, is removed then; after a kill, the next attempt removes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edda_sync.store.rocks import database, keys, pending, settling
from edda_sync.store.rocks.base import Base
from edda_sync.store.rocks.keeper import RocksKeeping
from edda_sync.store.rocks.layers import Entry, Layer
from edda_sync.store.seams.states import Record, TailEdit
from edda_sync.store.sqlite.schema import ROCKS_TABLES, SETTLED_TABLE
from edda_sync.store.sqlite.states import BACKEND_KEY
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.words.errors import CorruptError, StorageError
from edda_sync.words.folders import make_folder

if TYPE_CHECKING:
    from edda_sync.store.rocks.sealed import Code

LEFT_KEY: Final = "states_left"  # the named value with the name of a folder that is to be removed
_CHUNK: Final = 20_000  # states or edits in one settlement
_STATES: Final = ("_entities", "_texts", "_text_tail")

Text = tuple[bytes, str, bytes, int, bytes]
Edit = tuple[bytes, str, bytes, int, bytes, int, bytes]


def to_rocksdb(store: SqliteStore, keeping: RocksKeeping) -> int:
    """
    Move the states of an open store into RocksDB, and return how many there are. Close the store then, and open it again.

    Args:
        store: A store with its states in its own file.
        keeping: What is to keep them.

    Raises:
        CorruptError: What was copied is not what was there; nothing was changed.
        StorageError: It cannot be written; nothing was changed.
    """
    make_folder(keeping.folder)
    tidy(store, keeping)
    name = f"states-{os.urandom(8).hex()}"
    path = keeping.folder / name
    store.transact(lambda tx: tx.meta.set(LEFT_KEY, name.encode()))

    def move(tx: SqliteWriter) -> int:
        token = _copy(tx, path, keeping.code())
        settled = database.Settled(path)
        if token is not None and (settled.token != token or any(_differ(tx, Base(keeping.opened(settled), token, 0)))):
            raise CorruptError(f"What was copied into {path}")
        for statement in pending.FOUNDING:
            tx.sql.execute(statement)
        tx.sql.execute(f"UPDATE {SETTLED_TABLE} SET folder = ?, token = ?", (name, settled.token))
        (count,) = tx.sql.one("SELECT count(*) FROM _entities")
        for table in _STATES:
            tx.sql.execute(f"DELETE FROM {table}")
        tx.meta.drop(LEFT_KEY)
        return int(count)

    try:
        return store.transact(move)
    except BaseException:
        with suppress(StorageError):  # the reason why it failed is told; this is removed later
            tidy(store, keeping)
        raise


def to_sqlite(store: SqliteStore) -> int:
    """
    Move the states of an open store into its own file, and return how many there are; as :func:`to_rocksdb`.

    Raises:
        CorruptError: RocksDB's folder is damaged, or what was copied is not what was there; nothing was changed.
    """
    keeping = store.keeping
    assert isinstance(keeping, RocksKeeping), "its states are in RocksDB"
    while (count := _settle_and(store, keeping)) is None:
        pass  # another process has written in between
    tidy(store, keeping)
    return count


def _settle_and(store: SqliteStore, keeping: RocksKeeping) -> int | None:
    store.settle()
    if keeping.fault is not None:
        raise keeping.fault

    def move(tx: SqliteWriter) -> int | None:
        mark = pending.mark(tx.sql)
        if mark.last != mark.upto:
            return None
        base = keeping.base(mark, is_final=True)
        assert base is not None, "a final base raises where it is used"
        conflicted = set(base.marked(keys.CONFLICTS))
        states = ((r.key, r.hidden, r.key in conflicted, r.hash, r.state) for _, (r, _) in base.scan())
        tx.sql.many("INSERT INTO _entities(key, hidden, conflicted, hash, state) VALUES (?, ?, ?, ?, ?)", states)
        tx.sql.many("INSERT INTO _texts VALUES (?, ?, ?, ?, ?)", _texts(base))
        tx.sql.many("INSERT INTO _text_tail VALUES (?, ?, ?, ?, ?, ?, ?)", _edits(base))
        if any(_differ(tx, base)):
            raise CorruptError(f"What was copied out of {keeping.folder}")
        (count,) = tx.sql.one("SELECT count(*) FROM _entities")
        for table in ROCKS_TABLES:
            tx.sql.execute(f"DROP TABLE {table}")
        tx.meta.drop(BACKEND_KEY)
        tx.meta.set(LEFT_KEY, mark.folder.encode())
        return int(count)

    return store.transact(move)


def tidy(store: SqliteStore, keeping: RocksKeeping) -> None:
    """Remove the folder that an earlier move has left, if there is one."""
    with closing(store.connect()) as connection:
        row = connection.execute("SELECT value FROM _meta WHERE key = ?", (LEFT_KEY,)).fetchone()
    if row is not None:
        database.remove(keeping.folder / Path(bytes(row[0]).decode()).name)


def _copy(tx: SqliteWriter, path: Path, code: Code | None) -> bytes | None:
    """Copy all states out of SQLite's tables, part by part; return the token of the last part."""
    token: bytes | None = None
    for layer in _layers(tx):
        puts, deletes = settling.changes(layer, None)
        before, token = token, os.urandom(settling.TOKEN_BYTES)
        database.settle(path, before, token, 0, puts.items(), deletes, code)
    return token


def _layers(tx: SqliteWriter) -> Iterator[Layer]:
    execute = tx.sql.execute
    rows = execute("SELECT key, hidden, hash, state, conflicted FROM _entities ORDER BY key")
    is_first = True
    while (chunk := rows.fetchmany(_CHUNK)) or is_first:
        is_first, layer = False, Layer()
        for key, hidden, digest, state, conflicted in chunk:
            layer.entries[key] = Record(key, bool(hidden), digest, state), bool(conflicted)
        yield layer
    rows = execute("SELECT entity, field, genesis, serial, state FROM _texts")
    while chunk := rows.fetchmany(_CHUNK // 10):
        layer = Layer()
        for entity, field, genesis, serial, state in chunk:
            layer.put_text(entity, (field, genesis), (serial, state), ())
        yield layer
    rows = execute("SELECT entity, field, genesis, serial, actor, seq, edit FROM _text_tail")
    while chunk := rows.fetchmany(_CHUNK):
        layer = Layer()
        for entity, field, genesis, *edit in chunk:
            layer.append(entity, (field, genesis), TailEdit(*edit))
        yield layer


def _differ(tx: SqliteWriter, base: Base) -> Iterator[bool]:
    """Yield whether each state, text and edit differs between SQLite's tables and RocksDB."""
    states = tx.sql.execute("SELECT key, hidden, hash, state, conflicted FROM _entities ORDER BY key")
    yield from _pairs(map(_entry_of, states), (entry for _, entry in base.scan()))
    columns = "entity, field, genesis"
    texts = tx.sql.execute(f"SELECT {columns}, serial, state FROM _texts ORDER BY {columns}")
    yield from _pairs(map(tuple, texts), _texts(base))
    edits = tx.sql.execute(f"SELECT {columns}, serial, actor, seq, edit FROM _text_tail ORDER BY {columns}, serial")
    yield from _pairs(map(tuple, edits), _edits(base))


def _entry_of(row: tuple[Any, ...]) -> Entry:
    return Record(row[0], bool(row[1]), row[2], row[3]), bool(row[4])


def _pairs(ours: Iterator[Any], theirs: Iterator[Any]) -> Iterator[bool]:
    for one in ours:
        yield next(theirs, None) != one
    yield next(theirs, None) is not None


def _texts(base: Base) -> Iterator[Text]:
    for key, value in base.table.scan(keys.TEXTS):
        serial, state = int.from_bytes(value[: keys.NUMBER_BYTES], "big"), value[keys.NUMBER_BYTES :]
        yield (*keys.named(key), serial, state)


def _edits(base: Base) -> Iterator[Edit]:
    for key, value in base.table.scan(keys.EDITS):
        edit = keys.edited(key, value)
        yield (*keys.named(key[: -keys.NUMBER_BYTES]), *edit)
