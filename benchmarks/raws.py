"""What edda-sync stands beside: raw SQLite, raw SQLCipher and raw RocksDB, each as durable as ours, without a log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import zstandard
from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from benchmarks.measure import TRANSACTION, Raw, Row

Entry = tuple[Row, list[Row]]
"""The row of a task, and the rows of its tags."""

_TAGS: Final = "SELECT * FROM entity_tags WHERE entity_type = 'task' AND entity_id = ?"


class RawStore(Protocol):
    """One of them, with the same tasks as ours."""

    def insert(self, rows: Iterable[Entry]) -> None:
        """Write tasks with their tags, durably, in one transaction."""

    def read(self, task: str) -> Entry:
        """Return a task by its id."""

    def entries(self) -> Iterator[Entry]:
        """Yield all tasks."""

    def close(self) -> None:
        """Let go of the files."""


class RawSqlite(Raw):
    """SQLite with the specification's tables and indexes."""

    def read(self, task: str) -> Entry:
        """Return a task by its id."""
        row = self.execute("SELECT * FROM tasks WHERE id = ?", (task,)).fetchone()
        return row, self.execute(_TAGS, (task,)).fetchall()

    def entries(self) -> Iterator[Entry]:
        """Yield all tasks."""
        for (task,) in self.execute("SELECT id FROM tasks ORDER BY id").fetchall():
            yield self.read(task)


class RawCipher(RawSqlite):
    """The same, encrypted by SQLCipher under a raw key, as ours is: no passphrase is stretched."""

    KEY: Final = os.urandom(32).hex()

    def configure(self) -> None:
        """Give the connection its key, and make it as durable as ours."""
        self.execute(f"PRAGMA key = \"x'{self.KEY}'\"")
        super().configure()


class RawRocks:
    """RocksDB with one value for each task, by its id: there are no other indexes, and every write is synced."""

    def __init__(self, path: Path) -> None:
        self._db = Rdict(str(path), Options(raw_mode=True))
        self._synced = WriteOptions()
        self._synced.sync = True
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Any = msgspec.msgpack.Decoder(Entry).decode

    def insert(self, rows: Iterable[Entry]) -> None:
        """Write tasks with their tags, durably, in one batch."""
        batch = WriteBatch(raw_mode=True)
        for entry in rows:
            batch.put(entry[0][0].encode(), self._encode(entry))
        self._db.write(batch, self._synced)

    def read(self, task: str) -> Entry:
        """Return a task by its id."""
        found: Entry = self._decode(self._db[task.encode()])
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield all tasks."""
        at = self._db.iter()
        at.seek_to_first()
        while at.valid():
            yield self._decode(at.value())
            at.next()
        at.status()

    def close(self) -> None:
        """Let go of the folder."""
        self._db.close()


def copy(source: RawStore, target: RawStore) -> None:
    """Copy all tasks by hand, as they would travel: both ends in one process."""
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Entry]).decode
    compress, decompress = zstandard.ZstdCompressor(level=3).compress, zstandard.ZstdDecompressor().decompress
    entries = source.entries()
    while page := list(islice(entries, TRANSACTION)):
        target.insert(decode(decompress(compress(encode(page)))))
