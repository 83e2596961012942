"""The figures of an open store. They are gathered when somebody asks for them; until then only queries are timed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.words.metrics import CacheMetrics, StorageMetrics, SyncMetrics

if TYPE_CHECKING:
    from edda_sync.engine.opened import Opened
    from edda_sync.store.seams import StoreReader


def metrics(
    reader: StoreReader, opened: Opened, query_count: int, query_s: float, cache: CacheMetrics | None = None
) -> StorageMetrics:
    """
    Return the figures of a store.

    Args:
        reader: A reader of it.
        opened: The store.
        query_count: How many queries there were since it was opened.
        query_s: How long they took together, in seconds.
        cache: Figures of the cache; None without one.
    """
    counts = reader.tables.counts()
    size = sum(sizes(opened.database).values())
    if opened.database is not None:
        size += folder_bytes(opened.config.rocksdb(opened.home))
    refused = sum(each.refused for each in reader.unapplied.operations())
    return StorageMetrics(
        database_size=size,
        task_count=counts["tasks"],
        document_count=counts["documents"],
        avg_query_time=timedelta(seconds=query_s / query_count if query_count else 0.0),
        transaction_count=counts["changes"],
        query_count=query_count,
        cache_hit_rate=0.0 if cache is None else cache.hit_rate,
        cache=cache,
        sync=SyncMetrics(waiting=reader.unapplied.waiting(), refused=refused),
    )


def sizes(database: Path | None) -> dict[str, int]:
    """Return the sizes of the database and its journal on disk, in bytes; 0 for a store in memory."""
    found = {}
    for key, suffix in (("database_bytes", ""), ("wal_bytes", "-wal")):
        try:
            found[key] = Path(f"{database}{suffix}").stat().st_size if database is not None else 0
        except FileNotFoundError:  # there is no -wal while nothing is open
            found[key] = 0
    return found


def folder_bytes(folder: Path) -> int:
    """Return the size of the files in a folder, in bytes; 0 if there is none. It may be written meanwhile."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    size += entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
                except FileNotFoundError:  # it was replaced just now
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return size
