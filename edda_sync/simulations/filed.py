"""
Attached files in a simulation. Some runs have a few. In half of all runs they are *busy*: files are attached, detached,
fetched and checked all the time, and much goes wrong with them (``filework``).

What such a run needs of chance is drawn from sources of its own, so that all other runs stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import shake_128
from typing import Final

from edda_sync.crdt.attachments import File
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.storing import store
from edda_sync.simulations.tape import FEW_FILES, FILES, Tape
from edda_sync.sync.filing import Filing
from edda_sync.words import limits

BELOW: Final = 800  # bytes: smaller files come by themselves
SMALL: Final[dict[str, int]] = {"CHUNK_BYTES": 60, "MANIFEST_PARTS_MAX": 4}
"""Limits while a file is attached, by their names: so a small file has a tree of chunks, as a large one does."""
BUSY: Final[dict[str, int]] = {"CHUNK_BYTES": 170, "MANIFEST_PARTS_MAX": 4}
"""Limits of a whole busy run: a list of four chunks fits into a chunk, as with the usual limits."""
TIGHT: Final[dict[str, int]] = {
    **BUSY,
    "FILE_SLICE_BYTES_MIN": 40,
    "FILE_SLICE_BYTES_MAX": 90,
    "FILE_WINDOW_BYTES_MIN": 90,
    "FILE_WINDOW_BYTES_MAX": 400,
    "FILE_HELD_BYTES_MAX": 700,
    "FILES_AT_ONCE": 8,
    "FILES_LISTED": 2,
    "FILE_NAMES_MAX": 2,
    "FILE_LACKS_IN_ROW_MAX": 3,
    "FILE_LACKS_MAX": 6,
}
"""The limits of a busy run that is tight: windows are full, and lists have several pages."""


class Filed:
    """
    The files of one run.

    Args:
        tape: The choices.
        may_be_busy: Whether what makes a run busy can happen in it.

    Attributes:
        is_on: Whether this run has files.
        is_busy: Whether it is busy with them.
        contents: What was attached, or was meant to be, by root.
        names: All chunks of what was attached, or was meant to be.
        lies: Files that a liar has attached although there are no such files.
    """

    def __init__(self, tape: Tape, *, may_be_busy: bool = False) -> None:
        self.contents: dict[bytes, bytes] = {}
        self.names: set[bytes] = set()
        self.lies: set[File] = set()
        self.is_busy = may_be_busy and tape.has(FILES)
        self.is_on = self.is_busy or tape.has(FEW_FILES)

    def filing(self, engine: StorageEngine, chunks: MemoryChunks) -> Filing | None:
        """Return what the replica of a device exchanges files with; None in a run without files."""
        if not self.is_on:
            return None
        engine.reading.files._chunks = chunks
        feed = engine.ledger.feed
        return Filing(engine.store, lambda: chunks, BELOW, lambda: feed.attached)

    def attach(self, engine: StorageEngine, document: str, data: bytes) -> None:
        """Attach a file to a document."""
        with limited({} if self.is_busy else SMALL):
            self.intend(data)
            engine.transact(lambda tx: tx.attach(document, io.BytesIO(data), name="file"))

    def intend(self, data: bytes) -> bytes:
        """Note that somebody means to attach this content; return its root."""
        apart = MemoryChunks(lambda: 0.0)
        with apart.adding() as adding:
            root = store(adding, io.BytesIO(data)).root
        self.contents[root] = data
        self.names |= apart.packed.keys()
        return root


def content(which: int, size: int) -> bytes:
    """Return the content of a file; equal ones begin alike."""
    return shake_128(b"%d" % which).digest(size)


@contextmanager
def limited(smaller: dict[str, int]) -> Iterator[None]:
    """Let some limits be smaller meanwhile, given by their names."""
    usual = {name: getattr(limits, name) for name in smaller}
    try:
        for name, value in smaller.items():
            setattr(limits, name, value)
        yield
    finally:
        for name, value in usual.items():
            setattr(limits, name, value)
