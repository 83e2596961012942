"""
Chunks on disk: one file for each, named by the hash, in 256 folders. ``coding`` says how names and content become those of
an encrypted store.

    FOLDER/3f/9a0c...   a packed chunk
    FOLDER/new/...      chunks that are being written, under random names
    FOLDER/damaged/...  chunks that were found damaged: nothing reads them any more
    FOLDER/lock         who adds chunks holds it shared, who collects them alone
    FOLDER/key-lock     who writes one sealed chunk holds it shared, who replaces the key alone, for a moment

1. A chunk is written to a file in ``new``, synced, and renamed to its name. So what has a name is whole, whenever the power
   fails. :meth:`Adding.settle` syncs the folders, after which the names are on disk as well.
2. A file's time of modification says when somebody last added or kept its chunk.
3. Nothing is written or read through a symbolic link inside the folder. Only the folder itself may be one.
4. While the key is replaced, another process moves each chunk to its new name (``recoding``). Whoever finds a chunk nowhere
   looks once more where it would have been moved to, and whether there is a newer key.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from edda_sync.files.chunks import Kept, name_of
from edda_sync.files.coding import Coding, Plain, is_name
from edda_sync.files.packing import pack, unpack
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, LinkError, StorageError, UnreadableError
from edda_sync.words.files import PRIVATE, disk_error, open_file, sync_folder
from edda_sync.words.folders import make_folder

NEW: Final = "new"
_LOCK: Final = "lock"
_DAMAGED: Final = "damaged"
_KEY_LOCK: Final = "key-lock"
_PREFIX: Final = 2  # hexadecimal digits of a name that are the folder
_BESIDE_BYTES: Final = (
    128  # of a file beside the chunk: how it is packed, and the header, nonce and tag of a sealed one
)
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in its place is not waited for
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

T = TypeVar("T")
_Failed = Callable[[Path, OSError], StorageError]


def _unreadable(path: Path, error: OSError) -> StorageError:
    return UnreadableError(str(path)) if isinstance(error, PermissionError) else disk_error(path, error)


class DiskChunks:
    """
    Implementation of ``chunks.Chunks``. The folder is made when the first chunk is added.

    Args:
        folder: An absolute path.
        coding: How chunks lie there.
    """

    def __init__(self, folder: Path, coding: Coding | None = None) -> None:
        self.folder = folder
        self.coding: Coding = Plain() if coding is None else coding

    @property
    def aside(self) -> Path:
        """Where damaged chunks are put."""
        return self.folder / _DAMAGED

    def set_aside_here(self) -> list[str]:
        """Return the names of the files of the chunks that were set aside."""
        return listed(self.aside)

    def path(self, name: bytes) -> Path:
        """Return where a chunk is when it has been written now."""
        return self.path_of(next(self.coding.digits(name)))

    def path_of(self, digits: str) -> Path:
        """Return where a file of a chunk lies, by its name."""
        return self.folder / digits[:_PREFIX] / digits[_PREFIX:]

    def has(self, name: bytes) -> bool:
        return self._at(name, lambda path: stat.S_ISREG(os.lstat(path).st_mode)) or False

    def kept(self, name: bytes) -> Kept | None:
        def seen(path: Path) -> Kept:
            found = os.lstat(path)
            return Kept(found.st_size, found.st_mtime)

        return self._at(name, seen)

    def get(self, name: bytes) -> bytes | None:
        found = self._at(name, lambda path: (path, read(path)))
        if found is None:
            return None
        path, content = found
        packed = None if content is None else self.coding.decode(name, content)
        chunk = None if packed is None else unpack(packed)
        if chunk is None or name_of(chunk) != name:
            raise DamagedFileError(str(path))
        return chunk

    def _at(self, name: bytes, act: Callable[[Path], T], failed: _Failed = _unreadable) -> T | None:
        """
        Do something with the file of a chunk; return its result, or None if there is no such file.

        Args:
            name: The chunk.
            act: What to do; it may raise FileNotFoundError.
            failed: Returns our error for one of the disk.
        """

        def tried(path: Path) -> T | None:
            try:
                return act(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise failed(path, error) from None

        while True:
            for digits in self.coding.digits(name):
                if (found := tried(self.path_of(digits))) is not None:
                    return found
            if not self.coding.look():
                return tried(self.path(name))  # it may have been moved to where we looked first

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
        found = (self.coding.name(digits) for digits in self.files(next(self.coding.digits(after)) if after else ""))
        return (name for name in found if name is not None)

    def files(self, after: str = "") -> Iterator[str]:
        """Yield the names of the files that are there under the name of a chunk, in order, beginning after ``after``."""
        for prefix in listed(self.folder):
            if len(prefix) != _PREFIX or prefix < after[:_PREFIX]:
                continue
            yield from (
                digits for rest in listed(self.folder / prefix) if is_name(digits := prefix + rest) and digits > after
            )

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
                dropped += max(drop_older(self.path_of(digits), before_s) for digits in self.coding.digits(name))
        finally:
            os.close(descriptor)
        return dropped

    def set_aside(self, name: bytes) -> None:
        make_folder(self.aside)

        def moved(path: Path) -> bool:
            os.replace(path, self.aside / (path.parent.name + path.name))
            return True

        self._at(name, moved, disk_error)

    def sweep(self, before_s: float) -> None:
        for name in listed(self.folder / NEW):
            drop_older(self.folder / NEW / name, before_s)

    @contextmanager
    def under_one_key(self, *, alone: bool = False) -> Iterator[None]:
        """
        Write what is sealed under the newest key, in a ``with`` block of some milliseconds.

        Args:
            alone: Wait until nobody else is in such a block. Whoever enters one later sees the key file as it is now.
        """
        if not self.coding.seals:
            yield
            return
        descriptor = open_file(self.folder / _KEY_LOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            self.coding.look()
            yield
        finally:
            os.close(descriptor)

    def touch(self, name: bytes) -> Path | None:
        """Note that a chunk is kept now; return where it is, None if it is not here."""

        def touched(path: Path) -> Path:
            os.utime(path, follow_symlinks=False)
            return path

        return self._at(name, touched, disk_error)

    def put(self, name: bytes, packed: bytes) -> Path:
        """
        Write a packed chunk, whole or not at all; return where it is. Its content is on disk then, its name is not yet.

        Raises:
            StorageError: It cannot be written.
        """
        with self.under_one_key():
            path = self.path(name)
            write_whole(path, self.folder / NEW, self.coding.encode(name, packed))
        return path


class DiskAdding:
    """
    Implementation of ``chunks.Adding``.

    Args:
        chunks: Where to add; its lock is held.
    """

    def __init__(self, chunks: DiskChunks) -> None:
        self._chunks = chunks
        self._touched: set[Path] = set()
        self.new: set[bytes] = set()

    def add(self, chunk: bytes) -> bytes:
        name = name_of(chunk)
        with suppress(DamagedFileError):  # then it is replaced
            if self._chunks.get(name) is not None and self.keep(name):
                return name
        self._touched.add(self._chunks.put(name, pack(chunk)).parent)
        self.new.add(name)
        return name

    def keep(self, name: bytes) -> bool:
        path = self._chunks.touch(name)
        if path is not None:
            self._touched.add(path.parent)  # whoever added it may not have synced its name yet
        return path is not None

    def settle(self) -> None:
        try:
            for folder in sorted(self._touched):
                sync_folder(folder)
        except OSError as error:
            raise disk_error(self._chunks.folder, error) from None
        self._touched.clear()


def write_whole(path: Path, new: Path, content: bytes) -> None:
    """
    Write a file, whole or not at all. Its content is on disk then, its name is not yet.

    Args:
        path: Where it gets its name. Its folder is made if it is missing.
        new: The folder in which it is written first.
        content: All of it.

    Raises:
        StorageError: It cannot be written.
    """
    for folder in (new, path.parent):
        make_folder(folder)
        if folder.is_symlink():
            raise LinkError(str(folder))
    temporary = new / os.urandom(16).hex()
    try:
        _write(temporary, content)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise disk_error(path, error) from None
        raise


def _write(path: Path, content: bytes) -> None:
    """Write a new file, and wait until it is on disk."""
    descriptor = os.open(path, _CREATE, PRIVATE)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> bytes | None:
    """Return the content of the file of a chunk; None if it is none: no ordinary file, or too long."""
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        most = limits.CHUNK_BYTES + _BESIDE_BYTES
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        pieces, size = [], 0
        while piece := os.read(descriptor, most + 1 - size):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def listed(folder: Path) -> list[str]:
    """Return the names in a folder, in order; none if it is missing, or a link."""
    try:
        return [] if folder.is_symlink() and len(folder.name) == _PREFIX else sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def drop_older(path: Path, before_s: float) -> bool:
    """Remove a file if it was last changed before a moment; tell whether it was."""
    try:
        if os.lstat(path).st_mtime >= before_s:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(path, error) from None
    return True
