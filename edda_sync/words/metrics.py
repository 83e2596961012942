"""Figures of a store, for people and for programs that watch it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from edda_sync.words import values


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMetrics:
    """
    Figures of the cache of items that were read, since the store was opened.

    Attributes:
        hits, misses: Reads that it answered, and those that it could not.
        evictions: Entries that it dropped for others, or because their time was over.
        entries: How many there are now.
        size: Their size, in bytes.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    entries: int = 0
    size: int = 0

    @property
    def hit_rate(self) -> float:
        """The part of the reads that it answered, from 0 to 1; 0 if there was none."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncMetrics:
    """
    Figures of the syncs of a device, since it was started. Where it does not run, only the last two are more than 0.

    Attributes:
        peers: Other devices of the workspace.
        peers_connected: Those with a link now.
        peers_equal: Those that are proved equal now.
        changes_sent, changes_received: Changes that peers were sent, and changes of peers that were applied here.
        bytes_sent, bytes_received: What went over links, as frames.
        waiting: Operations that are here and not applied, because only a newer version knows them.
        refused: Operations that are refused for good, here as on every device.
    """

    peers: int = 0
    peers_connected: int = 0
    peers_equal: int = 0
    changes_sent: int = 0
    changes_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    waiting: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesMetrics:
    """
    Figures of attached files: of all documents, those in the trash too. Equal files count once.

    Attributes:
        attached, attached_bytes: How many there are, and their size.
        here, here_bytes: Those that are complete on this device.
        missing, missing_bytes: Those that are not.
        bytes_fetched, bytes_given: Content that came from other devices, and that they were given, since this device was
            started; 0 where it does not run. So are the last two.
        refused: Parts that came and were not what they are called, so that they were dropped.
        mended: Files of which a part was damaged or gone on this disk, and that are complete again.
    """

    attached: int = 0
    attached_bytes: int = 0
    here: int = 0
    here_bytes: int = 0
    missing: int = 0
    missing_bytes: int = 0
    bytes_fetched: int = 0
    bytes_given: int = 0
    refused: int = 0
    mended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageMetrics:
    """
    Figures of a store: those that the specification names, and those of its cache, its syncs and its attached files.

    Attributes:
        database_size: Size of the database, its journal, its RocksDB folder and attached files on disk, in bytes; 0 for a
            store in memory.
        task_count, document_count: How many there are, without the trash.
        cache_hit_rate: The part of the reads that the cache answered, from 0 to 1; 0 without a cache.
        avg_query_time: How long a query took on average, since the store was opened here; 0 if there was none.
        transaction_count: Transactions in the log, of all devices.
        backup_count: Backups that are kept.
        last_backup: When the last one was taken; None if there is none.
        query_count: Queries since the store was opened here.
        cache: Figures of the cache; None without a cache.
        sync: Figures of the syncs.
        files: Figures of the attached files.
    """

    database_size: int
    task_count: int
    document_count: int
    cache_hit_rate: float = 0.0
    avg_query_time: timedelta = timedelta()
    transaction_count: int
    backup_count: int = 0
    last_backup: datetime | None = None
    query_count: int = 0
    cache: CacheMetrics | None = None
    sync: SyncMetrics = SyncMetrics()
    files: FilesMetrics = FilesMetrics()


def as_json(metrics: StorageMetrics) -> dict[str, Any]:
    """Return figures for JSON: durations in seconds, times as RFC 3339."""
    found = dataclasses.asdict(metrics)
    found["avg_query_time"] = metrics.avg_query_time.total_seconds()
    found["last_backup"] = None if metrics.last_backup is None else values.time("last_backup", metrics.last_backup)
    return found
