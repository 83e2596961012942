"""How the sources of a store's settings combine, and where each value comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from edda_sync.words import config_file
from edda_sync.words.config import StorageBackend, StorageConfig, absolute
from edda_sync.words.config_file import CONFIG_FILE
from edda_sync.words.errors import SettingError
from edda_sync.words.kinds import Location
from edda_sync.words.section import take
from edda_sync.words.settings import OTHER_VARIABLES, PREFIX, SETTINGS, VARIABLES, build, given

DEFAULT: Final = "default"
_OURS: Final = frozenset((CONFIG_FILE, "identity.json", "identity.key", "run"))  # names in a store's folder


class Origin(NamedTuple):
    """
    Where a value comes from.

    Attributes:
        kind: ``default``, ``file``, ``variable`` or ``argument``.
        name: The file or variable; empty for others.
        line: The line of the file; None if it is not known.
    """

    kind: str = DEFAULT
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{self.name}, line {self.line}" if self.line else self.name
        return self.name or self.kind

    def place(self, home: Path) -> str:
        """Return where it is, for an error about the store in a folder; empty for what nobody can look up."""
        return {"file": f"{home}/{self}", "variable": self.name}.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    The configuration of a store.

    Attributes:
        config: The configuration.
        origins: Where the values come from that are no defaults, by key.
        unknown: Variables that begin like ours and are none of ours.
    """

    config: StorageConfig
    origins: Mapping[str, Origin]
    unknown: tuple[str, ...]


def resolve(home: Path, environment: Mapping[str, str], config: StorageConfig | None = None) -> Resolved:
    """
    Combine the settings of a store's ``config.toml``, the environment and the program; later ones win. See ``configured``.

    Args:
        home: The store's folder, as an absolute path.
        environment: The variables. An empty one counts as not set.
        config: What the program says.

    Raises:
        SettingError: A value is not acceptable, or a key of the file is unknown.
        ConfigFileError, UnreadableError: The file cannot be read.
    """
    return combine(home, config_file.read(home / CONFIG_FILE), environment, config)


def combine(
    home: Path, text: str | None, environment: Mapping[str, str], config: StorageConfig | None = None
) -> Resolved:
    """Combine settings like :func:`resolve`, given the text of the file; None if there is no file."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    path = home / CONFIG_FILE
    if text is not None:
        said = config_file.parse(path, text)
        values |= said.values
        origins |= {key: Origin("file", CONFIG_FILE, said.lines.get(key)) for key in said.values}
        if values.get("backend") == StorageBackend.MEMORY:
            raise SettingError(
                "backend",
                'is "memory", and such a store has no folder to be configured in: set EDDA_BACKEND instead',
                "memory",
                origins["backend"].place(home),
            )
    for name, setting in VARIABLES.items():
        if typed := environment.get(name):
            taken = take(setting.key, setting.kind, setting.kind.parse(typed), name)
            values[setting.key] = absolute(taken) if isinstance(setting.kind, Location) else taken
            origins[setting.key] = Origin("variable", name)
    if config is not None:
        told = dict(given(config))
        values |= told
        origins |= dict.fromkeys(told, Origin("argument"))
    made = build(values)
    check_paths(home, made, origins)
    unknown = sorted({name for name in environment if name.startswith(PREFIX)} - set(VARIABLES) - set(OTHER_VARIABLES))
    origins = {key: origin for key, origin in origins.items() if key in SETTINGS}
    return Resolved(made, origins, tuple(unknown))


def check_paths(home: Path, config: StorageConfig, origins: Mapping[str, Origin] | None = None) -> None:
    """
    Check that each part of a store can be where it is to be, and that no two would be in each other's way.

    Args:
        home: The store's folder, as an absolute path.
        config: Its configuration.
        origins: Where the paths come from that are no defaults, by key; by default the program has said them.

    Raises:
        SettingError: A path could not be honoured; the error says why.
    """
    if origins is None:
        origins = dict.fromkeys(config.given, Origin("argument"))

    def refused(key: str, path: Path, why: str) -> SettingError:
        place = origins.get(key, Origin()).place(home)
        return SettingError(key, f"is {str(path)!r}, and {why}; choose another one", path, place)

    if config.state_path is not None and _is_in(config.state_path, home):
        why = "must be outside the store's folder: a copy of the folder could not be told from the original"
        raise refused("state_path", config.state_path, why)
    if config.database_path is config.rocksdb_path is config.file_storage_path is None:
        return  # by default nothing is in the way of anything
    for key in ("database_path", "rocksdb_path", "file_storage_path"):
        path: Path | None = getattr(config, key)
        if path is not None and (why := _is_in_the_way(path, is_folder=key != "database_path")):
            raise refused(key, path, why)
    folders = {"rocksdb_path": config.rocksdb(home), "file_storage_path": config.files(home)}
    places = {"database_path": config.database(home), **folders, "the store's folder": home}
    for key, folder in folders.items():
        for other, place in places.items():
            if other != key and _is_in(place, folder):
                if other in origins and key not in origins:  # that one is at fault, and not a default
                    raise refused(other, place, f"would lie in {key} ({folder}), which must be a folder of its own")
                what = f"{other} ({place})" if other in SETTINGS else other
                raise refused(key, folder, f"must be a folder of its own, and would contain {what}")
    database = config.database(home)
    if database.name in _OURS and database.parent == home:
        raise refused("database_path", database, "is the name of another file of the store")


def _is_in(path: Path, folder: Path) -> bool:
    inner, outer = os.path.normpath(path), os.path.normpath(folder)
    return inner == outer or inner.startswith(os.path.join(outer, ""))


def _is_in_the_way(path: Path, *, is_folder: bool) -> str:
    """Return what is on the disk where a file or folder of a store is to be, in words; empty if nothing hinders it."""
    found = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if found != path:
        return "" if found.is_dir() else f"would lie in {found}, which is no folder"
    if found.is_dir() == is_folder:
        return ""
    return "is no folder" if is_folder else "is a folder, and must be a file"
