from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

from edda_sync.words.metrics import CacheMetrics, StorageMetrics, SyncMetrics, as_json

SPECIFIED = {
    "database_size", "task_count", "document_count", "cache_hit_rate", "avg_query_time", "transaction_count",
    "backup_count", "last_backup",
}  # fmt: skip


def test_the_figures_are_those_of_the_specification_and_those_of_cache_syncs_and_files() -> None:
    names = {each.name for each in dataclasses.fields(StorageMetrics)}
    assert names == SPECIFIED | {"query_count", "cache", "sync", "files"}


def test_the_hit_rate_is_a_part_of_the_reads_and_nothing_is_divided_by_zero() -> None:
    assert CacheMetrics().hit_rate == 0.0
    assert CacheMetrics(hits=3, misses=1).hit_rate == 0.75


def test_json_has_seconds_and_rfc_3339() -> None:
    taken = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
    found = as_json(
        StorageMetrics(
            database_size=1, task_count=2, document_count=3, transaction_count=4, avg_query_time=timedelta(milliseconds=5),
            last_backup=taken, cache=CacheMetrics(hits=1), sync=SyncMetrics(peers=6),
        )
    )  # fmt: skip
    assert json.loads(json.dumps(found)) == found
    assert (found["avg_query_time"], found["last_backup"]) == (0.005, "2026-11-30T06:00:00.000Z")
    assert (found["cache"]["hits"], found["sync"]["peers"]) == (1, 6)
