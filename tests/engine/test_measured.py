"""The figures of a store are what is in it and on the disk, and queries are timed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import edda_sync as edda
from edda_sync.engine.measured import folder_bytes, sizes
from edda_sync.words.metrics import SyncMetrics


def test_the_figures_of_a_store_are_what_it_holds(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        founded = store.metrics().transaction_count
        first = store.create_task(edda.Task(title="One"))
        store.create_document(edda.Document(title="Notes"))
        with store.begin_transaction() as tx:
            tx.create_task(edda.Task(title="Two"))
            tx.create_task(edda.Task(title="Three"))
        store.delete_task(first)
        found = store.metrics()
        assert (found.task_count, found.document_count) == (2, 1)
        assert found.transaction_count == founded + 4
        assert (found.backup_count, found.last_backup, found.cache, found.cache_hit_rate) == (0, None, None, 0.0)
        assert found.sync == SyncMetrics()
        files = [tmp_path / "home" / name for name in ("edda.db", "edda.db-wal")]
        assert found.database_size == sum(path.stat().st_size for path in files) > 0


def test_each_query_is_counted_and_timed(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        assert (store.metrics().query_count, store.metrics().avg_query_time) == (0, timedelta())
        for _ in range(3):
            store.query_tasks(edda.TaskQuery())
        store.query_documents(edda.DocumentQuery())
        found = store.metrics()
        assert found.query_count == 4
        assert timedelta() < found.avg_query_time


def test_a_query_that_fails_is_not_counted(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        try:
            store.query_tasks(edda.TaskQuery(limit=-1))
        except edda.EddaError:
            pass
        else:
            raise AssertionError("such a query is refused")
        assert store.metrics().query_count == 0


def test_a_store_in_memory_takes_no_room_on_disk(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", edda.StorageConfig(backend="memory")) as store:
        store.create_task(edda.Task(title="One"))
        assert (store.metrics().database_size, store.metrics().task_count) == (0, 1)
    assert sizes(None) == {"database_bytes": 0, "wal_bytes": 0}


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "missing") == 0
    (tmp_path / "rocks").mkdir()
    (tmp_path / "rocks" / "000001.sst").write_bytes(bytes(1_000))
    (tmp_path / "rocks" / "LOCK").write_bytes(b"")
    (tmp_path / "rocks" / "link").symlink_to(tmp_path / "rocks" / "000001.sst")
    assert folder_bytes(tmp_path / "rocks") == 1_000
    assert folder_bytes(tmp_path / "rocks" / "LOCK") == 0


def test_the_rocksdb_folder_counts(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        before = store.metrics().database_size
        (tmp_path / "home" / "edda.rocks").mkdir()
        (tmp_path / "home" / "edda.rocks" / "000001.sst").write_bytes(bytes(1_000))
        assert store.metrics().database_size == before + 1_000
