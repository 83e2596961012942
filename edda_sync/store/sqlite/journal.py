"""
Journals: whose is the one that lies beside a file?

SQLite takes the journal beside a file for that file's, and writes its pages into it. So an older file that was put back
beside a newer one's journal, by a restore, a file synchroniser or a copy that was made while the store was in use, is
damaged as soon as it is opened, and what it held is gone.

Hence a chain of *links* runs through a file and its journals. Each transaction writes one (``summary``): by random bytes
it names itself, and the one before it. What a journal goes on from is then either what its first link names, or, where some
of it has come into the file already, one of its links. A file that ends with any other link is not the one that the journal
belongs to.

Source: https://sqlite.org/howtocorrupt.html, "Mispairing database files and hot journals", and
https://sqlite.org/fileformat2.html, "The WAL File Format" and "B-tree Pages".
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.summary import LINK_BYTES, MAGIC, ROW
from edda_sync.words.files import replace_file

_WAL_MAGICS: Final = (bytes.fromhex("377f0682"), bytes.fromhex("377f0683"))
_HEADER_BYTES, _FRAME_BYTES = 32, 24
_LEAF_OF_ONE: Final = b"\x0d\x00\x00\x00\x01"  # a table's page of one row, and nothing freed in it
_LINK_AT: Final = len(ROW) - len(MAGIC)
LOCKS: Final = (0x40000000, 512)  # where SQLite locks a file: everybody who has it open holds one of these bytes


class Link(NamedTuple):
    """What one transaction left: the names of the link before it, and of its own, 8 random bytes each."""

    before: bytes
    name: bytes


def set_aside_anothers(path: Path) -> Path | None:
    """
    Put a journal aside that belongs to another file than the one beside which it lies, unless that is in use.

    Nobody in this process may have the file open: whoever closes one descriptor of it loses SQLite's locks on all.

    Args:
        path: The store's file, which is there.

    Returns:
        Where the journal is now; None when it stays, or there is none.
    """
    name = f"{path}-wal"
    if not os.access(name, os.F_OK):
        return None  # mostly
    journal = Path(name)
    try:
        if journal.stat().st_size <= _HEADER_BYTES:
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # there is none, or whoever opens the file says what is wrong
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKS[1], LOCKS[0])
        except OSError:
            return None  # somebody has it open, and looked at that time
        with closing(sqlite.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as alone:  # without its journal
            if _belongs(alone, journal):
                return None
            aside = _free_name(path)
            os.rename(journal, aside)
            with suppress(FileNotFoundError):
                os.unlink(f"{path}-shm")  # its index, which SQLite would share with whoever still uses the other file
            return aside  # and the lock goes with the connection
    finally:
        os.close(descriptor)


def is_anothers(path: Path) -> bool:
    """Tell whether the journal beside a file belongs to another one; :func:`set_aside_anothers` moves such a one."""
    journal = Path(f"{path}-wal")
    if not journal.exists():
        return False
    with closing(sqlite.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as alone:  # without its journal
        return not _belongs(alone, journal)


def copy_aside(path: Path) -> None:
    """Put a copy of a file's journal aside, if there is anything in it."""
    import shutil

    with suppress(FileNotFoundError), open(f"{path}-wal", "rb") as file:
        if os.fstat(file.fileno()).st_size:
            replace_file(_free_name(path), lambda copy: shutil.copyfileobj(file, copy))


def set_aside(path: Path) -> list[str]:
    """Return the names of the journals beside a file that were put aside."""
    return sorted(each.name for each in path.parent.glob(f"{path.name}-wal-aside-*"))


def _free_name(path: Path) -> Path:
    number = 1
    while (name := Path(f"{path}-wal-aside-{number}")).exists():
        number += 1
    return name


def _belongs(alone: Any, journal: Path) -> bool:
    """Tell whether a journal may be the file's; it is, where nothing says otherwise."""
    links = []
    for page in _pages(journal):
        at = int.from_bytes(page[8:10], "big")
        if page.startswith(_LEAF_OF_ONE) and page[at : at + len(ROW)] == ROW:
            links.append(_decoded(page[at + _LINK_AT : at + _LINK_AT + LINK_BYTES]))
    if not links:
        return True
    try:
        (held,) = alone.execute("SELECT link FROM _summary").fetchone()
    except (sqlite.Error, TypeError):
        return True  # it cannot be told
    name = _decoded(held).name
    return name == links[0].before or any(name == link.name for link in links)


def _pages(journal: Path) -> Iterator[bytes]:
    """
    Yield the pages in a journal: also those of transactions that were not ended, which do no harm.

    What is acknowledged is on disk, and comes first: where the first link is not, nothing in the journal was acknowledged.
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
