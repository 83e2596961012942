"""A look at a store's file says what keeps its states, and changes nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.sealing.datakeys import forget_unlocked
from edda_sync.store.sqlite.looking import backend_of
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE, EncryptionConfig, KeyStorage
from tests.store.sqlite import versions


@pytest.mark.parametrize("backend", ["sqlite", "rocksdb"])
def test_the_backend_of_a_file_is_told_while_it_is_open_and_afterwards(tmp_path: Path, backend: str) -> None:
    path = tmp_path / DATABASE_FILE
    with closing(SqliteStore(path)) as store:
        if backend == "rocksdb":
            store.transact(lambda tx: tx.meta.set("backend", b"rocksdb"))
        assert backend_of(path) == backend
    before = path.read_bytes()
    assert backend_of(path) == backend
    assert [each.name for each in tmp_path.iterdir()] == [DATABASE_FILE]
    assert path.read_bytes() == before


def test_a_store_of_an_older_version_is_looked_at_and_not_migrated(tmp_path: Path) -> None:
    path = versions.unpack(1, tmp_path)[0] / DATABASE_FILE
    before = path.read_bytes()
    assert backend_of(path) == "sqlite"
    assert path.read_bytes() == before


def test_an_encrypted_file_is_looked_at_with_its_key_and_not_without(tmp_path: Path) -> None:
    key = tmp_path / "key"
    kept = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=key)
    with edda.open(tmp_path / "home", edda.StorageConfig(encryption_config=kept)):
        pass
    assert backend_of(tmp_path / "home" / DATABASE_FILE) == "sqlite"
    key.rename(tmp_path / "elsewhere")
    forget_unlocked()
    assert backend_of(tmp_path / "home" / DATABASE_FILE) is None


def test_nothing_is_told_of_what_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_FILE
    assert backend_of(path) is None
    path.write_bytes(b"no store of ours, and longer than a header is" * 10)
    assert backend_of(path) is None
    assert [each.name for each in tmp_path.iterdir()] == [DATABASE_FILE]
