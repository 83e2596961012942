"""The figures of a store are what is in it and on the disk, and queries are timed."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path

import edda_sync as edda
from edda_sync.engine import standing
from edda_sync.engine.measured import folder_bytes, sizes
from edda_sync.words.metrics import FilesMetrics, SyncMetrics


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
    assert set(sizes(edda.StorageConfig(backend="memory"), tmp_path).values()) == {0}


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "missing") == 0
    (tmp_path / "rocks").mkdir()
    (tmp_path / "rocks" / "000001.sst").write_bytes(bytes(1_000))
    (tmp_path / "rocks" / "LOCK").write_bytes(b"")
    (tmp_path / "rocks" / "within").mkdir()
    (tmp_path / "rocks" / "within" / "000002.sst").write_bytes(bytes(500))
    (tmp_path / "rocks" / "link").symlink_to(tmp_path / "rocks" / "000001.sst")
    (tmp_path / "rocks" / "links").symlink_to(tmp_path)
    assert folder_bytes(tmp_path / "rocks") == 1_500
    assert folder_bytes(tmp_path / "rocks" / "LOCK") == 0


def test_the_rocksdb_folder_counts(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        before = store.metrics().database_size
        (tmp_path / "home" / "edda.rocks").mkdir()
        (tmp_path / "home" / "edda.rocks" / "000001.sst").write_bytes(bytes(1_000))
        assert store.metrics().database_size == before + 1_000


def test_what_is_attached_counts(tmp_path: Path) -> None:
    content = os.urandom(2_000_000)
    with edda.open(tmp_path / "home") as store:
        made = store.create_document(edda.Document(title="D"))
        before = store.metrics().database_size
        store.transact(lambda tx: tx.attach(made, io.BytesIO(content), name="a"))
        assert 2_000_000 < store.metrics().database_size - before < 2_200_000
        assert standing.facts(store)["files_bytes"] > 2_000_000


def test_attached_files_are_counted_once_each_and_as_here_or_missing(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        assert store.metrics().files == FilesMetrics()
        documents = [store.create_document(edda.Document(title=title)) for title in ("One", "Two")]
        for document in documents:  # the same file twice
            store.transact(lambda tx, document=document: tx.attach(document, io.BytesIO(b"x" * 500), name="a"))  # type: ignore[misc]
        attached = store.transact(lambda tx: tx.attach(documents[0], io.BytesIO(b"y" * 300), name="b"))
        assert store.metrics().files == FilesMetrics(attached=2, attached_bytes=800, here=2, here_bytes=800)
        files = store.reading.files
        with store.open_attachment(documents[0], attached) as stream:
            files.chunks.set_aside(stream._file.root)
        files.lose_vanished()
        expected = FilesMetrics(attached=2, attached_bytes=800, here=1, here_bytes=500, missing=1, missing_bytes=300)
        assert store.metrics().files == expected
