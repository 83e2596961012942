"""The table of settings is made from the fields of the configuration, and a configuration is made from it."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edda_sync.words.config import CacheConfig, EncryptionConfig, KeyRotationPolicy, StorageConfig
from edda_sync.words.kinds import Choice, Duration, Flag, Interval, Kind, Line, Location, Size
from edda_sync.words.settings import OTHER_VARIABLES, SETTINGS, TABLES, VARIABLES, build, given, nearest

SPECIFIED = {
    "backend", "database_path", "rocksdb_path", "file_storage_path", "connection_pool_size", "cache.max_size", "cache.ttl",
    "cache.eviction_policy", "cache.compression", "backup.frequency", "backup.compression", "encryption.algorithm",
    "encryption.kdf",
}  # fmt: skip
"""What the specification names, in words of this table."""


def other(kind: Kind) -> Any:
    """Return an acceptable value that is no default."""
    if isinstance(kind, Flag):
        return None  # one of two: the caller takes the other one
    if isinstance(kind, Interval | Duration):
        return timedelta(hours=5)
    if isinstance(kind, Choice):
        return list(kind.of)[-1]
    if isinstance(kind, Location):
        return Path("/somewhere/else")
    if isinstance(kind, Line):
        return "a name"
    return 5 * 2**20 if isinstance(kind, Size) else 11


def changed(key: str) -> Any:
    """Return another value for a setting; for a path, one that is in no other's way."""
    found = other(SETTINGS[key].kind)
    if isinstance(found, Path):
        return found / key
    return (not SETTINGS[key].default) if found is None else found


def test_the_table_has_every_setting_of_the_specification() -> None:
    assert set(SETTINGS) >= SPECIFIED
    assert {key.partition(".")[0] for key in SETTINGS} >= {"encryption", "backup", "cache"}


def test_variables_follow_one_scheme_except_an_older_one() -> None:
    assert SETTINGS["backup.retention.keep_last"].variable == "EDDA_BACKUP_RETENTION_KEEP_LAST"
    assert {each.variable for each in SETTINGS.values()} - {
        f"EDDA_{key.replace('.', '_').upper()}" for key in SETTINGS
    } == {"EDDA_STATE"}
    assert len(VARIABLES) == len(SETTINGS)
    assert set(VARIABLES) & set(OTHER_VARIABLES) == {"EDDA_STATE"}


def test_the_tables_are_those_of_the_keys() -> None:
    assert {key.rpartition(".")[0] for key in SETTINGS} - {""} <= TABLES
    assert not TABLES & set(SETTINGS)


@pytest.mark.parametrize("key", SETTINGS)
def test_each_setting_reaches_the_field_that_it_names(key: str) -> None:
    setting, value = SETTINGS[key], changed(key)
    told = {key: value} | ({"cache.ttl": timedelta(seconds=1)} if value == "ttl" else {})
    config = build(told)
    assert setting.value(config) == value != setting.value(StorageConfig())
    assert setting.value(StorageConfig()) == (None if key.rpartition("encryption.")[1] else setting.default)
    assert {name: each for name, each in given(config) if name in SETTINGS} == told


@pytest.mark.parametrize("key", SETTINGS)
def test_a_default_is_acceptable_itself(key: str) -> None:
    setting = SETTINGS[key]
    if setting.default is not None:
        assert setting.kind.take(setting.kind.parse(setting.kind.text(setting.default))) == setting.default


def test_a_section_that_is_wanted_is_made_even_if_nothing_is_said_in_it() -> None:
    assert build({}).encryption_config is None
    assert build({"encryption": True}).encryption_config == EncryptionConfig()
    told = StorageConfig(encryption_config=EncryptionConfig())
    assert build(dict(given(told))) == told


def test_a_configuration_survives_copies_with_what_was_given() -> None:
    rotation = KeyRotationPolicy(max_age=timedelta(days=90))
    made = StorageConfig(name="laptop", encryption_config=EncryptionConfig(key_rotation=rotation))
    for each in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), build(dict(given(made)))):
        assert each == made
        assert hash(each) == hash(made)
        assert dict(given(each)) == dict(given(made))


def test_a_changed_configuration_has_the_rest_as_before() -> None:
    made = StorageConfig(name="laptop", cache_config=CacheConfig(max_size=1))
    assert made.changed(name="phone") == StorageConfig(name="phone", cache_config=CacheConfig(max_size=1))
    assert made.changed(cache_config=None).given == {"name"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bakend", "backend"), ("max_size", "cache.max_size"), ("Backend", "backend"), ("cache.size", "cache.max_size"),
        ("databasepath", "database_path"), ("cahce.max", "cache.max_size"), ("zzz", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_mistyped_key_has_a_nearest_one(name: str, meant: str) -> None:
    assert nearest(name) == meant


def test_a_mistyped_variable_has_a_nearest_one() -> None:
    assert nearest("EDDA_BAKEND", VARIABLES) == "EDDA_BACKEND"
    assert nearest("EDDA_CACHE_SIZE", VARIABLES) == "EDDA_CACHE_MAX_SIZE"
