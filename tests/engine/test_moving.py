"""A setting is not changed so that the store that is here would not be found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import moving
from edda_sync.sealing import keyfile
from edda_sync.words.config import (
    EncryptionConfig,
    KeyDerivationFunction,
    KeyRotationPolicy,
    KeyStorage,
    StorageConfig,
)
from edda_sync.words.errors import UsageError

USUAL = StorageConfig()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    edda.open(tmp_path / "home").close()
    return tmp_path / "home"


def test_where_no_store_is_everything_may_be_changed(tmp_path: Path) -> None:
    after = StorageConfig(backend="rocksdb", name="laptop", database_path=tmp_path / "data" / "notes.db")
    moving.check(tmp_path / "home", USUAL, after)


def test_what_does_not_move_a_store_may_be_changed(home: Path) -> None:
    moving.check(home, USUAL, StorageConfig(connection_pool_size=3, state_path=home.parent / "lives"))


def test_another_backend_names_the_command_that_moves_the_store(home: Path) -> None:
    with pytest.raises(UsageError, match="`edda store migrate --to rocksdb`"):
        moving.check(home, USUAL, StorageConfig(backend="rocksdb"))


def test_not_even_the_usual_backend_may_be_named_for_a_store_that_knows_it(home: Path) -> None:
    with pytest.raises(UsageError, match="says itself what keeps its states"):
        moving.check(home, USUAL, StorageConfig(backend="sqlite"))
    moving.check(home, StorageConfig(backend="sqlite"), StorageConfig(backend="sqlite", connection_pool_size=2))


def test_a_setting_of_the_backend_may_be_taken_out(home: Path) -> None:
    moving.check(home, StorageConfig(backend="rocksdb"), USUAL)


def test_a_plain_store_is_encrypted_before_settings_say_so(home: Path) -> None:
    after = StorageConfig(encryption_config=EncryptionConfig(kdf=KeyDerivationFunction.SCRYPT))
    with pytest.raises(UsageError, match="`edda store encrypt` encrypts it, and then this can be set"):
        moving.check(home, USUAL, after)
    moving.check(home.parent / "new", USUAL, after)


def test_a_key_file_that_an_attempt_to_encrypt_has_left_does_not_make_a_plain_store_an_encrypted_one(
    home: Path,
) -> None:
    keyfile.path_of(home / "edda.db").write_text("{}")
    after = StorageConfig(encryption_config=EncryptionConfig(kdf=KeyDerivationFunction.SCRYPT))
    with pytest.raises(UsageError, match="`edda store encrypt` encrypts it, and then this can be set"):
        moving.check(home, USUAL, after)


def test_a_policy_is_set_for_a_store_that_is_encrypted(tmp_path: Path) -> None:
    home, key = tmp_path / "sealed", EncryptionConfig(key_storage=KeyStorage.FILE, key_file=tmp_path / "stick.key")
    edda.open(home, StorageConfig(encryption_config=key)).close()
    policy = EncryptionConfig(key_rotation=KeyRotationPolicy(max_age=timedelta(days=90)))
    moving.check(home, USUAL, StorageConfig(encryption_config=policy))


def test_a_device_keeps_its_name(home: Path) -> None:
    with pytest.raises(UsageError, match="has a name already"):
        moving.check(home, USUAL, StorageConfig(name="laptop"))


def test_a_path_is_changed_once_what_it_is_about_was_moved(home: Path, tmp_path: Path) -> None:
    after = StorageConfig(database_path=tmp_path / "notes.db", file_storage_path=tmp_path / "files")
    with pytest.raises(UsageError, match=f"database_path would point to {tmp_path}/notes.db"):
        moving.check(home, USUAL, after)
    (home / "edda.db").rename(tmp_path / "notes.db")
    edda.open(home / "other").close()
    moving.check(home, USUAL, after)


def test_attached_files_are_not_left_behind(home: Path, tmp_path: Path) -> None:
    after = StorageConfig(file_storage_path=tmp_path / "files")
    (home / "files").mkdir()
    moving.check(home, USUAL, after)  # it is empty
    (home / "files" / "chunk").write_bytes(b"x")
    with pytest.raises(UsageError, match="file_storage_path would point to"):
        moving.check(home, USUAL, after)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "other").write_bytes(b"of somebody else")
    with pytest.raises(UsageError, match="file_storage_path would point to"):
        moving.check(home, USUAL, after)
    (home / "files" / "chunk").rename(tmp_path / "files" / "chunk")
    moving.check(home, USUAL, after)
