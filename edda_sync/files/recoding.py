"""
Recoding: the chunks of a store are written anew, sealed, plain, or under another key.

1. Each chunk is written under its new name, whole, and that name is on disk. Only then the former file is removed. So a
   process that is killed at any moment leaves each chunk under one of its names, or under both, and is called again.
2. What is inside is not looked at: a chunk that was damaged stays damaged, and reading finds it as before. If its seal does
   not open, it is set aside.
3. Others may read and write meanwhile. They look under all names, and write under the new one: at the beginning, nobody is
   in the middle of writing under another one (``DiskChunks.under_one_key``).
4. A plain file is overwritten with zeros before it is removed, in case its blocks on the disk are found by somebody. Before
   that it loses its name, so that nobody takes the zeros for a chunk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from edda_sync.files.coding import is_sealed
from edda_sync.files.disk import NEW, DiskChunks, listed, read, write_whole
from edda_sync.words.errors import UsageError
from edda_sync.words.files import disk_error, sync_folder
from edda_sync.words.folders import make_folder

Counted = Callable[[int], object]


def recode(chunks: DiskChunks, progress: Counted = lambda _count: None) -> int:
    """
    Write every chunk anew that does not lie as its coding says; return how many.

    Args:
        chunks: Where they are. Their coding has the new key.
        progress: Called with how many chunks were written.

    Raises:
        DiskFullError, ReadOnlyError: Not all could be written. Each chunk can be read as before; call this again.
        UsageError: A file that is to be sealed is longer than any chunk, so it is nobody's. It is as it was.
    """
    if not chunks.folder.is_dir():
        return 0
    with chunks.under_one_key(alone=True):
        pass
    count = 0
    for digits in chunks.files():
        if _recoded(chunks, chunks.path_of(digits), digits, chunks.path_of):
            count += 1
            progress(count)
    for digits in chunks.set_aside_here():
        _recoded(chunks, chunks.aside / digits, digits, lambda new: chunks.aside / new)
    return count


def wipe_unfinished(chunks: DiskChunks) -> None:
    """Remove what processes that were killed left half written, after overwriting it. Nobody may write meanwhile."""
    for name in listed(chunks.folder / NEW):
        _remove(chunks.folder / NEW / name, is_plain=True)


def _recoded(chunks: DiskChunks, path: Path, digits: str, place: Callable[[str], Path]) -> bool:
    """Write one file anew, if it has to be; tell whether it was."""
    name = chunks.coding.name(digits)
    if name is None or digits == (new := next(chunks.coding.digits(name))):
        return False
    try:
        content = read(path)
    except FileNotFoundError:  # collected just now
        return False
    except OSError as error:
        raise disk_error(path, error) from None
    packed = None if content is None else chunks.coding.decode(name, content)
    if packed is None and not is_sealed(digits):
        raise UsageError(f"{path} is no chunk of an attached file, and cannot be sealed: move it away, and try again.")
    if packed is None:
        make_folder(chunks.aside)
        _move(path, chunks.aside / digits)
        return False
    target = place(new)
    write_whole(target, chunks.folder / NEW, chunks.coding.encode(name, packed))
    try:
        sync_folder(target.parent)
    except OSError as error:
        raise disk_error(target.parent, error) from None
    _move(path, nameless := chunks.folder / NEW / os.urandom(16).hex())
    _remove(nameless, is_plain=not is_sealed(digits))
    return True


def _move(path: Path, target: Path) -> None:
    try:
        os.replace(path, target)
    except FileNotFoundError:
        pass  # collected just now
    except OSError as error:
        raise disk_error(path, error) from None


def _remove(path: Path, *, is_plain: bool) -> None:
    """Remove a file. A plain one is overwritten with zeros before, unless it has another name (a hard link)."""
    try:
        found = os.lstat(path)
        if is_plain and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            with open(path, "r+b", buffering=0) as file:
                rest = memoryview(bytes(found.st_size))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise disk_error(path, error) from None
