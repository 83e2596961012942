"""The figures of an open store. They are gathered when somebody asks for them; until then only queries are timed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.engine import backed_up
from edda_sync.words.metrics import CacheMetrics, FilesMetrics, StorageMetrics, SyncMetrics

if TYPE_CHECKING:
    from edda_sync.engine.opened import Opened
    from edda_sync.store.seams import StoreReader
    from edda_sync.words.config import StorageConfig


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
    size = sum(sizes(opened.config, opened.home).values())
    backup_count, last_backup = backed_up.last(reader)
    refused = sum(each.refused for each in reader.unapplied.operations())
    attached, attached_bytes = reader.attachments.totals()
    missing, missing_bytes = reader.attachments.lacking()
    return StorageMetrics(
        database_size=size,
        task_count=counts["tasks"],
        document_count=counts["documents"],
        avg_query_time=timedelta(seconds=query_s / query_count if query_count else 0.0),
        transaction_count=counts["changes"],
        query_count=query_count,
        backup_count=backup_count,
        last_backup=last_backup,
        cache_hit_rate=0.0 if cache is None else cache.hit_rate,
        cache=cache,
        sync=SyncMetrics(waiting=reader.unapplied.waiting(), refused=refused),
        files=FilesMetrics(
            attached=attached,
            attached_bytes=attached_bytes,
            missing=missing,
            missing_bytes=missing_bytes,
            here=attached - missing,
            here_bytes=attached_bytes - missing_bytes,
        ),
    )


def sizes(config: StorageConfig, home: Path) -> dict[str, int]:
    """Return the bytes on disk of a store's database, journal, RocksDB folder and attached files; 0 for one in memory."""
    if config.backend == "memory":
        return dict.fromkeys(("database_bytes", "wal_bytes", "rocksdb_bytes", "files_bytes"), 0)
    database = config.database(home)
    return {
        "database_bytes": _file_bytes(database),
        "wal_bytes": _file_bytes(Path(f"{database}-wal")),  # there is none while nothing is open
        "rocksdb_bytes": folder_bytes(config.rocksdb(home)),
        "files_bytes": folder_bytes(config.files(home)),
    }


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def folder_bytes(folder: Path | str) -> int:
    """Return the size of all files in a folder, in bytes; 0 if there is none. It may be written meanwhile."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    size += folder_bytes(entry.path)
                    continue
                try:
                    size += entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
                except FileNotFoundError:  # it was replaced just now
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return size
