"""How and where a store is kept: the fields of the specification's ``StorageConfig`` that this version has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edda_sync.words.errors import UsageError

DATABASE_FILE: Final = "edda.db"
"""The name of the SQLite file in a store's folder, unless a configuration says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """
    Configuration of a :class:`~edda_sync.engine.engine.StorageEngine`.

    A relative path is resolved when the configuration is made, from the current folder of that moment.

    Attributes:
        backend: ``sqlite``, or ``memory`` for a store that ends with its process.
        database_path: The SQLite file; ``edda.db`` in the store's folder by default.
        state_path: A folder *outside* the store's folder. It remembers the store's last life, so that a copied or restored
            store can be told from the original. By default it is the user's state folder.
        name: What people call this device; its host name by default.
    """

    backend: Literal["sqlite", "memory"] = "sqlite"
    database_path: Path | None = None
    state_path: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        for field in ("database_path", "state_path"):
            path = getattr(self, field)
            if path is not None:
                object.__setattr__(self, field, absolute(path))  # the class is frozen

    def database(self, home: Path) -> Path:
        """Return the path of the SQLite file of the store in a folder."""
        return self.database_path or absolute(home) / DATABASE_FILE


def absolute(path: Path | str) -> Path:
    """
    Return a path that keeps its meaning when the current folder of the process changes.

    Every path from a caller is passed through this function once, when it is received. ``~`` is the user's home.

    Raises:
        UsageError: There is no current folder, or no such user.
    """
    if not isinstance(path, Path):
        path = Path(path)
    if path.is_absolute():
        return path
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be found from here ({error}); name it from the root on.") from None
