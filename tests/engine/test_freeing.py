"""What no attachment needs lasts for a day from when that is seen; what a failed transaction has written goes at once."""

from __future__ import annotations

import io
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from edda_sync.engine import freeing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.files.chunks import Chunks, name_of
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import DiskFullError, NotFoundError
from edda_sync.words.model import Document
from tests.mounting import mount
from tests.store.samples import text_id

SIZES = (10, 500, 1_700)  # one chunk, one manifest, two levels of them


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 bytes, and manifests of three parts."""
    monkeypatch.setattr(limits, "CHUNK_BYTES", 200)
    monkeypatch.setattr(limits, "MANIFEST_PARTS_MAX", 3)


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    backend: Literal["sqlite", "memory"] = request.param
    with open_store(tmp_path / "home", StorageConfig(backend=backend)) as engine:
        yield engine


@contextmanager
def unmounting(disk: Path) -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def chunks(store: StorageEngine) -> Chunks:
    return store.reading.files.chunks


def held(store: StorageEngine) -> set[bytes]:
    return set(chunks(store).names())


def free(store: StorageEngine, later_s: float = 0.0) -> int:
    return freeing.free(store.store, chunks(store), time.time() + later_s).dropped


@pytest.mark.parametrize("size", SIZES)
def test_every_chunk_of_a_file_lasts_for_a_day_from_when_it_is_seen_to_be_needed_no_more(
    store: StorageEngine, size: int
) -> None:
    made = store.create_document(Document(title="D"))
    attached = store.transact(lambda tx: tx.attach(made, io.BytesIO(content(size)), name="a"))
    count = len(held(store))
    store.transact(lambda tx: tx.detach(made, attached))
    long_after_s = 10 * limits.FILE_GRACE_S
    for name in held(store):  # it was attached long ago
        _age(store, name)
    assert free(store) == 0
    assert free(store, limits.FILE_GRACE_S - 60) == 0
    assert free(store, long_after_s) == count
    assert held(store) == set()
    with store.store.read() as reader:
        assert reader.attachments.unneeded() == []


def _age(store: StorageEngine, name: bytes) -> None:
    where = chunks(store)
    if hasattr(where, "path"):
        os.utime(where.path(name), (0, 0))
    else:
        where._kept[name] = 0.0  # type: ignore[attr-defined]


def test_what_is_attached_again_meanwhile_stays(store: StorageEngine) -> None:
    made = store.create_document(Document(title="D"))
    attached = store.transact(lambda tx: tx.attach(made, io.BytesIO(content(500)), name="a"))
    store.transact(lambda tx: tx.detach(made, attached))
    assert free(store) == 0
    store.undo()
    assert free(store, 10 * limits.FILE_GRACE_S) == 0
    assert store.open_attachment(made, "a").read() == content(500)
    store.transact(lambda tx: tx.detach(made, attached))
    assert free(store) == 0, "another day begins"


def test_what_is_taken_off_again_before_anybody_looks_lasts_for_another_day(store: StorageEngine) -> None:
    made = store.create_document(Document(title="D"))
    attached = store.transact(lambda tx: tx.attach(made, io.BytesIO(content(500)), name="a"))
    store.transact(lambda tx: tx.detach(made, attached))
    assert free(store) == 0
    for name in held(store):  # that was nearly a day ago
        _age(store, name)
    store.undo()
    store.transact(lambda tx: tx.detach(made, attached))
    assert free(store) == 0
    store.undo()
    assert store.open_attachment(made, "a").read() == content(500)


def test_a_transaction_that_fails_leaves_no_chunk_and_takes_none_of_others(store: StorageEngine) -> None:
    made = store.create_document(Document(title="D"))
    store.transact(lambda tx: tx.attach(made, io.BytesIO(content(500)), name="kept"))
    before = held(store)
    shared = content(500)[:200] + content(1_500)
    tx = store.begin_transaction()
    tx.attach(made, io.BytesIO(shared), name="a")
    tx.attach(text_id(7), io.BytesIO(content(10)), name="b")
    with pytest.raises(NotFoundError):
        tx.commit()
    assert held(store) == before
    tx = store.begin_transaction()
    tx.attach(made, io.BytesIO(shared), name="a")
    tx.rollback()
    assert held(store) == before
    assert store.open_attachment(made, "kept").read() == content(500)


@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize("more", [b"", b"and more of it"])
def test_a_transaction_that_fails_takes_nothing_of_a_file_that_can_still_be_attached_again(
    store: StorageEngine, more: bytes, is_seen: bool
) -> None:
    made = store.create_document(Document(title="D"))
    attached = store.transact(lambda tx: tx.attach(made, io.BytesIO(content(500)), name="a"))
    store.transact(lambda tx: tx.detach(made, attached))
    if is_seen:
        free(store)
    before = held(store)
    chunks(store).set_aside(name_of(content(500)[:200]))  # the disk lost one, which the transaction writes again
    tx = store.begin_transaction()
    tx.attach(made, io.BytesIO(content(500) + more), name="b")
    tx.rollback()
    assert held(store) == before
    store.undo()
    assert store.open_attachment(made, "a").read() == content(500)


def test_what_somebody_else_attaches_at_the_same_time_stays(store: StorageEngine) -> None:
    made = store.create_document(Document(title="D"))
    failing, other = store.begin_transaction(), store.begin_transaction()
    failing.attach(made, io.BytesIO(content(500)), name="a")
    other.attach(made, io.BytesIO(content(500)), name="b")
    failing.rollback()
    other.commit()
    assert store.open_attachment(made, "b").read() == content(500)
    failing = store.begin_transaction()
    failing.attach(made, io.BytesIO(content(1_700)), name="c")
    store.transact(lambda tx: tx.attach(made, io.BytesIO(content(1_700)), name="d"))
    failing.rollback()
    assert store.open_attachment(made, "d").read() == content(1_700)


def test_a_file_for_which_there_is_no_room_leaves_all_of_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk))
    with unmounting(disk), open_store(disk / "home") as store:
        made = store.create_document(Document(title="D"))
        room = os.statvfs(disk).f_bavail
        with pytest.raises(DiskFullError):
            store.transact(lambda tx: tx.attach(made, io.BytesIO(os.urandom(8_000_000)), name="large"))
        assert held(store) == set()
        assert room - os.statvfs(disk).f_bavail < 300_000 / os.statvfs(disk).f_frsize
        store.update_document(Document(id=made, title="there is room for this"))
