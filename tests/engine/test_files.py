"""The attachments of a store: what is attached is read again, missed when it is gone, and collected when it may be."""

from __future__ import annotations

import io
import os
import shutil
import time
from pathlib import Path
from typing import Literal

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import AmbiguousIdError, DamagedFileError, FileNotHereError, NotFoundError
from edda_sync.words.model import Document

CONTENT = os.urandom(limits.CHUNK_BYTES + 1_000)


class Clock:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def document(store: StorageEngine, *names: str) -> str:
    with store.begin_transaction() as tx:
        made = tx.create_document(Document(title="D"))
        for name in names:
            tx.attach(made, io.BytesIO(name.encode() + CONTENT), name=name)
    return made


def chunks_of(home: Path) -> list[Path]:
    return [path for path in (home / "files").rglob("*") if path.is_file() and len(path.parent.name) == 2]


@pytest.mark.parametrize("backend", ["sqlite", "memory"])
def test_what_was_attached_is_listed_and_read_again(tmp_path: Path, backend: Literal["sqlite", "memory"]) -> None:
    with open_store(tmp_path / "home", StorageConfig(backend=backend)) as store:
        made = document(store, "b.pdf", "a.txt")
        found = store.attachments(made)
        assert [(each.name, each.content_type, each.size, each.here, each.document_id) for each in found] == [
            ("a.txt", "text/plain", len(CONTENT) + 5, True, made),
            ("b.pdf", "application/pdf", len(CONTENT) + 5, True, made),
        ]
        for reference in ("a.txt", found[0].id, found[0].id[-6:]):
            with store.open_attachment(made, reference) as stream:
                assert stream.read() == b"a.txt" + CONTENT
        assert store.attachments(document(store)) == []


def test_a_file_storage_path_is_honoured(tmp_path: Path) -> None:
    config = StorageConfig(file_storage_path=tmp_path / "big disk")
    with open_store(tmp_path / "home", config) as store:
        made = document(store, "a")
    assert not (tmp_path / "home" / "files").exists()
    with open_store(tmp_path / "home", config) as store:
        assert store.open_attachment(made, "a").read() == b"a" + CONTENT


def test_an_attachment_that_is_not_there_or_not_the_only_one_is_named(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = document(store, "a", "a")
        with pytest.raises(NotFoundError):
            store.open_attachment(made, "b")
        with pytest.raises(AmbiguousIdError) as caught:
            store.open_attachment(made, "a")
        assert caught.value.candidates == [each.id for each in store.attachments(made)]
        with pytest.raises(NotFoundError):
            store.open_attachment(document(store), "a")


def test_a_vanished_file_is_missing_from_then_on_and_attaching_it_again_brings_it_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = document(store, "a")
        shutil.rmtree(tmp_path / "home" / "files")
        with pytest.raises(FileNotHereError):
            store.open_attachment(made, "a").read()
        assert [each.here for each in store.attachments(made)] == [False]
        with pytest.raises(FileNotHereError):
            store.open_attachment(made, "a")
        other = document(store, "a")
        assert [each.here for each in store.attachments(made)] == [True]
        assert store.open_attachment(made, "a").read() == store.open_attachment(other, "a").read()


def test_a_damaged_file_is_never_shown_and_is_set_aside(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = document(store, "a")
        longest = max(chunks_of(tmp_path / "home"), key=lambda path: path.stat().st_size)
        raw = bytearray(longest.read_bytes())
        raw[500] ^= 1
        longest.write_bytes(raw)
        with pytest.raises(DamagedFileError):
            store.open_attachment(made, "a").read()
        assert [each.here for each in store.attachments(made)] == [False]
        assert os.listdir(tmp_path / "home" / "files" / "damaged") == [longest.parent.name + longest.name]
        with pytest.raises(FileNotHereError):
            store.open_attachment(made, "a")


def test_what_nothing_refers_to_is_collected_after_a_day_and_the_trash_keeps_its_files(tmp_path: Path) -> None:
    clock = Clock()
    clock.now_s = time.time()
    with StorageEngine(tmp_path / "home", now=clock) as store:
        store.initialize()
        kept, trashed, detached = document(store, "kept"), document(store, "trashed"), document(store, "detached")
        store.delete_document(trashed)
        long_ago_s = clock.now_s - 365 * limits.FILE_GRACE_S
        for path in chunks_of(tmp_path / "home"):
            os.utime(path, (long_ago_s, long_ago_s))
        store.transact(lambda tx: tx.detach(detached, "detached"))
        assert store.reading.files.collect().dropped == 0, (
            "it was attached long ago, and is needed no more since just now"
        )
        clock.now_s += limits.FILE_GRACE_S - 60
        assert store.reading.files.collect().dropped == 0
        clock.now_s += 120
        assert store.reading.files.collect() == (3, True)  # two chunks and the manifest of what was detached
        store.restore_document(trashed)
        for made, name in ((kept, "kept"), (trashed, "trashed")):
            assert store.open_attachment(made, name).read() == name.encode() + CONTENT
        assert store.attachments(detached) == []


@pytest.mark.parametrize("backend", ["sqlite", "memory"])
def test_what_was_detached_by_mistake_is_there_when_that_is_undone(
    tmp_path: Path, backend: Literal["sqlite", "memory"]
) -> None:
    clock = Clock()
    clock.now_s = time.time() - 365 * limits.FILE_GRACE_S
    with StorageEngine(tmp_path / "home", now=clock) as store:
        store.initialize(StorageConfig(backend=backend))
        made = document(store, "a", "b")
        attachment = store.attachments(made)[0].id
        for path in chunks_of(tmp_path / "home"):
            os.utime(path, (clock.now_s, clock.now_s))
        clock.now_s = time.time()
        store.transact(lambda tx: tx.detach(made, attachment))
        for _ in range(2):
            assert store.reading.files.collect().dropped == 0
        store.undo()
        assert [each.here for each in store.attachments(made)] == [True, True]
        clock.now_s += 2 * limits.FILE_GRACE_S
        assert store.reading.files.collect().dropped == 0
        assert store.open_attachment(made, attachment).read() == b"a" + CONTENT


def test_nothing_is_collected_while_a_transaction_attaches(tmp_path: Path) -> None:
    clock = Clock()
    with StorageEngine(tmp_path / "home", now=clock) as store:
        store.initialize()
        made = document(store)
        clock.now_s += 10 * 365 * limits.FILE_GRACE_S  # every chunk is old by now
        tx = store.begin_transaction()
        tx.attach(made, io.BytesIO(CONTENT), name="a")
        assert store.reading.files.collect().is_whole is False
        tx.commit()
        assert store.reading.files.collect() == (0, True), "it is referred to by now"
        assert store.open_attachment(made, "a").read() == CONTENT


def test_another_device_learns_what_is_attached_and_that_it_is_not_there() -> None:
    with devices(2) as (laptop, phone):
        made = document(laptop, "a")
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        (found,) = phone.attachments(made)
        assert (found.name, found.size, found.here) == ("a", len(CONTENT) + 1, False)
        with pytest.raises(FileNotHereError):
            phone.open_attachment(made, "a")
        phone.transact(lambda tx: tx.detach(made, "a"))
        again = laptop.begin_transaction()
        attached = again.attach(made, io.BytesIO(b"more"), name="b")
        again.commit()
        sync(laptop, phone)
        assert [each.id for each in laptop.attachments(made)] == [attached]
        assert [each.id for each in phone.attachments(made)] == [attached]


def test_a_new_fold_finds_the_same_attachments(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = document(store, "a", "b")
        store.transact(lambda tx: tx.detach(made, "a"))
        before = store.attachments(made)
        store.rebuild()
        assert store.attachments(made) == before
        assert [(each.name, each.here) for each in before] == [("b", True)]
