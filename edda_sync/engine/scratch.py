"""A scratch store: where the doctor folds the log of a store anew, to compare what comes of it with the store's tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.seams import Head, Logged, StoreReader
from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.errors import translated
from edda_sync.store.sqlite.tables import SqliteWriter

Progress = Callable[[int], object]


class _Scratch(SqliteWriter):
    """A scratch store that has a view of its own, and the log of another store."""

    def __init__(self, connection: Any, log: StoreReader, progress: Progress) -> None:
        super().__init__(connection)
        self._log = log
        self._progress = progress

    def log_position(self) -> int:
        return self._log.log_position()

    def meta(self, key: str) -> bytes | None:
        return self._log.meta(key)

    def evidence(self) -> Mapping[bytes, bytes]:
        return self._log.evidence()

    def evidence_names(self) -> Sequence[bytes]:
        return self._log.evidence_names()

    def evidence_at(self, name: bytes) -> bytes | None:
        return self._log.evidence_at(name)

    def heads(self) -> Mapping[bytes, Head]:
        return self._log.heads()

    def positions_missing(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        return self._log.positions_missing(frontier)

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        return self._log.headers(actor, first, last)

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        return self._log.hash_at(actor, seq)

    def segments(self) -> Sequence[tuple[int, bytes]]:
        return self._log.segments()

    def segment_part(self, segment: bytes, number: int) -> bytes | None:
        return self._log.segment_part(segment, number)

    def logged(self, position: int) -> Logged:
        self._progress(position)
        return self._log.logged(position)

    def parts(self, position: int) -> Iterator[bytes]:
        return self._log.parts(position)


@contextmanager
def scratch_of(log: StoreReader, progress: Progress) -> Iterator[SqliteWriter]:
    """
    Make a store that is forgotten at the end, in a private file without a name: in memory it would be as large as the store.

    SQLite's own nameless files stay in memory, since SQLCipher is built so.
    """
    with tempfile.TemporaryDirectory(prefix="edda-doctor-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "scratch.db"
        connection = sqlite.connect(str(path), isolation_level=None)
        try:
            with translated(path):
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                schema.migrate(connection)
            with suppress(OSError):  # where an open file cannot go, it goes with its folder
                path.unlink()
            yield _Scratch(connection, log, progress)
        finally:
            connection.close()
