"""
Journals: whether the journal that lies beside a file belongs to that file.

A journal here is SQLite's write-ahead log, the file ``-wal``. SQLite assumes that the journal beside a file belongs to that
file, and copies the journal's pages into it. A restore, a file synchroniser, or a copy that was made while the store was in
use, may put an older file beside a newer file's journal. The older file is then damaged as soon as it is opened, and its
content is lost.

To notice this, a chain of *links* runs through a file and its journals. Each transaction writes one link (``summary``): its
own random name, and the name of the link before it. The file holds the link of the last transaction that was copied into
it. If the journal belongs to the file, that link is the one before the journal's first link, or, if part of the journal has
been copied into the file, one of the journal's links. With any other link, the journal belongs to another file.

Source: https://sqlite.org/howtocorrupt.html, "Mispairing database files and hot journals", and
https://sqlite.org/fileformat2.html, "The WAL File Format" and "B-tree Pages".
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.summary import LINK_BYTES, MAGIC, ROW
from edda_sync.words.errors import StorageError
from edda_sync.words.files import replace_file

if TYPE_CHECKING:
    from edda_sync.store.sqlite.keyed import FileKeys

_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_HEADER_BYTES, _FRAME_BYTES = 32, 24
_LEAF_OF_ONE: Final = b"\x0d\x00\x00\x00\x01"  # a table page with one row, in which nothing was freed
_LINK_AT: Final = len(ROW) - len(MAGIC)
LOCKS: Final = (0x40000000, 512)  # the bytes that SQLite locks: everyone who has the file open holds one of them


class Link(NamedTuple):
    """What one transaction left: the name of the link before it, and its own name, 8 random bytes each."""

    before: bytes
    name: bytes


def set_aside_anothers(path: Path, keys: FileKeys | None = None) -> Path | None:
    """
    Move the journal beside a file aside if it belongs to another file, unless the file is in use.

    Nobody in this process may have the file open: closing any descriptor of it releases all of SQLite's locks on it.

    Args:
        path: The store's file, which exists.
        keys: Its keys, if it is encrypted.

    Returns:
        Where the journal is now; None if it was not moved, or if there is none.
    """
    name = f"{path}-wal"
    if not os.access(name, os.F_OK):
        return None  # the usual case
    journal = Path(name)
    try:
        if journal.stat().st_size <= _HEADER_BYTES:
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # there is no journal; or the caller, who opens the file next, reports what is wrong
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKS[1], LOCKS[0])
        except OSError:
            return None  # somebody has the file open, and checked the journal when opening it
        with closing(_alone(path, keys)) as alone:
            if _belongs(alone, journal, keys):
                return None
            aside = _free_name(path)
            os.rename(journal, aside)
            with suppress(FileNotFoundError):
                os.unlink(f"{path}-shm")  # its index: SQLite would share it with users of the other file
            return aside  # closing the connection releases the lock
    finally:
        os.close(descriptor)


def is_anothers(path: Path, keys: FileKeys | None = None) -> bool:
    """Tell whether the journal beside a file belongs to another file. :func:`set_aside_anothers` would move it."""
    journal = Path(f"{path}-wal")
    if not journal.exists():
        return False
    with closing(_alone(path, keys)) as alone:
        return not _belongs(alone, journal, keys)


def copy_aside(path: Path) -> None:
    """Put a copy of a file's journal aside, unless the journal is empty."""
    import shutil

    with suppress(FileNotFoundError), open(f"{path}-wal", "rb") as file:
        if os.fstat(file.fileno()).st_size:
            replace_file(_free_name(path), lambda copy: shutil.copyfileobj(file, copy))


def set_aside(path: Path) -> list[str]:
    """Return the names of the journals beside a file that have been moved aside."""
    return sorted(each.name for each in path.parent.glob(f"{path.name}-wal-aside-*"))


def _free_name(path: Path) -> Path:
    number = 1
    while (name := Path(f"{path}-wal-aside-{number}")).exists():
        number += 1
    return name


def _alone(path: Path, keys: FileKeys | None) -> Any:
    """Return a connection to a file that does not look at its journal."""

    def connected(key: str | None) -> Any:
        connection = sqlite.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
        if key is not None:
            from edda_sync.store.sqlite import keyed  # only for encrypted stores

            keyed.give(connection, key)
            try:
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            except sqlite.Error:
                connection.close()
                raise
        return connection

    if keys is not None:
        with suppress(StorageError, sqlite.Error):  # only some pages are under a new key: the journal has the others
            return keys.connect(connected)
    return connected(None)


def _belongs(alone: Any, journal: Path, keys: FileKeys | None) -> bool:
    """Tell whether a journal may belong to the file. It does, unless its links say otherwise."""
    links = []
    for found in _pages(journal):
        page = found if keys is None else keys.first_block(found, _LEAF_OF_ONE)
        at = int.from_bytes(page[8:10], "big")
        if page.startswith(_LEAF_OF_ONE) and page[at : at + len(ROW)] == ROW:
            links.append(_decoded(page[at + _LINK_AT : at + _LINK_AT + LINK_BYTES]))
    if not links:
        return True
    try:
        (held,) = alone.execute("SELECT link FROM _summary").fetchone()
    except (sqlite.Error, TypeError, UnicodeDecodeError):
        return True  # the file does not say; the driver may even be unable to read why
    name = _decoded(held).name
    return name == links[0].before or any(name == link.name for link in links)


def _pages(journal: Path) -> Iterator[bytes]:
    """
    Yield the pages in a journal, also those of transactions that did not commit; these do no harm.

    What was acknowledged is on disk, and comes first. So if the first link is not on disk, nothing in the journal was
    acknowledged.
    """
    with journal.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
        if header[:4] not in _WAL_MAGICS or not page_bytes:
            return
        while len(frame := file.read(_FRAME_BYTES + page_bytes)) == _FRAME_BYTES + page_bytes and frame[8:16] == salts:
            yield frame[_FRAME_BYTES:]


def _decoded(link: bytes) -> Link:
    return Link(bytes(link[8:16]), bytes(link[16:24]))
