"""Storing: cuts a stream into chunks, and keeps these. Memory holds one chunk and the manifests that are being made."""

from __future__ import annotations

from typing import Protocol

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import Adding
from edda_sync.files.tree import Part, encode
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, LimitError


class Stream(Protocol):
    """What bytes are read from: a file that was opened in binary mode, or anything alike."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        ...


def store(adding: Adding, stream: Stream) -> File:
    """
    Keep everything that a stream yields. Call ``adding.settle`` next.

    Args:
        adding: Adds chunks.
        stream: It is read up to its end.

    Raises:
        LimitError: It is longer than a file may be.
        StorageError: It cannot be written.
    """
    chunk = _whole(stream)
    following = _whole(stream) if len(chunk) == limits.CHUNK_BYTES else b""
    if not following:
        return File(adding.add(chunk), len(chunk), 0)
    inner, outer, size = list[Part](), list[Part](), 0
    while chunk:
        size += len(chunk)
        if size > limits.FILE_BYTES_MAX:
            raise LimitError("The number of bytes in the file", size, limits.FILE_BYTES_MAX)
        if len(inner) == limits.MANIFEST_PARTS_MAX:
            outer.append(_manifest(adding, inner))
            inner = []
        inner.append(Part(adding.add(chunk), len(chunk)))
        chunk, following = following, _whole(stream) if following else b""
    last = _manifest(adding, inner)
    if not outer:
        return File(last.name, size, 1)
    return File(_manifest(adding, [*outer, last]).name, size, 2)


def _manifest(adding: Adding, parts: list[Part]) -> Part:
    return Part(adding.add(encode(parts)), sum(part.size for part in parts))


def _whole(stream: Stream) -> bytes:
    """Read a whole chunk, or what is left."""
    pieces, missing = list[bytes](), limits.CHUNK_BYTES
    while missing and (piece := stream.read(missing)):
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise InvalidValueError("stream", "must yield bytes: open the file in binary mode", None)
        pieces.append(bytes(piece))
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
