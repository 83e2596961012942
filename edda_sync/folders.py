"""Where things lie on disk: a store's own folder, and the one outside of it where its last life is remembered."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edda_sync.config import StorageConfig
from edda_sync.errors import DiskFaultError, DiskFullError, NotAStoreError, ReadOnlyError, StorageError


def make_folder(path: Path) -> None:
    """Make a store's folder, for its owner only; it is on disk when this returns, before anything in it is acknowledged."""
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in made:
            _sync_folder(folder.parent)
    except (FileExistsError, NotADirectoryError):
        raise NotAStoreError(str(path)) from None
    except OSError as error:
        raise disk_error(path, error) from None


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def disk_error(path: Path, error: OSError) -> StorageError:
    """Return what an error of the operating system says of a disk, as one of ours."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return ReadOnlyError(str(path))
    if error.errno == errno.ENOSPC:
        return DiskFullError(str(path))
    return DiskFaultError(str(path), str(error))


def state_folder(config: StorageConfig) -> Path:
    """Return the folder of sidecars: outside of any store's."""
    if config.state_path is not None:
        return config.state_path
    if named := os.environ.get("EDDA_STATE"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_state_dir("edda")) / "lives"
