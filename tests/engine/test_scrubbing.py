"""The scrub of a running device, slice by slice: entities, and then the chunks of attached files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.engine.scrubbing import Slice, scrub
from edda_sync.files.disk import DiskChunks
from edda_sync.sealing import datakeys
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Document
from tests.encrypted import config_of

LIMIT = 1_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks of 200 bytes, and slices of ten."""
    monkeypatch.setattr(limits, "CHUNK_BYTES", 200)
    monkeypatch.setattr(limits, "SCRUB_CHUNKS", 10)
    yield
    datakeys.forget_unlocked()


def attached(store: StorageEngine, *names: str, size: int = 700) -> str:
    with store.begin_transaction() as tx:
        made = tx.create_document(Document(title="D"))
        for name in names:
            tx.attach(made, io.BytesIO(os.urandom(size)), name=name)
    return made


def slices(store: StorageEngine) -> Iterator[Slice]:
    """Yield what each slice of one pass found."""
    following: bytes | None = b""
    while following is not None:
        done = scrub(store, following, LIMIT)
        following = done.following
        yield done


def chunks_of(store: StorageEngine) -> DiskChunks:
    chunks = store.reading.files.chunks
    assert isinstance(chunks, DiskChunks)
    return chunks


def rot(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_a_store_without_attachments_is_one_slice(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        store.create_document(Document(title="D"))
        assert list(slices(store)) == [Slice([], [], None)]
        assert not (tmp_path / "home" / "files").exists()


def test_each_slice_reads_a_bounded_number_of_chunks_and_all_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "home") as store:
        attached(store, *"abcdefg")  # each of four chunks and their list
        read: list[bytes] = []
        get = DiskChunks.get

        def counted(chunks: DiskChunks, name: bytes) -> Any:
            read.append(name)
            return get(chunks, name)

        monkeypatch.setattr(DiskChunks, "get", counted)
        passed, seen = slices(store), set[bytes]()
        for _ in range(3):
            read.clear()
            assert next(passed)[:2] == ([], [])
            assert len(read) == limits.SCRUB_CHUNKS
            assert not seen & set(read)
            seen.update(read)
        assert [each[:2] for each in passed] == [([], [])]
        assert len({*seen, *read}) == 35


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_damaged_chunk_is_named_with_its_files_and_documents_and_set_aside(
    tmp_path: Path, is_encrypted: bool
) -> None:
    home = tmp_path / "home"
    config = StorageConfig(encryption_config=config_of(home / "edda.db")) if is_encrypted else None
    with open_store(home, config) as store:
        made, sound = attached(store, "photo.jpg"), attached(store, "sound")
        with store.begin_transaction() as tx:
            other = tx.create_document(Document(title="E"))
            tx.attach(other, io.BytesIO(store.open_attachment(made, "photo.jpg").read()), name="the same")
        chunks = chunks_of(store)
        victim = next(
            name for name in chunks.names() if chunks.get(name) in store.open_attachment(made, "photo.jpg").read()
        )
        rot(chunks.path(victim))
        lost = [text for each in slices(store) for text in each.lost]
        assert len(lost) == 2
        for name, document in (("photo.jpg", made), ("the same", other)):
            beginning = f"The attached file '{name}' of the document {document} is damaged on this disk"
            assert sum(text.startswith(beginning) for text in lost) == 1
        assert all("attach the same file again" in text for text in lost)
        assert not chunks.has(victim)
        assert [each.here for each in (*store.attachments(made), *store.attachments(sound))] == [False, True]
        assert [text for each in slices(store) for text in each.lost] == [], "it is said once"


def test_a_damaged_list_of_chunks_is_damage_of_its_file(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = attached(store, "a")
        with store.store.read() as reader:
            ((_, row),) = reader.attachments.scan()
        rot(chunks_of(store).path(row.root))
        (text,) = [text for each in slices(store) for text in each.lost]
        assert f"'a' of the document {made} is damaged" in text


def test_what_has_vanished_is_named_once(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = attached(store, "a")
        chunks = chunks_of(store)
        with store.store.read() as reader:
            ((_, row),) = reader.attachments.scan()
        chunks.path(next(name for name in chunks.names() if name != row.root)).unlink()
        (text,) = [text for each in slices(store) for text in each.lost]
        assert f"'a' of the document {made} has vanished from this disk" in text
        assert [each.here for each in store.attachments(made)] == [False]
        assert [text for each in slices(store) for text in each.lost] == []


def test_damage_of_what_nothing_needs_is_set_aside_without_a_word(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = attached(store, "a", size=100)
        store.transact(lambda tx: tx.detach(made, "a"))
        (name,) = chunks_of(store).names()
        rot(chunks_of(store).path(name))
        assert [each.lost for each in slices(store)] == [[]]
        assert not chunks_of(store).has(name)


def test_a_part_of_the_disk_that_cannot_be_read_is_damage_and_the_scrub_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "home") as store:
        made, other = attached(store, "a", size=100), attached(store, "b", size=100)
        chunks, opened = chunks_of(store), os.open
        with store.store.read() as reader:
            bad, rotten = (row.root for _, row in reader.attachments.scan())
        rot(chunks.path(rotten))

        def fails(path: Any, *rest: Any) -> int:
            if str(path) == str(chunks.path(bad)):
                raise OSError(5, "Input/output error")
            return opened(path, *rest)

        monkeypatch.setattr(os, "open", fails)
        lost = [text for each in slices(store) for text in each.lost]
        assert sorted(text.split("document ")[1][:36] for text in lost) == sorted([made, other])


def test_what_nothing_needs_any_more_is_dropped_at_the_end_of_a_pass(tmp_path: Path) -> None:
    with StorageEngine(tmp_path / "home", now=lambda: 4_000_000_000.0) as store:
        store.initialize()
        made = attached(store, "a", "b")
        store.transact(lambda tx: tx.detach(made, "a"))
        assert [each.lost for each in slices(store)] == [[], []]
        assert len(list(chunks_of(store).names())) == 5
