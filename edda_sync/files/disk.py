"""
Chunks on disk: one file for each, named by the hash, in 256 folders.

    FOLDER/3f/9a0c...   a packed chunk
    FOLDER/new/...      chunks that are being written
    FOLDER/damaged/...  chunks that were found damaged: nothing reads them any more
    FOLDER/lock         who adds chunks holds it shared, who collects them alone

1. A chunk is written to a file in ``new``, synced, and renamed to its name. So what has a name is whole, whenever the power
   fails. :meth:`Adding.settle` syncs the folders, after which the names are on disk as well.
2. A file's time of modification says when somebody last added or kept its chunk.
3. Nothing is written or read through a symbolic link inside the folder. Only the folder itself may be one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edda_sync.crdt.attachments import HASH_BYTES
from edda_sync.files.chunks import name_of
from edda_sync.files.packing import pack, unpack
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, LinkError, StorageError, UnreadableError
from edda_sync.words.files import PRIVATE, disk_error, open_file, sync_folder
from edda_sync.words.folders import make_folder

_NEW: Final = "new"
_LOCK: Final = "lock"
_DAMAGED: Final = "damaged"
_PREFIX: Final = 2  # hexadecimal digits of a name that are the folder
_HEX: Final = frozenset("0123456789abcdef")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in its place is not waited for
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskChunks:
    """
    Implementation of ``chunks.Chunks``. The folder is made when the first chunk is added.

    Args:
        folder: An absolute path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: bytes) -> Path:
        """Return where a chunk is, or would be."""
        digits = name.hex()
        return self.folder / digits[:_PREFIX] / digits[_PREFIX:]

    def has(self, name: bytes) -> bool:
        try:
            return stat.S_ISREG(os.lstat(self.path(name)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _unreadable(self.path(name), error) from None

    def get(self, name: bytes) -> bytes | None:
        path = self.path(name)
        try:
            descriptor = os.open(path, _READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            found = os.fstat(descriptor)
            most = limits.CHUNK_BYTES + 1  # what is larger is no chunk, and is not read
            is_chunk = stat.S_ISREG(found.st_mode) and found.st_size <= most
            packed = _read(descriptor, most) if is_chunk else b""
        except OSError as error:
            raise _unreadable(path, error) from None
        finally:
            os.close(descriptor)
        chunk = unpack(packed)
        if chunk is None or name_of(chunk) != name:
            raise DamagedFileError(str(path))
        return chunk

    @contextmanager
    def adding(self) -> Iterator[DiskAdding]:
        """See ``Chunks.adding``."""
        make_folder(self.folder)
        descriptor = open_file(self.folder / _LOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield DiskAdding(self)
        finally:
            os.close(descriptor)  # this also releases the lock

    def names(self, after: bytes = b"") -> Iterator[bytes]:
        last = after.hex()
        for prefix in _listed(self.folder):
            if len(prefix) != _PREFIX or prefix < last[:_PREFIX] or not _HEX.issuperset(prefix):
                continue
            for rest in _listed(self.folder / prefix):
                digits = prefix + rest
                if len(digits) == 2 * HASH_BYTES and digits > last and _HEX.issuperset(digits):
                    yield bytes.fromhex(digits)

    def drop(self, names: Iterable[bytes], before_s: float) -> int | None:
        if not self.folder.is_dir():
            return 0
        descriptor, dropped = open_file(self.folder / _LOCK), 0
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            for name in names:
                dropped += _drop_older(self.path(name), before_s)
        finally:
            os.close(descriptor)
        return dropped

    def set_aside(self, name: bytes) -> None:
        aside = self.folder / _DAMAGED
        try:
            make_folder(aside)
            os.replace(self.path(name), aside / name.hex())
        except FileNotFoundError:
            pass  # somebody else did it
        except OSError as error:
            raise disk_error(self.path(name), error) from None

    def sweep(self, before_s: float) -> None:
        for name in _listed(self.folder / _NEW):
            _drop_older(self.folder / _NEW / name, before_s)


class DiskAdding:
    """
    Implementation of ``chunks.Adding``.

    Args:
        chunks: Where to add; its lock is held.
    """

    def __init__(self, chunks: DiskChunks) -> None:
        self._chunks = chunks
        self._touched: set[Path] = set()

    def add(self, chunk: bytes) -> bytes:
        name = name_of(chunk)
        with suppress(DamagedFileError):  # then it is replaced
            if self._chunks.get(name) is not None and self.keep(name):
                return name
        path = self._chunks.path(name)
        for folder in (self._chunks.folder / _NEW, path.parent):
            make_folder(folder)
            if folder.is_symlink():
                raise LinkError(str(folder))
        temporary = self._chunks.folder / _NEW / os.urandom(16).hex()
        try:
            _write(temporary, pack(chunk))
            os.replace(temporary, path)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, OSError):
                raise disk_error(path, error) from None
            raise
        self._touched.add(path.parent)
        return name

    def keep(self, name: bytes) -> bool:
        path = self._chunks.path(name)
        try:
            os.utime(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise disk_error(path, error) from None
        self._touched.add(path.parent)  # whoever added it may not have synced its name yet
        return True

    def settle(self) -> None:
        try:
            for folder in sorted(self._touched):
                sync_folder(folder)
        except OSError as error:
            raise disk_error(self._chunks.folder, error) from None
        self._touched.clear()


def _write(path: Path, packed: bytes) -> None:
    """Write a new file, and wait until it is on disk."""
    descriptor = os.open(path, _CREATE, PRIVATE)
    try:
        rest = memoryview(packed)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int, most: int) -> bytes:
    pieces, size = [], 0
    while piece := os.read(descriptor, most + 1 - size):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _listed(folder: Path) -> list[str]:
    """Return the names in a folder, in order; none if it is missing, or a link."""
    try:
        return [] if folder.is_symlink() and len(folder.name) == _PREFIX else sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _drop_older(path: Path, before_s: float) -> bool:
    try:
        if os.lstat(path).st_mtime >= before_s:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(path, error) from None
    return True


def _unreadable(path: Path, error: OSError) -> StorageError:
    return UnreadableError(str(path)) if isinstance(error, PermissionError) else disk_error(path, error)
