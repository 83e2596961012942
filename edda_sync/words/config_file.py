"""
``config.toml`` in a store's folder: how it is read, and in which line a setting stands.

The file is a person's. It is read through a symbolic link, since some keep their settings elsewhere, and it is never
written through one. It contains no secrets.
"""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from edda_sync.words import limits
from edda_sync.words.errors import ConfigFileError, SettingError, UnreadableError
from edda_sync.words.files import disk_error, opener
from edda_sync.words.kinds import Location
from edda_sync.words.section import take
from edda_sync.words.settings import SETTINGS, TABLES, no_setting

CONFIG_FILE: Final = "config.toml"
_BEGIN_ANEW: Final = "mend it, or take it away and use `edda config set`"


class Said(NamedTuple):
    """
    What a file says.

    Attributes:
        values: The values of settings, by key; True for a table.
        lines: The line in which each stands, counted from 1. Those that cannot be found are left out.
    """

    values: dict[str, Any]
    lines: dict[str, int]


def read(path: Path) -> str | None:
    """
    Return the text of a ``config.toml``; None if there is none.

    Raises:
        ConfigFileError: It is no file, or no text.
        UnreadableError: It may not be read.
        StorageError: The disk failed.
    """
    try:
        with open(path, "rb", opener=opener) as file:
            raw = file.read(limits.CONFIG_BYTES_MAX + 1)
    except FileNotFoundError:
        if os.path.islink(path):
            why = f"is a link to {os.readlink(path)}, where nothing is"
            raise ConfigFileError(str(path), why, "put the file there, or take the link away") from None
        return None
    except NotADirectoryError:
        return None
    except PermissionError:
        raise UnreadableError(str(path)) from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise ConfigFileError(str(path), "is no ordinary file", "move it away") from None
        raise disk_error(path, error) from None
    if len(raw) > limits.CONFIG_BYTES_MAX:
        why = f"is longer than {limits.CONFIG_BYTES_MAX:,} bytes, the most that is read"
        raise ConfigFileError(str(path), why, "take out what are no settings")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"is not UTF-8 text (byte {error.start:,})"
        raise ConfigFileError(str(path), why, "save it in that encoding") from None


def parse(path: Path, text: str) -> Said:
    """
    Return what the text of a ``config.toml`` says. Relative paths in it are in its folder.

    Raises:
        ConfigFileError: It is no TOML.
        SettingError: It has an unknown key, or a value that is not acceptable.
    """
    said = Said({}, {})
    for key, value in _flat(check_toml(path, text), ""):
        line = line_of(text, key)
        place = f"{path}, line {line}" if line else str(path)
        said.values[key] = _taken(path, key, value, place)
        if line:
            said.lines[key] = line
    return said


def check_toml(path: Path, text: str) -> dict[str, Any]:
    """
    Return what tables and values the text of a ``config.toml`` has, whatever they mean.

    Raises:
        ConfigFileError: It is no TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFileError(str(path), f"is no TOML ({error})", _BEGIN_ANEW) from None


def _flat(table: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """Yield the keys of tables and settings, with their values."""
    for name, value in table.items():
        key = f"{before}{name}"
        yield key, value
        if isinstance(value, dict) and key in TABLES:
            yield from _flat(value, f"{key}.")


def _taken(path: Path, key: str, value: Any, place: str) -> Any:
    if key in TABLES:
        if not isinstance(value, dict):
            raise SettingError(key, f"must be a table: write its settings in lines below [{key}]", value, place)
        return True
    setting = SETTINGS.get(key)
    if setting is None:
        raise no_setting(key, value, place)
    taken = take(key, setting.kind, value, place)
    return _from(path.parent, taken, key, place) if isinstance(setting.kind, Location) else taken


def _from(folder: Path, path: Path, key: str, place: str) -> Path:
    """Return a path of a file in a folder, which does not depend on where the process runs."""
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise SettingError(
            key, f"is {str(path)!r}, and there is no such user; write the whole path", path, place
        ) from None


def line_of(text: str, key: str) -> int | None:
    """
    Return the line of a TOML text in which a key first stands, counted from 1; None if it cannot be found.

    TOML may be written in so many ways that the parser itself is asked: the line is the first with whose end the text above
    has the key.
    """
    lines = text.splitlines(keepends=True)
    name = key.rpartition(".")[2]
    for number in (number for number, line in enumerate(lines) if name in line):
        for end in range(number + 1, min(len(lines), number + _LINES_MAX) + 1):
            try:
                found = tomllib.loads("".join(lines[:end]))
            except tomllib.TOMLDecodeError:  # the value goes on in the next line
                continue
            if _has(found, key):
                return number + 1
            break
    return None


_LINES_MAX: Final = 20  # of one value


def _has(table: Any, key: str) -> bool:
    first, _, rest = key.partition(".")
    if not isinstance(table, dict):
        return False
    if key in table:
        return True
    return first in table and (not rest or _has(table[first], rest))
