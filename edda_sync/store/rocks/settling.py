"""
Settling: what is pending in SQLite is carried over into RocksDB, in two transactions.

1. The first one writes down what is about to happen: which rows, into which folder, and the new token.
2. The second one writes these rows into RocksDB, as a whole, and waits until they are on disk. Only then does it remove
   them from SQLite. It holds SQLite's lock meanwhile, so no other process of ours has RocksDB open to write.

If this ends in between, RocksDB has the old token or the new one; both fit what SQLite says, since the rows are still
there. The next settlement finishes the one that was begun.

States that were all forgotten are not removed one by one: the settlement makes a new folder, and the old one is removed
when nothing refers to it any more. It also makes a new one, with everything in it, when the store was encrypted or its data
key replaced, since a folder is sealed under one key. A folder that is damaged, or not ours, is never touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Set
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edda_sync.store.rocks import keys, pending
from edda_sync.store.rocks.base import Base
from edda_sync.store.rocks.layers import Entry, Layer
from edda_sync.store.rocks.pending import Mark
from edda_sync.store.sqlite.keeping import Transact
from edda_sync.store.sqlite.schema import PENDING_TABLE, SETTLED_TABLE
from edda_sync.store.sqlite.statements import WriterStatements

if TYPE_CHECKING:
    from edda_sync.store.rocks.sealed import Code

TOKEN_BYTES: Final = 16
_CHUNK: Final = 1_000
_BETWEEN: Final = "/"  # names of folders
_UPTO: Final = (
    "SELECT number FROM (SELECT number, sum(bytes) OVER (ORDER BY number) AS total "
    f"FROM {PENDING_TABLE} WHERE number > ?) WHERE total <= ? ORDER BY number DESC LIMIT 1"
)


class Settler(Protocol):
    """What settles: ``keeper.RocksKeeping``."""

    @property
    def folder(self) -> Path: ...

    @property
    def once_bytes(self) -> int: ...

    @property
    def overwrites(self) -> bool: ...

    def code(self, key_id: bytes | None = None) -> Code | None: ...

    def lags(self, mark: Mark) -> bool: ...

    def base(self, mark: Mark, *, is_final: bool) -> Base | None: ...


def settle(settler: Settler, transact: Transact) -> bool:
    """
    Settle what is pending, or the oldest part of it; tell whether something was settled.

    Args:
        settler: Has the folder, and RocksDB as it is.
        transact: Runs work in a durable transaction of SQLite's.

    Raises:
        LockedStatesError: Another program has the folder open.
        LostStatesError: The folder is damaged, or not the one that fits.
        DiskFullError, DiskFaultError: It cannot be written.
    """
    mark: Mark = transact(lambda sql: _begin(sql, settler))
    is_begun = bool(mark.next_token)
    left_over: list[str] = (
        transact(lambda sql: _carry(sql, settler, mark)) if is_begun else _names(settler, mark, set())
    )
    for name in left_over:
        from edda_sync.store.rocks import database

        database.remove(settler.folder / name, overwrite=settler.overwrites)
    return is_begun


def _begin(sql: WriterStatements, settler: Settler) -> Mark:
    """Write down the next settlement, and return it; without a new token if there is nothing to do."""
    mark = pending.mark(sql)
    (cleared,) = sql.one(f"SELECT coalesce(max(number), 0) FROM {PENDING_TABLE} WHERE clears")
    if mark.next_token and cleared <= mark.next_upto:  # otherwise what was begun does not matter any more
        return mark  # it goes on
    lags = not cleared and settler.lags(mark)
    if mark.last == mark.upto and not lags:
        return mark
    row = sql.one(_UPTO, max(mark.upto, cleared - 1), settler.once_bytes)
    first = f"SELECT min(number) FROM {PENDING_TABLE} WHERE number >= ?"
    upto = row[0] if row is not None else sql.one(first, cleared)[0] or mark.upto
    folder = f"states-{os.urandom(8).hex()}" if cleared or lags or not mark.folder else mark.folder
    token = os.urandom(TOKEN_BYTES)
    left_over = _names(settler, mark, {mark.next_folder} - {mark.folder})  # of one that was begun and does not matter
    sql.execute(
        f"UPDATE {SETTLED_TABLE} SET next_folder = ?, next_token = ?, next_upto = ?, left_over = ?",
        (folder, token, upto, _BETWEEN.join(left_over)),
    )
    return mark._replace(next_folder=folder, next_token=token, next_upto=upto)


def _carry(sql: WriterStatements, settler: Settler, begun: Mark) -> list[str]:
    """Carry out a settlement, unless another process has; return the folders that are no longer used."""
    from edda_sync.store.rocks import database

    mark = pending.mark(sql)
    if mark.next_token != begun.next_token:
        return []
    is_new = mark.next_folder != mark.folder
    layer = pending.layer(sql, mark.upto, mark.next_upto)
    base = None if layer.cleared or not mark.folder else settler.base(mark, is_final=True)
    made, deletes = changes(layer, base)
    code, puts = settler.code(None if is_new or base is None else base.table.key_id), iter(made.items())
    if is_new and base is not None:
        puts, deletes = chain(_kept(base, made.keys() | set(deletes)), puts), []
    path, before = settler.folder / mark.next_folder, None if is_new else mark.token
    database.settle(path, before, mark.next_token, mark.next_upto, puts, deletes, code)
    sql.execute(f"DELETE FROM {PENDING_TABLE} WHERE number <= ?", (mark.next_upto,))
    left_over = _names(settler, mark, {mark.folder} if is_new else set())
    sql.execute(
        f"UPDATE {SETTLED_TABLE} SET folder = next_folder, token = next_token, upto = next_upto, next_folder = '',"
        " next_token = x'', next_upto = 0, left_over = ?",
        (_BETWEEN.join(left_over),),
    )
    return left_over


def _names(settler: Settler, mark: Mark, more: set[str]) -> list[str]:
    """Return the names of the folders that are no longer used, and still there."""
    names = {*mark.left_over.split(_BETWEEN), *more} - {""}
    return sorted(name for name in names if (settler.folder / name).is_dir())


def _kept(base: Base, changed: Set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return (each for each in base.table.everything() if each[0] not in changed)


def changes(layer: Layer, base: Base | None) -> tuple[dict[bytes, bytes], list[bytes]]:
    """
    Return what a layer means for RocksDB.

    Args:
        layer: What was pending.
        base: What RocksDB has; None if that is nothing.

    Returns:
        What to write, by key, and which keys to remove before.
    """
    puts: dict[bytes, bytes] = {}
    deletes: list[bytes] = []
    before = _before(base, [*layer.entries, *(layer.dropped - layer.entries.keys())])
    for key, entry in layer.entries.items():
        _put(puts, deletes, key, entry, before.get(key))
    for key in layer.dropped:
        if key not in layer.entries and key in before:
            deletes += [keys.STATES + key, keys.ending(key), keys.HIDDENS + key, keys.CONFLICTS + key]
    if base is not None:
        deletes += _texts_of(base, layer.dropped)
    for entity, texts in layer.texts.items():
        for name, part in texts.items():
            text = keys.text(entity, name)
            if part.base is not None:
                if base is not None:
                    deletes += [_edit(text, each.serial) for each in base.edits(entity, name)]
                puts[keys.TEXTS + text] = keys.number(part.base[0]) + part.base[1]
            puts.update((_edit(text, each.serial), keys.edit(each)) for each in part.edits)
    return puts, deletes


def _before(base: Base | None, wanted: list[bytes]) -> dict[bytes, Entry]:
    found: dict[bytes, Entry] = {}
    if base is None:
        return found
    for at in range(0, len(wanted), _CHUNK):
        found.update(base.entries(wanted[at : at + _CHUNK]))
    return found


def _put(puts: dict[bytes, bytes], deletes: list[bytes], key: bytes, entry: Entry, before: Entry | None) -> None:
    puts[keys.STATES + key] = keys.state(entry)
    if before is None:
        puts[keys.ending(key)] = b""
    for letter, is_marked, was_marked in (
        (keys.HIDDENS, entry[0].hidden, before is not None and before[0].hidden),
        (keys.CONFLICTS, entry[1], before is not None and before[1]),
    ):
        if is_marked:
            puts[letter + key] = b""
        elif was_marked:
            deletes.append(letter + key)


def _texts_of(base: Base, entities: Iterable[bytes]) -> list[bytes]:
    """Return the keys of all texts of some entities, and of their edits."""
    return [
        key for entity in entities for letter in (keys.TEXTS, keys.EDITS) for key, _ in base.table.scan(letter + entity)
    ]


def _edit(text: bytes, serial: int) -> bytes:
    return keys.EDITS + text + keys.number(serial)
