"""How a store is kept, and where: the part of the specification's ``StorageConfig`` that this version has."""

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

    A relative path is one from the folder that is the current one when the configuration is made.

    Attributes:
        backend: ``sqlite``, or ``memory`` for a store that ends with its process.
        database_path: The SQLite file; ``edda.db`` in the store's folder by default.
        state_path: Folder *outside* the store's, where a store's last life is remembered, so that a copied or restored
            store is told from the original; the user's state folder by default.
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
        """Return where the SQLite file of the store in a folder is."""
        return self.database_path or absolute(home) / DATABASE_FILE


def absolute(path: Path | str) -> Path:
    """
    Return a path that means the same for as long as the process lives, whatever its current folder is by then.

    Every path that a caller names goes through here once, when it is taken. ``~`` is the user's home.

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
