"""
Settling: what is pending in SQLite is carried over into RocksDB, in two transactions.

1. The first one writes down what is about to happen: which rows, into which folder, and the new token.
2. The second one writes these rows into RocksDB, as a whole, and waits until they are on disk. Only then does it remove
   them from SQLite. It holds SQLite's lock meanwhile, so no other process of ours has RocksDB open to write.

If this ends in between, RocksDB has the old token or the new one; both fit what SQLite says, since the rows are still
there. The next settlement finishes the one that was begun.

States that were all forgotten are not removed one by one: the settlement makes a new folder, and the old one is removed
when nothing refers to it any more. A folder that is damaged, or not ours, is never touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from edda_sync.store.rocks import keys, pending
from edda_sync.store.rocks.base import Base
from edda_sync.store.rocks.layers import Entry, Layer
from edda_sync.store.rocks.pending import Mark
from edda_sync.store.sqlite.keeping import Transact
from edda_sync.store.sqlite.schema import PENDING_TABLE, SETTLED_TABLE
from edda_sync.store.sqlite.statements import WriterStatements
from edda_sync.words import limits

TOKEN_BYTES: Final = 16
_CHUNK: Final = 1_000
_UPTO: Final = (
    "SELECT number FROM (SELECT number, sum(bytes) OVER (ORDER BY number) AS total "
    f"FROM {PENDING_TABLE} WHERE number > ?) WHERE total <= ? ORDER BY number DESC LIMIT 1"
)


class Settler(Protocol):
    """What settles: ``keeper.RocksKeeping``."""

    @property
    def folder(self) -> Path: ...

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
    begun: Mark | None = transact(_begin)
    if begun is None:
        return False
    left_over: str = transact(lambda sql: _carry(sql, settler, begun))
    if left_over:
        from edda_sync.store.rocks import database

        database.remove(settler.folder / left_over)
    return True


def _begin(sql: WriterStatements) -> Mark | None:
    """Write down the next settlement, and return it; None if nothing is pending."""
    mark = pending.mark(sql)
    (cleared,) = sql.one(f"SELECT coalesce(max(number), 0) FROM {PENDING_TABLE} WHERE clears")
    if mark.next_token and cleared <= mark.next_upto:  # otherwise what was begun does not matter any more
        return mark
    if mark.last == mark.upto:
        return None
    row = sql.one(_UPTO, max(mark.upto, cleared - 1), limits.SETTLED_ONCE_BYTES)
    first = f"SELECT min(number) FROM {PENDING_TABLE} WHERE number >= ?"
    upto = row[0] if row is not None else sql.one(first, cleared)[0]
    folder = f"states-{os.urandom(8).hex()}" if cleared or not mark.folder else mark.folder
    token = os.urandom(TOKEN_BYTES)
    sql.execute(f"UPDATE {SETTLED_TABLE} SET next_folder = ?, next_token = ?, next_upto = ?", (folder, token, upto))
    return mark._replace(next_folder=folder, next_token=token, next_upto=upto)


def _carry(sql: WriterStatements, settler: Settler, begun: Mark) -> str:
    """Carry out a settlement, unless another process has; return the folder that is no longer used."""
    from edda_sync.store.rocks import database

    mark = pending.mark(sql)
    if mark.next_token != begun.next_token:
        return ""
    is_new = mark.next_folder != mark.folder
    base = None if is_new else settler.base(mark, is_final=True)
    puts, deletes = changes(pending.layer(sql, mark.upto, mark.next_upto), base)
    path, before = settler.folder / mark.next_folder, None if is_new else mark.token
    database.settle(path, before, mark.next_token, mark.next_upto, puts.items(), deletes)
    sql.execute(f"DELETE FROM {PENDING_TABLE} WHERE number <= ?", (mark.next_upto,))
    left_over = mark.folder if is_new else ""
    sql.execute(
        f"UPDATE {SETTLED_TABLE} SET folder = next_folder, token = next_token, upto = next_upto, next_folder = '',"
        " next_token = x'', next_upto = 0, left_over = ?",
        (left_over or mark.left_over,),
    )
    return left_over or mark.left_over


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
        key
        for entity in entities
        for letter in (keys.TEXTS, keys.EDITS)
        for key, _ in base.table.scan(letter + entity, keys.after(letter + entity))
    ]


def _edit(text: bytes, serial: int) -> bytes:
    return keys.EDITS + text + keys.number(serial)
