"""The file, the variables and the program say together how a store is kept, and the later ones win."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edda_sync.words.config import CacheConfig, EncryptionConfig, EvictionPolicy, StorageBackend, StorageConfig
from edda_sync.words.config_file import CONFIG_FILE
from edda_sync.words.errors import SettingError
from edda_sync.words.resolved import Origin, Resolved, resolve
from edda_sync.words.settings import SETTINGS, VARIABLES


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def written(home: Path, text: str) -> Path:
    (home / CONFIG_FILE).write_text(text, encoding="utf-8")
    return home


def origins(found: Resolved) -> dict[str, str]:
    return {key: str(origin) for key, origin in found.origins.items()}


def test_each_source_wins_over_the_one_before_field_by_field(home: Path) -> None:
    written(home, 'connection_pool_size = 2\n[cache]\nmax_size = "1 MB"\nttl = 30\ncompression = true\n')
    variables = {"EDDA_CACHE_MAX_SIZE": "2 MB", "EDDA_CACHE_TTL": "1 minute"}
    program = StorageConfig(cache_config=CacheConfig(ttl=timedelta(hours=1)))
    found = resolve(home, variables, program)
    assert found.config.connection_pool_size == 2
    assert found.config.cache_config == CacheConfig(max_size=2_000_000, ttl=timedelta(hours=1), compression=True)
    assert origins(found) == {
        "connection_pool_size": "config.toml, line 1",
        "cache.compression": "config.toml, line 5",
        "cache.max_size": "EDDA_CACHE_MAX_SIZE",
        "cache.ttl": "argument",
    }


def test_without_any_source_everything_is_a_default(home: Path) -> None:
    assert resolve(home, {}) == Resolved(StorageConfig(), {}, ())
    assert resolve(home / "missing", {}) == Resolved(StorageConfig(), {}, ())


def test_a_program_that_asks_for_encryption_gets_it_with_what_the_file_says_of_it(home: Path) -> None:
    written(home, 'encryption.kdf = "scrypt"\n')
    found = resolve(home, {}, StorageConfig(encryption_config=EncryptionConfig())).config.encryption_config
    assert found is not None
    assert found.kdf == "scrypt"
    assert resolve(written(home, "[encryption]\n"), {}).config.encryption_config == EncryptionConfig()


def test_relative_paths_of_the_file_are_in_its_folder_and_those_of_variables_where_the_process_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    written(home, 'database_path = "data/notes.db"\nfile_storage_path = "~/files"\n')
    config = resolve(home, {"EDDA_ROCKSDB_PATH": "rocks"}).config
    assert config.database(home) == home / "data" / "notes.db"
    assert config.files(home) == tmp_path / "me" / "files"
    assert config.rocksdb(home) == tmp_path / "rocks"


def test_the_result_resolved_again_is_the_same(home: Path) -> None:
    written(home, 'database_path = "data/notes.db"\ncache.max_size = 1\n')
    once = resolve(home, {"EDDA_NAME": "laptop"}).config
    written(home, "cache.max_size = 2\n")
    assert resolve(home, {"EDDA_NAME": "phone"}, once).config == once


def test_an_empty_variable_counts_as_not_set(home: Path) -> None:
    assert resolve(home, {"EDDA_BACKEND": ""}).config.backend is StorageBackend.SQLITE


@pytest.mark.parametrize("name", VARIABLES)
def test_a_wrong_variable_is_named_with_its_value(home: Path, name: str) -> None:
    wrong = "\n" if name == "EDDA_NAME" else "\0" if name.endswith(("_PATH", "STATE", "_FILE")) else "-1"
    with pytest.raises(SettingError) as caught:
        resolve(home, {name: wrong})
    assert (caught.value.key, caught.value.place) == (VARIABLES[name].key, name)
    assert str(caught.value).startswith(f"{name}: {VARIABLES[name].key} is ")


def test_unknown_variables_are_told_and_no_error(home: Path) -> None:
    found = resolve(
        home, {"EDDA_BAKEND": "rocksdb", "EDDA_HOME": "x", "EDDA_KEYRING": "off", "PATH": "y", "EDDA_ZZZ": ""}
    )
    assert found == Resolved(StorageConfig(), {}, ("EDDA_BAKEND", "EDDA_ZZZ"))


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ('rocksdb_path = "data"\nfile_storage_path = "data/files"', "rocksdb_path", "would contain file_storage_path"),
        ('rocksdb_path = "one"\nfile_storage_path = "one"', "rocksdb_path", "would contain file_storage_path"),
        ('file_storage_path = "."', "file_storage_path", "would contain"),
        ('rocksdb_path = ".."', "rocksdb_path", "would contain"),
        ('database_path = "files/notes.db"', "database_path", "would lie in file_storage_path"),
        ('database_path = "identity.key"', "database_path", "is the name of another file of the store"),
        ('database_path = "folder"', "database_path", "is a folder, and must be a file"),
        ('rocksdb_path = "file"', "rocksdb_path", "is no folder"),
        ('file_storage_path = "file/files"', "file_storage_path", "would lie in "),
        ('rocksdb_path = "nothing/states"', "rocksdb_path", "nothing, which is no folder"),
        ('state_path = "lives"', "state_path", "must be outside the store's folder"),
    ],
)
def test_a_path_that_would_not_be_honoured_is_refused_with_the_reason(
    home: Path, text: str, key: str, why: str
) -> None:
    (home / "folder").mkdir()
    (home / "file").touch()
    (home / "nothing").symlink_to("/nowhere")
    with pytest.raises(SettingError) as caught:
        resolve(written(home, text), {})
    assert caught.value.key == key
    assert why in str(caught.value)
    line = [line.startswith(key) for line in text.splitlines()].index(True) + 1
    assert caught.value.place == f"{home}/config.toml, line {line}"


def test_a_store_in_memory_cannot_be_configured_in_a_folder(home: Path) -> None:
    with pytest.raises(SettingError, match="set EDDA_BACKEND instead") as caught:
        resolve(written(home, 'backend = "memory"'), {})
    assert caught.value.place == f"{home}/config.toml, line 1"
    (home / CONFIG_FILE).unlink()
    assert resolve(home, {"EDDA_BACKEND": "memory"}).config.backend == "memory"


def test_a_bad_path_of_a_variable_or_a_program_is_named_where_it_was_said(home: Path) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(home, {"EDDA_ROCKSDB_PATH": str(home)})
    assert caught.value.place == "EDDA_ROCKSDB_PATH"
    with pytest.raises(SettingError) as caught:
        resolve(home, {}, StorageConfig(rocksdb_path=home))
    assert caught.value.place == ""


def test_settings_that_do_not_fit_each_other_are_refused_wherever_each_comes_from(home: Path) -> None:
    written(home, 'cache.eviction_policy = "ttl"\n')
    with pytest.raises(SettingError, match=r"set cache\.ttl"):
        resolve(home, {})
    assert resolve(home, {"EDDA_CACHE_TTL": "1 s"}).config.cache_config.eviction_policy is EvictionPolicy.TTL


def test_an_origin_is_told_in_words() -> None:
    assert [str(each) for each in (Origin(), Origin("file", "config.toml", 3), Origin("file", "config.toml"))] == [
        "default", "config.toml, line 3", "config.toml",
    ]  # fmt: skip
    assert len(SETTINGS) > 20
