"""``config.toml`` is a person's file: whatever lies in its place, the error says what to do, and nothing is opened."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import limits
from edda_sync.words.config_file import CONFIG_FILE, line_of, parse, read
from edda_sync.words.errors import ConfigFileError, LinkError, SettingError, StorageError

FILE = Path("/store") / CONFIG_FILE


def test_a_file_says_settings_in_any_form_of_toml() -> None:
    text = 'backend = "sqlite" # the default\n\n[cache]\nmax_size = "64 MB"\nttl = """\\\n  30 s"""\n'
    said = parse(FILE, f"{text}[backup]\nretention.daily = 3\n")
    assert said.values == {
        "backend": "sqlite", "cache": True, "cache.max_size": 64_000_000, "cache.ttl": timedelta(seconds=30),
        "backup": True, "backup.retention": True, "backup.retention.daily": 3,
    }  # fmt: skip
    assert said.lines == {
        "backend": 1, "cache": 3, "cache.max_size": 4, "cache.ttl": 5, "backup": 7, "backup.retention": 8,
        "backup.retention.daily": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "line", "why"),
    [
        ("bakend = 'sqlite'", "bakend", 1, "is no setting; did you mean backend?"),
        ("\n[cache]\nmax_sise = 1", "cache.max_sise", 3, "is no setting; did you mean cache.max_size?"),
        ("[cahce]\nmax_size = 1", "cahce", 1, "is no setting; did you mean cache?"),
        ("[zzz]", "zzz", 1, "is no setting; `edda config show` lists those that exist."),
        ("max_size = 1", "max_size", 1, "did you mean cache.max_size?"),
        ("cache = 5", "cache", 1, "must be a table: write its settings in lines below [cache]."),
        ("backend = 5", "backend", 1, "is 5, and must be sqlite, rocksdb or memory."),
        ("[backend]\na = 1", "backend", 1, "must be sqlite, rocksdb or memory."),
        ("backend = 'rocksbd'", "backend", 1, "is 'rocksbd', and must be sqlite, rocksdb or memory; did you mean rocksdb?"),
        ("connection_pool_size = 0", "connection_pool_size", 1, "is 0, and must be a whole number from 1 to 64."),
        ("connection_pool_size = '8'", "connection_pool_size", 1, "is '8', and must be a whole number"),
        ("connection_pool_size = 8.0", "connection_pool_size", 1, "is 8.0, and must be a whole number"),
        ("cache.compression = 1", "cache.compression", 1, "is 1, and must be true or false."),
        ("cache.max_size = -1", "cache.max_size", 1, "is -1, and must be a size from 0 bytes to 1 TiB"),
        ("cache.ttl = 1979-05-27", "cache.ttl", 1, "must be a duration"),
        ("cache.ttl = nan", "cache.ttl", 1, "is nan, and must be a duration"),
        ("cache.ttl = [1]", "cache.ttl", 1, "is [1], and must be a duration"),
        ("database_path = ''", "database_path", 1, "is '', and must be a path."),
        ("database_path = 'a\\u0000b'".replace("'", '"'), "database_path", 1, "must be a path."),
        ("database_path = '~nobody-of-this-name/x'", "database_path", 1, "there is no such user"),
        ("name = ''", "name", 1, "must be one line of text (it is empty"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named_with_line_value_and_what_would_be_right(
    text: str, key: str, line: int, why: str
) -> None:
    with pytest.raises(SettingError) as caught:
        parse(FILE, text)
    said = str(caught.value)
    assert (caught.value.key, caught.value.place) == (key, f"{FILE}, line {line}")
    assert said.startswith(f"{FILE}, line {line}: {key} ")
    assert why in said
    assert "\n" not in said


def test_a_key_with_escapes_is_named_without_a_line() -> None:
    with pytest.raises(SettingError) as caught:
        parse(FILE, '"b\\u0061kend" = 1')
    assert (caught.value.key, caught.value.place) == ("bakend", str(FILE))


def test_the_first_of_two_equal_names_is_not_taken_for_the_second() -> None:
    text = "backup.compression = true\n# cache.compression\n[cache]\ncompression = true\n"
    assert (line_of(text, "cache.compression"), line_of(text, "backup.compression")) == (4, 1)
    assert line_of(text, "backup.retention.daily") is None


@pytest.mark.parametrize(
    "text",
    [
        "backend",
        "backend = ",
        "backend = sqlite",
        "[cache\n",
        "a = 1\na = 2",
        "\0",
        "{}",
        "backend: sqlite\n",
        "[" * 5_000,
        "a" + ".a" * 9_000 + " = 1",
    ],
    ids=range(10),
)
def test_what_is_no_toml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises((ConfigFileError, SettingError)) as caught:
        parse(FILE, text)
    assert str(caught.value).isprintable()


@given(st.text(max_size=80))
def test_any_text_is_settings_or_one_of_our_errors(text: str) -> None:
    with suppress(ConfigFileError, SettingError):
        said = parse(FILE, text)
        assert set(said.lines) <= set(said.values)


# --- what lies in its place -------------------------------------------------------------------------------------------


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endpoint(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:  # its name must be short
        made.bind(path.name)


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere.toml")


def loop(path: Path) -> None:
    path.symlink_to(path)


def utf16(path: Path) -> None:
    path.write_text('backend = "sqlite"', encoding="utf-16")


def latin(path: Path) -> None:
    path.write_bytes('name = "Zoë"'.encode("latin-1"))


def long(path: Path) -> None:
    path.write_bytes(b"#" * (limits.CONFIG_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (folder, "is no ordinary file; nothing was opened or changed: move it away."),
        (endpoint, "is no ordinary file; nothing was opened or changed: move it away."),
        (pipe, "is no ordinary file; nothing was opened or changed: move it away."),
        (dangling, "where nothing is; nothing was opened or changed: put the file there, or take the link away."),
        (utf16, "is not UTF-8 text (byte 0); nothing was opened or changed: save it in that encoding."),
        (latin, "is not UTF-8 text (byte 10); nothing was opened or changed: save it in that encoding."),
        (long, "is longer than 65,536 bytes, the most that is read;"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_what_is_no_readable_file_is_refused(tmp_path: Path, make: Callable[[Path], None], advice: str) -> None:
    make(tmp_path / CONFIG_FILE)
    with pytest.raises(ConfigFileError) as caught:
        read(tmp_path / CONFIG_FILE)
    assert advice in str(caught.value)


def test_a_link_that_leads_to_itself_is_a_link_error(tmp_path: Path) -> None:
    loop(tmp_path / CONFIG_FILE)
    with pytest.raises(LinkError):
        read(tmp_path / CONFIG_FILE)


def test_a_disk_that_fails_is_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="File name too long"):
        read(tmp_path / ("x" * 300))


def test_a_missing_file_says_nothing_and_a_link_is_followed(tmp_path: Path) -> None:
    path = tmp_path / CONFIG_FILE
    assert read(path) is None
    assert read(tmp_path / "file" / CONFIG_FILE) is None
    (tmp_path / "kept-elsewhere.toml").write_text("\ufeff# a mark of some editors\n", encoding="utf-8")
    path.symlink_to(tmp_path / "kept-elsewhere.toml")
    assert read(path) == "# a mark of some editors\n"
