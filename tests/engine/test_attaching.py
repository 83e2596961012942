"""Attaching files in a transaction: their content is on disk before it commits, and a failed one leaves no attachment."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from edda_sync.engine.attaching import Attaching
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import (
    ConflictError,
    DiskFaultError,
    DiskFullError,
    InTrashError,
    InvalidValueError,
    LimitError,
    NotFoundError,
    UsageError,
)
from edda_sync.words.model import Document
from tests.mounting import mount
from tests.store.samples import text_id


@pytest.fixture
def store(tmp_path: Path) -> StorageEngine:
    return open_store(tmp_path / "home")


@pytest.fixture
def made(store: StorageEngine) -> str:
    return store.create_document(Document(title="D"))


def test_a_path_gives_the_name_and_the_type(store: StorageEngine, made: str, tmp_path: Path) -> None:
    path = tmp_path / "Übersicht.PDF"
    path.write_bytes(b"%PDF")
    with store.begin_transaction() as tx:
        tx.attach(made, path)
        tx.attach(made, str(path), name="other", content_type="text/x-mine")
        with path.open("rb") as stream:
            tx.attach(made, stream)
        tx.attach(made, io.BytesIO(b""), name="empty")
    assert [(each.name, each.content_type, each.size) for each in store.attachments(made)] == [
        ("empty", "application/octet-stream", 0),
        ("other", "text/x-mine", 4),
        ("Übersicht.PDF", "application/pdf", 4),
        ("Übersicht.PDF", "application/pdf", 4),
    ]
    assert store.open_attachment(made, "empty").read() == b""


def test_a_name_of_any_bytes_is_made_readable(store: StorageEngine, made: str, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(path)).write_bytes(b"x")
    store.transact(lambda tx: tx.attach(made, os.fsdecode(path)))
    assert [each.name for each in store.attachments(made)] == ["caf\ufffd.txt"]


def test_what_is_no_file_is_refused(store: StorageEngine, made: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tx = store.begin_transaction()
    with pytest.raises(UsageError, match="ordinary"):
        tx.attach(made, tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        tx.attach(made, tmp_path)
    with pytest.raises(FileNotFoundError):
        tx.attach(made, tmp_path / "missing")
    with pytest.raises(UsageError, match="name="):
        tx.attach(made, io.BytesIO(b""))
    for name in ("", "two\nlines", "n" * 256):
        with pytest.raises(InvalidValueError):
            tx.attach(made, io.BytesIO(b""), name=name)
    assert tx.commit() is None
    assert store.attachments(made) == []


def test_a_document_that_is_not_there_gets_no_attachment(store: StorageEngine, made: str) -> None:
    with pytest.raises(NotFoundError):
        store.transact(lambda tx: tx.attach(text_id(9), io.BytesIO(b"x"), name="a"))
    store.delete_document(made)
    with pytest.raises(InTrashError):
        store.transact(lambda tx: tx.attach(made, io.BytesIO(b"x"), name="a"))
    assert store.attachments(made) == []


def test_a_transaction_that_rolls_back_attaches_nothing_and_lets_go_of_what_it_added(
    store: StorageEngine, made: str
) -> None:
    tx = store.begin_transaction()
    tx.attach(made, io.BytesIO(b"x"), name="a")
    tx.rollback()
    assert store.attachments(made) == []
    assert store.reading.files.collect().is_whole
    with store.store.read() as reader:
        assert reader.attachments.lacking() == (0, 0)


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (DiskFaultError("the disk", "a sync failed"), True),
        (KeyboardInterrupt(), True),
        (DiskFullError("the disk"), False),
        (ConflictError([("D", "title")]), False),
        (None, False),
    ],
)
def test_what_was_added_is_dropped_only_where_the_change_that_needs_it_cannot_have_been_written(
    store: StorageEngine, error: BaseException | None, *, stays: bool
) -> None:
    attaching = Attaching(store.reading.files)
    attaching.add(io.BytesIO(b"content"), "a", None)
    attaching.settle()
    attaching.close(error, failed=True)
    content = [path for path in (store.home / "files").rglob("*") if path.is_file() and path.stat().st_size]
    assert bool(content) is stays


def test_a_file_that_is_too_large_is_refused(store: StorageEngine, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES_MAX", 2 * limits.CHUNK_BYTES)
    with pytest.raises(LimitError):
        store.transact(lambda tx: tx.attach(made, io.BytesIO(bytes(2 * limits.CHUNK_BYTES + 1)), name="a"))
    assert store.attachments(made) == []


def test_only_what_is_attached_can_be_detached(store: StorageEngine, made: str) -> None:
    store.transact(lambda tx: tx.attach(made, io.BytesIO(b"x"), name="a"))
    tx = store.begin_transaction()
    with pytest.raises(NotFoundError):
        tx.detach(made, "b")
    tx.detach(made, "a")
    tx.commit()
    assert store.attachments(made) == []


def test_a_document_and_its_only_file_are_made_in_one_change(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        made = tx.create_document(Document(title="Scan", content_type="application/pdf"))
        tx.attach(made, io.BytesIO(b"%PDF"), name="scan.pdf")
    found = store.get_document(made)
    assert found is not None
    assert (found.content, found.content_type, found.tags) == (None, "application/pdf", set())
    assert [each.name for each in store.attachments(made)] == ["scan.pdf"]


def test_a_disk_that_fills_up_at_any_write_attaches_nothing_and_the_next_try_works(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk))
    try:
        content = random.Random(4).randbytes(limits.CHUNK_BYTES + 400_000)  # two chunks and their list
        with open_store(disk / "home", StorageConfig(state_path=tmp_path / "state")) as store:
            made, full = store.create_document(Document(title="D")), 0
            for room in range(0, len(content) + 100_000, 120_000):
                with (disk / "ballast").open("wb", buffering=0) as ballast:
                    ballast.write(bytes(max(0, shutil.disk_usage(disk).free - room)))
                try:
                    store.transact(lambda tx: tx.attach(made, io.BytesIO(content), name="a"))
                except DiskFullError:
                    full += 1
                (disk / "ballast").unlink()
                assert store.attachments(made) == []
                chunks = store.reading.files.chunks
                assert all(chunks.get(name) is not None for name in chunks.names()), "what is kept is whole"
                assert chunks.drop([*chunks.names()], 4_000_000_000.0) is not None, "nobody holds the lock"
            assert full == 13
            store.transact(lambda tx: tx.attach(made, io.BytesIO(content), name="a"))
            assert store.open_attachment(made, "a").read() == content
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
