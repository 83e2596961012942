"""A disk that is full at some moment of an encryption, a rotation or a decryption leaves the store as it was, and in use."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import encryption
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.sealing import datakeys
from edda_sync.store.sqlite.keyed import damaged_pages
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import DiskFullError
from tests.encrypted import config_of
from tests.mounting import mount

DISK_KB = 20_480
ATTACHED = random.Random(1).randbytes(300_000)
LEFT_KB = (0, 8, 100, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; the key and the state are elsewhere."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={DISK_KB}k", "none", str(disk))
    datakeys.forget_unlocked()
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    datakeys.forget_unlocked()


def fill(tx: edda.Transaction) -> None:
    for number in range(500):
        tx.create_task(edda.Task(title=f"task {number}", description="words " * 60))


def leave(disk: Path, kilobytes: int) -> None:
    """Fill the disk, except for some room."""
    pad = disk / "pad"
    pad.unlink(missing_ok=True)
    with pad.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - kilobytes * 1024)))


def sound(home: Path) -> str:
    with edda.open(home) as store:
        assert isinstance(store.store, SqliteStore)
        assert store.store.checks.damaged_parts(thorough=True) == []
        if store.store.keys is not None:
            assert damaged_pages(store.store.connect) == []
        (document,) = store.query_documents(edda.DocumentQuery())
        assert store.open_attachment(document.id, "a").read() == ATTACHED
        return store.digest()


def test_a_full_disk_at_any_moment_leaves_a_store_that_is_whole_and_can_be_written(disk: Path, tmp_path: Path) -> None:
    home, state = disk / "home", tmp_path / "state"
    config = StorageConfig(state_path=state)
    coded = config.changed(encryption_config=config_of(home / "edda.db").changed(key_file=tmp_path / "key"))
    with edda.open(home, config) as store:
        for _ in range(2):
            store.transact(fill)
        document = store.create_document(edda.Document(title="d"))
        store.transact(lambda tx: tx.attach(document, io.BytesIO(ATTACHED), name="a"))

    def rotate() -> None:
        with edda.open(home, config) as store:
            EncryptionManager(store).rotate_data_key()

    works: list[tuple[Callable[[], object], str]] = [
        (lambda: encryption.encrypt(home, coded), "encrypt"),
        (rotate, "rotate"),
        (lambda: encryption.decrypt(home, config), "decrypt"),
    ]
    for work, name in works:
        digest, full = sound(home), 0
        for kilobytes in LEFT_KB:
            leave(disk, kilobytes)
            try:
                work()
            except DiskFullError:
                full += 1
            else:
                break
            (disk / "pad").unlink()
            assert sound(home) == digest, (name, kilobytes)
            assert not list(home.glob("*.converting*"))
        (disk / "pad").unlink()
        assert full > 2, name
        with suppress(edda.errors.UsageError):  # it came to its end
            work()
        assert sound(home) == digest
        with edda.open(home, config) as store:
            store.create_task(edda.Task(title=f"after {name}"))
    assert (home / "edda.db").read_bytes().startswith(b"SQLite format 3")
    assert os.access(tmp_path / "key", os.F_OK)
