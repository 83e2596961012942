"""
Changing one setting in a store's ``config.toml``. Everything else in the file stays as it is, with its comments and order.

The file is written whole or not at all, and only its owner can read it. Two commands that write at the same time do so one
after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from edda_sync.words import config_file
from edda_sync.words.config import StorageConfig
from edda_sync.words.config_file import CONFIG_FILE
from edda_sync.words.errors import ConfigFileError, EddaError, SettingError
from edda_sync.words.files import disk_error, locked, replace_file
from edda_sync.words.folders import make_folder
from edda_sync.words.resolved import combine
from edda_sync.words.section import take
from edda_sync.words.settings import SETTINGS, no_setting


class Edit:
    """
    One change of a store's ``config.toml``. Make it in :func:`editing`, look at :attr:`after`, then call :meth:`write`.

    Attributes:
        path: The file.
        error: Why the file is not acceptable even after the change; None if it is. It was not before either.
        after: What the file says after the change; None if there is an ``error``.
    """

    def __init__(self, path: Path, before: str, after: str) -> None:
        self.path, self._text = path, after
        self.error: EddaError | None = None
        self.after: StorageConfig | None = None
        try:
            self.after = combine(path.parent, after, {}).config
        except EddaError as error:
            if _is_acceptable(path, before):
                raise
            self.error = error

    def write(self) -> None:
        """
        Write the file.

        Raises:
            StorageError: It cannot be written, and is as it was.
        """
        try:
            replace_file(self.path, lambda file: file.write(self._text.encode()))
        except OSError as error:
            raise disk_error(self.path, error) from None


@contextmanager
def editing(home: Path, key: str, typed: str | None) -> Iterator[Edit]:
    """
    Prepare the change of one setting, while no other command may change any.

    Args:
        home: The store's folder, as an absolute path; it is created if it is missing and something is set.
        key: The setting. A key that is none may be taken out of the file.
        typed: The value as a person typed it; None takes the setting out of the file.

    Raises:
        SettingError: There is no such setting, or the value is not acceptable, or it does not fit what else is set.
        ConfigFileError: The file cannot be read, or is a link.
        StorageError: The folder cannot be made.
    """
    if typed is not None:
        _check(key, typed)
        make_folder(home)
    path = home / CONFIG_FILE
    with _alone(home):
        text = config_file.read(path) or ""
        if path.is_symlink():
            why = f"is a link to {os.readlink(path)}"
            raise ConfigFileError(str(path), why, "edit that file, since nothing is written through links")
        yield Edit(path, text, _changed(path, text, key, typed))


def _check(key: str, typed: str) -> None:
    if key not in SETTINGS:
        raise no_setting(key, typed)
    take(key, SETTINGS[key].kind, SETTINGS[key].kind.parse(typed))
    try:
        typed.encode()
    except UnicodeEncodeError:  # Python reads a name of other bytes so
        advice = f"set {SETTINGS[key].variable} instead"
        raise SettingError(key, f"is {typed!a}, and is not text that the file can hold; {advice}", typed) from None


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with locked(home) if home.exists() else nullcontext():  # without the folder, there is nothing to take out
        yield


def _is_acceptable(path: Path, text: str) -> bool:
    try:
        combine(path.parent, text, {})
    except EddaError:
        return False
    return True


def _changed(path: Path, text: str, key: str, typed: str | None) -> str:
    """Return the text of a file with one setting changed."""
    config_file.check_toml(path, text)
    *tables, name = key.split(".")
    try:
        document = tomlkit.parse(text)
        if typed is None:
            _take_out(document, tables, name, key)
        else:
            _put(document, tables, name, SETTINGS[key].kind.parse(typed))
        changed = tomlkit.dumps(document)
        config_file.check_toml(path, changed)
    except (TOMLKitError, ConfigFileError, TypeError) as error:  # it is TOML, but in a form that cannot be changed so
        advice = f"change {key} there with an editor"
        raise ConfigFileError(str(path), f"has a form that cannot be changed ({error})", advice) from None
    return changed


def _put(document: Any, tables: list[str], name: str, value: Any) -> None:
    for number, table in enumerate(tables):
        if table not in document:
            document[table] = tomlkit.table(is_super_table=number + 1 < len(tables))
        document = document[table]
    document[name] = value


def _take_out(document: Any, tables: list[str], name: str, key: str) -> None:
    found = [document]
    for table in tables:
        inner = found[-1].get(table)
        if not isinstance(inner, dict):
            break
        found.append(inner)
    if len(found) <= len(tables) or name not in found[-1]:
        if key not in SETTINGS:
            raise no_setting(key, None)
        raise SettingError(key, f"is not set in {CONFIG_FILE}, and has nothing to be taken out")
    del found[-1][name]
    for table, outer, inner in zip(reversed(tables), reversed(found[:-1]), reversed(found[1:]), strict=True):
        if inner or "#" in inner.as_string():  # a person's comments stay
            break
        del outer[table]
