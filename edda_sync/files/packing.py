"""
Packing: a chunk as it is on disk. This is the one place where the bytes of a chunk are written and read.

A packed chunk is one byte that says how it is packed, and then the chunk: plain, or as a zstd frame (RFC 8878). Many files
are compressed already (pictures, videos, archives), so a trial on the beginning of a chunk decides. A third byte says that a
packed chunk follows that is sealed (``coding``).
"""

from __future__ import annotations

from typing import Final

import zstandard

from edda_sync.words import limits

PLAIN: Final = b"\0"
ZSTD: Final = b"\1"
SEALED: Final = b"\2"
_LEVEL: Final = 3
_WORTH: Final = 0.9  # a chunk is compressed if it shrinks to this, or less


def pack(chunk: bytes) -> bytes:
    """Return a chunk as it is kept."""
    trial = memoryview(chunk)[: limits.CHUNK_TRIAL_BYTES]
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
    if len(compressor.compress(trial)) <= _WORTH * len(trial):
        compressed = compressor.compress(chunk)
        if len(compressed) <= _WORTH * len(chunk):
            return ZSTD + compressed
    return PLAIN + chunk


def unpack(packed: bytes) -> bytes | None:
    """Return the chunk of what is kept; None if these are no bytes that :func:`pack` returned."""
    how, rest = packed[:1], memoryview(packed)[1:]
    if how == PLAIN:
        return bytes(rest) if len(rest) <= limits.CHUNK_BYTES else None
    if how != ZSTD:
        return None
    try:
        size = zstandard.frame_content_size(rest)
        if not 0 <= size <= limits.CHUNK_BYTES:  # checked before anything is decompressed
            return None
        chunk: bytes = zstandard.ZstdDecompressor().decompress(rest, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        return None
    return chunk if len(chunk) == size else None
