"""One setting is changed, and the rest of the file stays as a person wrote it."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.config import StorageBackend
from edda_sync.words.config_edit import editing
from edda_sync.words.config_file import CONFIG_FILE, parse
from edda_sync.words.errors import ConfigFileError, SettingError
from edda_sync.words.settings import SETTINGS
from tests.words.test_settings import changed

COMMENTED = """\
# how Ann keeps her notes
name = "Ann"   # as on the phone

[cache] # measured on the laptop
max_size = "64 MB"

# backups are for later
[backup]
retention.daily = 3
"""


def edit(home: Path, key: str, typed: str | None) -> str:
    with editing(home, key, typed) as prepared:
        prepared.write()
    return (home / CONFIG_FILE).read_text(encoding="utf-8")


def written(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    (home / CONFIG_FILE).write_text(text, encoding="utf-8")
    return home


def test_a_new_file_is_private_and_its_folder_is_made(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    assert edit(home, "cache.max_size", "64 MB") == '[cache]\nmax_size = "64 MB"\n'
    assert stat.S_IMODE((home / CONFIG_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_comments_order_and_spaces_stay(tmp_path: Path) -> None:
    home = written(tmp_path, COMMENTED)
    changes = {"name": ("Bob", '"Ann"', '"Bob"'), "cache.max_size": ("128", '"64 MB"', "128")}
    changes["backup.retention.daily"] = ("5", "= 3", "= 5")
    expected = COMMENTED
    for key, (typed, old, new) in changes.items():
        expected = expected.replace(old, new)
        assert edit(home, key, typed) == expected
    assert edit(home, "cache.max_size", None) == expected.replace("max_size = 128\n", "")


def test_what_is_set_at_the_top_stands_before_the_tables(tmp_path: Path) -> None:
    said = tomllib.loads(edit(written(tmp_path, COMMENTED), "connection_pool_size", "3"))
    assert said["connection_pool_size"] == 3
    assert said["backup"] == {"retention": {"daily": 3}}


def test_a_table_that_becomes_empty_goes_unless_somebody_commented_on_it(tmp_path: Path) -> None:
    home = written(tmp_path, "")
    edit(home, "backup.retention.daily", "3")
    assert edit(home, "backup.retention.daily", None).strip() == ""
    assert "measured on the laptop" in edit(written(tmp_path, COMMENTED), "cache.max_size", None)


@pytest.mark.parametrize("key", SETTINGS)
def test_each_setting_can_be_set_and_taken_out_again(tmp_path: Path, key: str) -> None:
    home = written(tmp_path / "home", "cache.ttl = 5\n" if key == "cache.eviction_policy" else "")
    before = parse(home / CONFIG_FILE, (home / CONFIG_FILE).read_text()).values
    value, kind = StorageBackend.ROCKSDB if key == "backend" else changed(key), SETTINGS[key].kind
    said = parse(home / CONFIG_FILE, edit(home, key, kind.text(value)))
    assert said.values[key] == value
    assert parse(home / CONFIG_FILE, edit(home, key, None)).values == before


@given(st.lists(st.sampled_from([key for key in SETTINGS if key != "cache.eviction_policy"]), min_size=1, max_size=8))
def test_settings_set_in_any_order_are_all_there(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    home = tmp_path_factory.mktemp("home")
    for key in keys:
        value = "rocksdb" if key == "backend" else SETTINGS[key].kind.text(changed(key))
        text = edit(home, key, value)
    assert set(keys) == set(parse(home / CONFIG_FILE, text).values) & set(SETTINGS)


@given(st.sampled_from(["name", "database_path", "encryption.key_file"]), st.text(max_size=20))
def test_any_text_is_read_back_as_it_was_typed_or_refused(
    tmp_path_factory: pytest.TempPathFactory, key: str, typed: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / CONFIG_FILE).write_text(COMMENTED, encoding="utf-8")
    try:
        text = edit(home, key, typed)
    except SettingError:
        assert (home / CONFIG_FILE).read_text(encoding="utf-8") == COMMENTED
    else:
        assert tomllib.loads(text)[key.split(".")[0]] in (typed, {"key_file": typed})


@pytest.mark.parametrize(
    ("key", "typed", "why"),
    [
        ("bakend", "sqlite", "did you mean backend?"),
        ("cache", "1", "has no value of its own; its settings are cache.max_size, cache.ttl, cache.eviction_policy"),
        ("cache.max_size", "many", "is 'many', and must be a size"),
        ("connection_pool_size", "0", "is 0, and must be a whole number from 1 to 64"),
        ("connection_pool_size", "eight", "is 'eight', and must be a whole number"),
        ("cache.eviction_policy", "ttl", "needs a time: set cache.ttl"),
        ("rocksdb_path", ".", "must be a folder of its own"),
        ("database_path", "bytes \udcff.db", "is not text that the file can hold; set EDDA_DATABASE_PATH instead"),
        ("cache.ttl", None, "is not set in config.toml"),
        ("cache.ttk", None, "did you mean cache.ttl?"),
    ],
)
def test_what_is_not_acceptable_is_not_written(tmp_path: Path, key: str, typed: str | None, why: str) -> None:
    home = written(tmp_path / "home", COMMENTED)
    with pytest.raises(SettingError) as caught:
        edit(home, key, typed)
    assert why in str(caught.value)
    assert (home / CONFIG_FILE).read_text() == COMMENTED
    assert os.listdir(home) == [CONFIG_FILE]


def test_nothing_is_made_for_a_value_that_is_not_acceptable(tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        edit(tmp_path / "home", "cache.max_size", "many")
    with pytest.raises(SettingError):
        edit(tmp_path / "home", "cache.max_size", None)
    assert not (tmp_path / "home").exists()


def test_a_file_with_several_mistakes_is_mended_one_by_one(tmp_path: Path) -> None:
    home = written(tmp_path, "bakend = 'sqlite'\nconnection_pool_size = 0\n")
    with editing(home, "bakend", None) as prepared:
        assert "connection_pool_size is 0" in str(prepared.error)
        assert prepared.after is None
        prepared.write()
    with editing(home, "connection_pool_size", "4") as prepared:
        assert prepared.error is None
        assert prepared.after is not None
        prepared.write()
    assert (home / CONFIG_FILE).read_text() == "connection_pool_size = 4\n"


@pytest.mark.parametrize("text", ["backend = ", "[cache\n"])
def test_what_is_no_toml_is_not_touched(tmp_path: Path, text: str) -> None:
    home = written(tmp_path, text)
    with pytest.raises(ConfigFileError, match="is no TOML"):
        edit(home, "name", "Ann")
    assert (home / CONFIG_FILE).read_text() == text


def test_a_form_that_cannot_hold_the_setting_is_left_to_a_person(tmp_path: Path) -> None:
    home = written(tmp_path, "cache = 5\n")
    with pytest.raises(ConfigFileError, match=r"change cache\.max_size there with an editor"):
        edit(home, "cache.max_size", "1 MB")
    assert (home / CONFIG_FILE).read_text() == "cache = 5\n"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept-elsewhere.toml").write_text("name = 'Ann'\n")
    (tmp_path / CONFIG_FILE).symlink_to(tmp_path / "kept-elsewhere.toml")
    with pytest.raises(ConfigFileError, match="edit that file, since nothing is written through links"):
        edit(tmp_path, "name", "Bob")
    assert (tmp_path / "kept-elsewhere.toml").read_text() == "name = 'Ann'\n"


def test_two_commands_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    home = written(tmp_path, "")
    children = []
    for key in ("name", "connection_pool_size", "cache.max_size", "cache.ttl", "backup.retention.daily"):
        child = os.fork()
        if not child:
            edit(home, key, "5")
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
    said = parse(home / CONFIG_FILE, (home / CONFIG_FILE).read_text()).values
    assert len(set(said) & set(SETTINGS)) == len(children)
