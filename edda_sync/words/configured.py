"""
The configuration of a store: what its ``config.toml``, the environment and the program say together, later ones winning.

A store without settings is usual, so this module finds out that there are none, with one look at the disk, and loads the
table of settings only if there may be some.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edda_sync.words import arguments
from edda_sync.words.config import PATHS, StorageConfig

if TYPE_CHECKING:
    from edda_sync.words.resolved import Resolved

_FILE: Final = "config.toml"
_PREFIX: Final = "EDDA_"
_READ_ELSEWHERE: Final = frozenset(
    (
        "EDDA_HOME",
        "EDDA_AGENT",
        "EDDA_REASON",
        "EDDA_KEYRING",
        "EDDA_STATE",
        "EDDA_PASSPHRASE_FILE",
        "EDDA_NEW_PASSPHRASE_FILE",
        "EDDA_KEY_FILE",
    )
)


def configured(home: Path, config: StorageConfig | None = None) -> StorageConfig:
    """
    Return the configuration of the store in a folder. Pass it to ``StorageEngine.open_store``.

    Each setting is what the program says, otherwise what its variable says, otherwise what ``config.toml`` says, otherwise
    its default.

    Args:
        home: The folder, as an absolute path.
        config: What the program says.

    Raises:
        SettingError: A value is not acceptable, or a key of the file is unknown.
        ConfigFileError, UnreadableError: The file cannot be read.
    """
    if config is not None:
        arguments.of_type("config", config, StorageConfig, "an edda.StorageConfig")
    if has_settings(home):
        return resolved(home, config).config
    if config is not None and not config.given.isdisjoint(PATHS):  # those have to fit each other
        from edda_sync.words.resolved import check_paths

        check_paths(home, config)
    return config or StorageConfig()


def resolved(
    home: Path, config: StorageConfig | None = None, *, environment: Mapping[str, str] = os.environ
) -> Resolved:
    """Return the same, with where each value comes from. See :func:`configured`."""
    from edda_sync.words.resolved import resolve

    return resolve(home, environment, config)


def has_settings(home: Path) -> bool:
    """Tell whether there may be settings: a file, even one that cannot be read, or variables."""
    # Every opening does this: all names at once are looked through in half the time.
    if _PREFIX in "\0".join(os.environ) and any(
        name.startswith(_PREFIX) and name not in _READ_ELSEWHERE for name in os.environ
    ):
        return True
    try:
        os.lstat(f"{home}/{_FILE}")
    except OSError:  # there is none, or the folder cannot be used, which the store itself reports
        return False
    return True
