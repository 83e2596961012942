"""
The tree of a file: how its chunks are found from one hash.

A file of at most ``CHUNK_BYTES`` is one chunk: its *root* is the name of that chunk, and its *depth* is 0. The root of a
longer file names a *manifest*: a chunk that lists the names and sizes of its parts, in order. At depth 1 these are chunks of
the file; at depth 2 they are manifests of depth 1. So every piece of a file can be checked by its hash before it is used, in
whatever order the pieces arrive.

A manifest is one byte for its format, and 40 bytes for each part: the name (32 bytes), and how many bytes of the file it
covers (u64, big endian).

Source: Merkle, "A digital signature based on a conventional encryption function" (1987); the fixed sizes were chosen after
measuring (docs/benchmarks.md): content-defined cuts (FastCDC, Xia et al. 2016) take a rolling hash over every byte, of which
CPython computes 8 MB a second, and equal files are kept once either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from edda_sync.crdt.attachments import HASH_BYTES, File, size_max
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError

_FORMAT: Final = b"\1"
_PART: Final = Struct(f">{HASH_BYTES}sQ")


class Part(NamedTuple):
    """A part of a file: its name, and how many bytes of the file it covers."""

    name: bytes
    size: int


class Piece(NamedTuple):
    """A chunk of a file: its name, its size, and where it begins, in bytes."""

    name: bytes
    size: int
    at: int


def encode(parts: Sequence[Part]) -> bytes:
    """Return a manifest of some parts."""
    return _FORMAT + b"".join([_PART.pack(*part) for part in parts])


def decode(manifest: bytes, file: File) -> list[Part]:
    """
    Return the parts that a manifest lists.

    Args:
        manifest: The chunk that the root of ``file`` names.
        file: The file, or the part of one, that the manifest describes.

    Raises:
        InvalidValueError: It does not describe this file. Nobody can ever read it.
    """
    parts = listed(manifest)
    if parts is None:
        raise InvalidValueError("manifest", "is malformed", file.root.hex())
    most = size_max(file.depth - 1)
    if any(not 0 < part.size <= most for part in parts) or sum(part.size for part in parts) != file.size:
        raise InvalidValueError("manifest", "does not list the bytes of its file", file.root.hex())
    return parts


def listed(chunk: bytes) -> list[Part] | None:
    """Return the parts that a chunk lists if it has the form of a manifest, whatever file it describes; None if not."""
    rows = chunk[1:]
    if chunk[:1] != _FORMAT or len(rows) % _PART.size or len(rows) > _PART.size * limits.MANIFEST_PARTS_MAX:
        return None
    return [Part(*fields) for fields in _PART.iter_unpack(rows)]


def pieces(file: File, get: Callable[[bytes], bytes], at: int = 0) -> Iterator[Piece]:
    """
    Yield the chunks of a file, in order, beginning with the one that holds the byte at ``at``.

    Args:
        file: The file.
        get: Returns a chunk. Only manifests are asked for, one at a time.
        at: A position in the file, in bytes.

    Raises:
        InvalidValueError: A manifest does not describe the file.
    """
    yield from _pieces(file, get, at, 0)


def _pieces(file: File, get: Callable[[bytes], bytes], at: int, begin: int) -> Iterator[Piece]:
    if not file.depth:
        yield Piece(file.root, file.size, begin)
        return
    for part in decode(get(file.root), file):
        if begin + part.size > at:
            yield from _pieces(File(part.name, part.size, file.depth - 1), get, at, begin)
        begin += part.size
