"""
Files that only their owner can read: created so under any umask, and repaired if they were not.

A umask removes permissions from those that a program asks for, and never adds any. So files are created with the
permissions that the owner needs, and no others. A file that was unpacked, copied or made by an earlier version may be open
to others, so its permissions are checked when it is opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from edda_sync.words import limits
from edda_sync.words.errors import (
    DiskFaultError,
    DiskFullError,
    InTheWayError,
    LinkError,
    LongPathError,
    ManyFilesError,
    NotPrivateError,
    ReadOnlyError,
    StorageError,
)

PRIVATE: Final = 0o600
_TEMPORARY: Final = ".edda-"  # how the names of files begin that are being written
_ABOUT_TO_BE_LOCKED_S: Final = 60.0
_STRANGE: Final = "a pipe, a socket or a device is there"
_OTHERS: Final = 0o077  # all permissions of the group and of others


def without_links(path: Path, *, is_real_folder: bool = False) -> Path:
    """
    Return a path with all symbolic links resolved.

    Args:
        path: An absolute path.
        is_real_folder: Whether the path of its folder is known to contain no link; then only the last part is looked at.
    """
    if is_real_folder and not os.path.islink(path):
        return path
    real = os.path.realpath(path)
    return path if real == str(path) else Path(real)


def make_file(path: Path) -> None:
    """
    Create an empty file that only its owner can read, durably. An existing file stays as it is.

    Raises:
        LinkError: A symbolic link that points at nothing is in its place.
        StorageError: It cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    except FileExistsError:
        if path.is_symlink() and not path.exists():
            raise LinkError(str(path)) from None
        return
    except OSError as error:
        raise disk_error(path, error) from None
    os.close(descriptor)
    sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """
    Create a folder and its missing parents, each private to its owner, durably.

    Raises:
        OSError: They cannot be created, or something else is in the way.
    """
    if os.path.isdir(path):
        return
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing or [path]):  # one by one: with ``parents``, only the last folder gets the mode
        folder.mkdir(mode=0o700, exist_ok=True)  # raises if a file is in the way
        sync_folder(folder.parent)


def open_file(path: Path | str) -> int:
    """
    Open a file for reading and writing, or create it. Only its owner can read it.

    Returns:
        Its descriptor, which the caller closes.

    Raises:
        LinkError, InTheWayError: A symbolic link, a pipe, a socket or a device is in its place.
        NotPrivateError: Others can read it, and that cannot be changed.
        StorageError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise disk_error(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InTheWayError(str(path), _STRANGE)
        mend_open_file(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def opener(path: str, flags: int) -> int:
    """
    Open an ordinary file, as the ``opener`` of :func:`open`. A pipe that lies in its place would be waited for.

    Raises:
        OSError: It cannot be opened, or is no ordinary file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, a pipe to write to, or a device that is not there
            raise OSError(errno.EINVAL, "it is no ordinary file", path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no ordinary file", path)
    return descriptor


def mend_open_file(path: Path | str, descriptor: int) -> None:
    """Take every permission from others, like :func:`mend_file`, for an open file."""
    mode = os.fstat(descriptor).st_mode
    if mode & _OTHERS:
        try:
            os.fchmod(descriptor, stat.S_IMODE(mode) & ~_OTHERS)
        except OSError:
            raise NotPrivateError(str(path)) from None
        if os.fstat(descriptor).st_mode & _OTHERS:  # some file systems accept the change but do nothing
            raise NotPrivateError(str(path))


def check_length(path: Path) -> None:
    """
    Check that SQLite can open a file at a path, and make the journal beside it.

    Raises:
        LongPathError: The path is too long.

    Source: SQLite's os_unix.c, ``MAX_PATHNAME``, less what sqlite3PagerOpen adds for ``-journal``.
    """
    size = len(os.fsencode(path))
    if size > limits.STORE_PATH_BYTES_MAX:
        raise LongPathError(str(path), f"{size:,} bytes, and SQLite takes at most {limits.STORE_PATH_BYTES_MAX}")


def can_only_be_read(path: Path) -> bool:
    """Tell whether a store's file can be read, but not written, or not its folder, where SQLite makes the journal."""
    if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK):
        return False
    return os.access(path, os.R_OK) and os.path.isfile(path) and os.path.getsize(path) > 0


def mend_file(path: Path | str) -> bool:
    """
    Take every permission on a file from others. The file may be missing.

    The file is not opened for this: a process that closes any descriptor of an SQLite file loses its locks on it.

    Returns:
        Whether there is such a file.

    Raises:
        LinkError, InTheWayError: A symbolic link, a pipe, a socket or a device is in its place.
        NotPrivateError: Others can read it, and that cannot be changed.
        StorageError: It cannot be looked at.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(path, error) from None
    if stat.S_ISLNK(mode):
        raise LinkError(str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InTheWayError(str(path), _STRANGE)
    if mode & _OTHERS:
        try:
            os.chmod(path, stat.S_IMODE(mode) & ~_OTHERS)
            is_private = not os.lstat(path).st_mode & _OTHERS
        except FileNotFoundError:
            return False  # a journal disappears when another process closes the store
        except OSError:
            raise NotPrivateError(str(path)) from None
        if not is_private:
            raise NotPrivateError(str(path))
    return True


def replace_file(path: Path, write: Callable[[IO[bytes]], object], *, keep_mode: bool = False) -> None:
    """
    Write a whole file or nothing, durably: a temporary file beside it takes its place.

    Args:
        path: The file; its folder exists.
        write: Writes the content.
        keep_mode: Whether a replaced file passes on its permissions. Otherwise only the owner can read the new one.

    Raises:
        OSError: It cannot be written, and the former file is still there. The error names the file or folder at fault.
    """
    import tempfile

    try:
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)  # mkstemp makes it private
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path.parent)) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # for :func:`sweep_files`; some file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            write(file)
            if keep_mode:
                with suppress(FileNotFoundError):
                    os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_folder(path.parent)


def sweep_files(folder: Path, now_s: float) -> None:
    """
    Remove what killed processes left of files that :func:`replace_file` was to write in a folder.

    Args:
        folder: The folder; it may be missing.
        now_s: The time, in seconds since 1970. What is younger than a minute stays, for it may be about to be locked.
    """
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if name.startswith(_TEMPORARY):
                _sweep(folder / name, now_s)


def _sweep(path: Path, now_s: float) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # its writer has just put it in its place, or it is none of ours
        return
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_mtime < now_s - _ABOUT_TO_BE_LOCKED_S:
            with suppress(OSError):  # a lock says that its writer lives, however long that takes
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def move_file(path: Path, target: Path) -> None:
    """
    Move a file. To another disk it is copied first, whole or not at all, and only then removed here.

    Raises:
        OSError: It cannot be moved, and is where it was. The error names the file or folder at fault.
    """
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        import shutil

        with path.open("rb") as source:
            replace_file(target, lambda file: shutil.copyfileobj(source, file))
        path.unlink()


def sync_folder(path: Path) -> None:
    """Wait until the names of the files in a folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Let only one process at a time change small files of a folder, in a ``with`` block. Others wait.

    Raises:
        StorageError: The folder cannot be opened, or its file system has no locks.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise disk_error(folder, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise disk_error(folder, error) from None
        yield
    finally:
        os.close(descriptor)


def disk_error(path: Path | str, error: OSError) -> StorageError:
    """Return one of our errors for an error of the operating system about a disk."""
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return ReadOnlyError(str(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(str(path))
    if error.errno == errno.ENAMETOOLONG:
        return LongPathError(str(path), error.strerror or "the name is too long")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ManyFilesError(str(path))
    if error.errno == errno.ELOOP:
        return LinkError(str(path))
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return InTheWayError(str(path), error.strerror or "something else is there")
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return InTheWayError(str(path), _STRANGE)
    return DiskFaultError(str(path), error.strerror or str(error))
