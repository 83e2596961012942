"""A scratch store: the doctor folds the log into it, to compare the result with the store's own tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.composed import ComposedWriter, over
from edda_sync.store.seams import Logged, LogWriter, MetaReader, StoreReader, StoreWriter
from edda_sync.store.sqlite import migrations
from edda_sync.store.sqlite.errors import translated
from edda_sync.store.sqlite.keeping import InSql
from edda_sync.store.sqlite.writer import SqliteWriter

Progress = Callable[[int], object]


class _Watched:
    """A log that reports progress when it is read."""

    def __init__(self, log: LogWriter, progress: Progress) -> None:
        self._log, self._progress = log, progress

    def read(self, position: int) -> Logged:
        self._progress(position)
        return self._log.read(position)


class _Meta:
    """The small values of another store. What is written to them stays in the scratch store, and is not read again."""

    def __init__(self, meta: MetaReader) -> None:
        self._meta = meta

    def get(self, key: str) -> bytes | None:
        return self._meta.get(key)


def _beside(whole: StoreReader, scratch: StoreWriter, progress: Progress) -> StoreWriter:
    """Return a transaction with the view of a scratch store and the log of another store."""
    other = cast("StoreWriter", whole)  # folding a log does not write to it
    return replace(
        ComposedWriter.of(scratch),
        log=over(other.log, _Watched(other.log, progress)),
        signatures=other.signatures,
        evidence=other.evidence,
        segments=other.segments,
        blobs=other.blobs,
        meta=over(scratch.meta, _Meta(whole.meta)),
    )


@contextmanager
def scratch_of(whole: StoreReader, progress: Progress, key: str | None = None) -> Iterator[StoreWriter]:
    """
    Make a temporary store in a private file without a name. In memory it would be as large as the store.

    Args:
        whole: The store.
        progress: Called with the position in the log of each change that is folded.
        key: What the file is encrypted with, as SQLCipher takes it; None for a plain one.

    SQLite's own nameless files are not used: SQLCipher is built so that they stay in memory.
    """
    with tempfile.TemporaryDirectory(prefix="edda-doctor-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "scratch.db"
        connection = sqlite.connect(str(path), isolation_level=None)
        try:
            if key is not None:
                from edda_sync.store.sqlite import keyed  # only for encrypted stores

                keyed.give(connection, key)
            with translated(path):
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                migrations.found(connection)
            with suppress(OSError):  # a system that cannot remove an open file removes it with the folder
                path.unlink()
            yield _beside(whole, SqliteWriter(connection, InSql()), progress)
        finally:
            connection.close()
