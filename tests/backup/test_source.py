"""A store as backups need it: its settings decide how it is sealed."""

from __future__ import annotations

from pathlib import Path

import edda_sync as edda
from edda_sync.backup.sealed import Kind
from edda_sync.backup.source import Source
from edda_sync.sealing.keyfile import path_of


def test_the_settings_of_backups_decide_the_cipher_and_whether_it_is_compressed(tmp_path: Path) -> None:
    plain = edda.BackupConfig(compression=False)
    with edda.open(tmp_path / "plain", edda.StorageConfig(backup_config=plain)) as engine:
        sealed = Source(engine).objects.seal(Kind.RUN, bytes(100_000))
        assert len(sealed.data) > 100_000
        assert sealed.data[8] == 1
        assert Source(engine).key_file is None
    other = edda.BackupConfig(encryption=edda.EncryptionConfig(algorithm=edda.EncryptionAlgorithm.XCHACHA20_POLY1305))
    with edda.open(tmp_path / "other", edda.StorageConfig(backup_config=other)) as engine:
        sealed = Source(engine).objects.seal(Kind.RUN, bytes(100_000))
        assert len(sealed.data) < 1_000
        assert sealed.data[8] == 3


def test_the_key_file_of_an_encrypted_store_is_found(tmp_path: Path) -> None:
    key = tmp_path / "stick.key"
    wanted = edda.EncryptionConfig(key_storage=edda.KeyStorage.FILE, key_file=key)
    with edda.open(tmp_path / "home", edda.StorageConfig(encryption_config=wanted)) as engine:
        assert Source(engine).key_file == path_of(tmp_path / "home" / "edda.db")
