"""Reading: a stream over the chunks of a file. Memory holds one chunk, and the manifests above it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import Chunks
from edda_sync.files.tree import Piece, pieces
from edda_sync.words.errors import DamagedFileError, FalseFileError, FileNotHereError, InvalidValueError

_ONE: Final = bytearray(1)


class Wholeness(Enum):
    """How much of a file is here."""

    WHOLE = "whole"
    MISSING = "missing"  # a part of it, or all
    DAMAGED = "damaged"


def wholeness(chunks: Chunks, file: File) -> Wholeness:
    """
    Read a file from its first byte to its last, and tell whether it is here and sound. Nothing is changed.

    Raises:
        StorageError: It cannot be read.
    """
    reader = FileReader(chunks, file, "", sets_aside=False)
    try:
        while reader.readinto(_ONE):
            reader.seek(reader.chunk_end)
    except (DamagedFileError, FalseFileError):
        return Wholeness.DAMAGED
    except FileNotHereError:
        return Wholeness.MISSING
    return Wholeness.WHOLE


class FileReader(io.RawIOBase):
    """
    A file, to be read in binary mode, as ``open(path, "rb")`` returns it. Every chunk is compared with its hash.

    Args:
        chunks: Where the chunks are.
        file: What to read.
        name: What people call it, for errors.
        lost: Called when a chunk is missing or damaged, before the error is raised.
        sets_aside: Whether a damaged chunk is taken out of the way.

    Attributes:
        name: The same name.
        size: In bytes.
    """

    def __init__(
        self,
        chunks: Chunks,
        file: File,
        name: str,
        lost: Callable[[], object] = lambda: None,
        *,
        sets_aside: bool = True,
    ) -> None:
        super().__init__()
        self._lost, self._sets_aside = lost, sets_aside
        self.name, self.size = name, file.size
        self._chunks, self._file = chunks, file
        self._at = 0
        self._following: Iterator[Piece] | None = None  # the chunks after the present one
        self._piece, self._chunk = Piece(b"", 0, 0), b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise InvalidValueError("offset", "is before the beginning of the file", offset)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    @property
    def chunk_end(self) -> int:
        """Where the chunk ends that was read last."""
        return self._piece.at + self._piece.size

    def readinto(self, buffer: Any) -> int:
        """
        Read into a buffer, and return how many bytes; 0 at the end.

        Raises:
            FileNotHereError: A part of the file is not on this device.
            DamagedFileError: A part of the file is damaged on this disk.
            FalseFileError: What was said of the file when it was attached is not true.
        """
        if self.closed:
            raise ValueError("read of a closed file")  # as every file object says it
        with memoryview(buffer).cast("B") as view:
            if self._at >= self.size or not len(view):
                return 0
            if not self._piece.at <= self._at < self._piece.at + self._piece.size:
                self._go_on()
            begin = self._at - self._piece.at
            count = min(len(view), self._piece.size - begin)
            view[:count] = memoryview(self._chunk)[begin : begin + count]
        self._at += count
        return count

    def _go_on(self) -> None:
        """Fetch the chunk at the present position."""
        if self._following is None or self._at != self._piece.at + self._piece.size:
            self._following = pieces(self._file, self._get, self._at)
        self._piece, self._chunk = Piece(b"", 0, 0), b""
        try:
            piece = next(self._following)
        except InvalidValueError:
            raise FalseFileError(self.name) from None
        chunk = self._get(piece.name)
        if len(chunk) != piece.size:
            raise FalseFileError(self.name)
        self._piece, self._chunk = piece, chunk

    def _get(self, name: bytes) -> bytes:
        try:
            chunk = self._chunks.get(name)
        except DamagedFileError:
            if self._sets_aside:
                self._chunks.set_aside(name)
            self._lost()
            raise
        if chunk is None:
            self._lost()
            raise FileNotHereError(self.name)
        return chunk
