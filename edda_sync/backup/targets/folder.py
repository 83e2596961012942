"""
A folder as a target: on another disk, on a drive that may be away, or on a share of the network.

A drive that is away leaves an empty folder where it is mounted, and what is written there lies on the wrong disk. So a
target's folder has a file, ``edda-target``, with the target's id: without it nothing is read, written or made there. It
is looked at in each call, through the same open folder that is then used, so a drive may come and go at any moment.

An object is a file of the same path. It is written under another name in ``.edda-writing``, synced, renamed, and its
folder is synced. What a killed writer left there is removed a day later, by the clock of that disk. No link is followed
below the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edda_sync.backup.target import Listed, check_key, check_prefix, check_size, is_key
from edda_sync.backup.targets.explaining import Trouble, of_disk, too_large
from edda_sync.words.errors import NoObjectError, TargetError
from edda_sync.words.files import PRIVATE, make_folders
from edda_sync.words.limits import LEFTOVER_S, OBJECT_BYTES_MAX, TARGET_PIECE_BYTES

MARKER: Final = "edda-target"
WRITING: Final = ".edda-writing"
_FIRST: Final = "edda-target 1 "
_TEXT: Final = "{first}{id}\nBackups of edda lie in this folder. Without this file, edda writes nothing here.\n"
_MARKER_BYTES_MAX: Final = 1_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_UNSYNCED: Final = (errno.EINVAL, errno.ENOTSUP)  # some network file systems cannot sync a folder


class FolderTarget:
    """
    A folder as a target; see :class:`~edda_sync.backup.target.Target`. :func:`mark` makes a folder one.

    Args:
        name: What people call it.
        path: The folder, absolute.
        id: What its marker says; None if it needs none, and is made when it is missing.
    """

    def __init__(self, name: str, path: Path, id: str | None) -> None:  # noqa: A002 - its name everywhere
        self._name, self._path, self._id = name, path, id
        self._is_swept = False

    @property
    def name(self) -> str:
        """What people call it."""
        return self._name

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def check(self) -> None:
        """Raise TargetError if the folder is not here now."""
        with self._root():
            pass

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whole or not at all, durably."""
        *folders, file = check_key(key).split("/")
        check_size(len(data))
        with self._root(make=True) as root, _inner(root, [WRITING]) as writing:
            temporary = secrets.token_hex(16)
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE, dir_fd=writing
            )
            try:
                with os.fdopen(descriptor, "wb", buffering=0) as opened:
                    if not self._is_swept:
                        self._sweep(writing, os.fstat(descriptor).st_mtime)
                    _write(descriptor, data)
                    os.fsync(opened.fileno())
                with _inner(root, folders) as folder:
                    os.rename(temporary, file, src_dir_fd=writing, dst_dir_fd=folder)
                    _sync(folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=writing)
                raise

    def get(self, key: str) -> bytes:
        """Return an object."""
        return b"".join(self.pieces(key))

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield an object in pieces."""
        *folders, file = check_key(key).split("/")
        if self._is_unmade():
            raise NoObjectError(self._name, key)
        with self._root() as root:
            try:
                with _inner(root, folders, make=False) as folder:
                    descriptor = os.open(
                        file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
                    )
            except FileNotFoundError:
                raise NoObjectError(self._name, key) from None
            with os.fdopen(descriptor, "rb", buffering=0) as opened:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise NoObjectError(self._name, key)
                if status.st_size > OBJECT_BYTES_MAX:
                    raise too_large(key)
                while piece := opened.read(TARGET_PIECE_BYTES):
                    yield piece

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in order of their keys."""
        folders = check_prefix(prefix).removesuffix("/").split("/")
        if self._is_unmade():
            return
        with self._root() as root:
            try:
                with _inner(root, folders, make=False) as folder:
                    yield from _listed(folder, prefix, after)
            except FileNotFoundError:
                return

    def delete(self, key: str) -> None:
        """Delete an object."""
        *folders, file = check_key(key).split("/")
        if self._is_unmade():
            return
        with self._root() as root, contextlib.suppress(FileNotFoundError), _inner(root, folders, make=False) as folder:
            os.unlink(file, dir_fd=folder)
            _sync(folder)

    def keeps(self, key: str) -> Mapping[str, bool]:  # noqa: ARG002 - as other targets
        """Return nothing: nobody asks a folder for conditions."""
        return {}

    @contextmanager
    def _root(self, *, make: bool = False) -> Iterator[int]:
        """Open the folder, if it is the right one, and let errors inside the block be ours."""
        try:
            if self._id is None and make:
                make_folders(self._path)
            root = os.open(self._path, _FOLDER)
        except FileNotFoundError:
            raise _AWAY.of(self._name) from None
        except OSError as error:
            raise of_disk(error).of(self._name) from None
        try:
            if self._id is not None:
                self._check_marker(root)
            yield root
        except OSError as error:
            raise of_disk(error).of(self._name) from None
        finally:
            os.close(root)

    def _is_unmade(self) -> bool:
        return self._id is None and not os.path.lexists(self._path)

    def _check_marker(self, root: int) -> None:
        marked = read_marker(root)
        if marked is None:
            raise _EMPTY.of(self._name)
        if marked != self._id:
            raise _OTHER.of(self._name)

    def _sweep(self, writing: int, now_s: float) -> None:
        """Remove what killed writers left, as seen by the clock of that disk."""
        self._is_swept = True
        for name in os.listdir(writing):
            with contextlib.suppress(FileNotFoundError):
                if os.stat(name, dir_fd=writing, follow_symlinks=False).st_mtime < now_s - LEFTOVER_S:
                    os.unlink(name, dir_fd=writing)


_AWAY: Final = Trouble("its folder is not here", "connect the drive, or mount it")
_EMPTY: Final = Trouble(
    f"its folder is here without the file {MARKER}, as if its drive were away; nothing was written there",
    "connect the drive, or mount it",
)
_OTHER: Final = Trouble("another target lies in its folder; nothing was written there", "connect the right drive")


def found(name: str, path: Path) -> FolderTarget:
    """
    Return the target that lies in a folder, whatever its id; also a copy of one, which has no marker.

    Raises:
        TargetError: The folder is not here, or cannot be read.
    """
    try:
        root = os.open(path, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        raise _AWAY.of(name) from None
    except OSError as error:
        raise of_disk(error).of(name) from None
    try:
        return FolderTarget(name, path, read_marker(root))
    finally:
        os.close(root)


def mark(name: str, path: Path) -> str:
    """
    Make a folder a target. One that is a target already stays the same one, so that several devices can use it.

    Args:
        name: What the target is called, for errors.
        path: The folder; it is made if only itself is missing.

    Returns:
        The id that its marker says.

    Raises:
        TargetError: The folder cannot be made or written.
    """
    try:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            _sync_path(path.parent)
        root = os.open(path, _FOLDER)
        try:
            return read_marker(root) or _write_marker(root)
        finally:
            os.close(root)
    except FileNotFoundError:
        raise TargetError(name, f"there is no folder {path.parent}", "connect the drive, or make the folder") from None
    except FileExistsError:
        raise TargetError(name, f"{path} is no folder", "name a folder") from None
    except OSError as error:
        raise of_disk(error).of(name) from None


def read_marker(root: int) -> str | None:
    """Return the id in the marker of an open folder; None if there is none, or one that cannot be read as such."""
    try:
        descriptor = os.open(MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=root)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        first = file.read(_MARKER_BYTES_MAX).decode("ascii", "replace").partition("\n")[0]
    id_ = first.removeprefix(_FIRST)
    return id_ if first.startswith(_FIRST) and len(id_) == 32 and not id_.strip("0123456789abcdef") else None


def _write_marker(root: int) -> str:
    """Write a marker with a new id, and return the id that is there: another device may write one at the same moment."""
    made, temporary = secrets.token_hex(16), f"{MARKER}-{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE, dir_fd=root)
    try:
        with os.fdopen(descriptor, "wb", buffering=0):
            _write(descriptor, _TEXT.format(first=_FIRST, id=made).encode())
            os.fsync(descriptor)
        try:
            os.link(temporary, MARKER, src_dir_fd=root, dst_dir_fd=root)  # of two devices, one is first
        except FileExistsError:
            if read_marker(root) is None:  # it is damaged
                os.replace(temporary, MARKER, src_dir_fd=root, dst_dir_fd=root)
        except OSError:  # file systems of most drives have no hard links
            os.replace(temporary, MARKER, src_dir_fd=root, dst_dir_fd=root)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=root)
    _sync(root)
    return read_marker(root) or made


@contextmanager
def _inner(root: int, folders: list[str], *, make: bool = True) -> Iterator[int]:
    """Open a folder below another one, part by part, so that no link is followed."""
    current = os.dup(root)
    try:
        for name in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=current)
                    _sync(current)
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = inner
        yield current
    finally:
        os.close(current)


def _listed(folder: int, prefix: str, after: str) -> Iterator[Listed]:
    """Yield the objects in an open folder. A folder sorts as its name with the ``/`` behind it, as its keys do."""
    with os.scandir(folder) as entered:
        entries = sorted(
            (f"{each.name}/" if each.is_dir(follow_symlinks=False) else each.name, each.is_file(follow_symlinks=False))
            for each in entered
        )
    for name, is_file in entries:
        key = prefix + name
        if not is_key(key.removesuffix("/")):
            continue
        if is_file:
            if key > after:
                with contextlib.suppress(FileNotFoundError):  # it was deleted meanwhile
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    yield Listed(key, status.st_size, status.st_mtime)
        elif name.endswith("/") and (key > after or after.startswith(key)):
            with contextlib.suppress(FileNotFoundError), _inner(folder, [name[:-1]], make=False) as inner:
                yield from _listed(inner, key, after)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _UNSYNCED:
            raise


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, _FOLDER)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
