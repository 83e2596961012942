"""
Streams: blocks of bytes, each compressed, with a checksum at the end. Segments and runs of changes are such streams.

    stream := magic block* end
    block  := length(u32, big endian, not 0) zstd(bytes)
    end    := length 0, BLAKE2b-256 of everything before it

A reader holds one block in memory, and checks its size before it expands it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from struct import Struct
from typing import Final

import zstandard

from edda_sync.words.errors import RemoteProtocolError

_LENGTH: Final = Struct(">I")


def write(magic: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream, a block at a time. :func:`read` reads it."""
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
    digest = blake2b(magic, digest_size=32)
    yield magic
    for block in blocks:
        compressed = compressor.compress(block)
        framed = _LENGTH.pack(len(compressed)) + compressed
        digest.update(framed)
        yield framed
    end = _LENGTH.pack(0)
    digest.update(end)
    yield end + digest.digest()


def read(magic: bytes, pieces: Iterable[bytes], block_bytes_max: int, what: str) -> Iterator[bytes]:
    """
    Yield the blocks of a stream. The checksum is verified after the last one. Nothing that was read counts before that.

    Args:
        magic: What it begins with.
        pieces: The stream, in pieces of any size.
        block_bytes_max: How large a block may be, compressed or not.
        what: What to call it in errors.

    Raises:
        RemoteProtocolError: It is malformed or damaged.
    """
    decompressor = zstandard.ZstdDecompressor()
    stream = _Stream(pieces, what)
    if stream.take(len(magic)) != magic:
        raise RemoteProtocolError(f"a {what} of an unknown version")
    while True:
        (length,) = _LENGTH.unpack(stream.take(4))
        if length == 0:
            break
        if length > block_bytes_max:
            raise RemoteProtocolError(f"a {what}'s block of {length:,} bytes")
        compressed = stream.take(length)
        try:
            size = zstandard.frame_content_size(compressed)
            if not 0 <= size <= block_bytes_max:
                raise RemoteProtocolError(f"a {what}'s block that declares {size:,} bytes")
            yield decompressor.decompress(compressed, max_output_size=size)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"a damaged {what} ({error})") from None
    expected = stream.digest.digest()
    if stream.take(32) != expected or not stream.ended():
        raise RemoteProtocolError(f"a damaged {what} (its checksum differs)")


class _Stream:
    """Bytes from pieces, with the digest of everything that was read."""

    def __init__(self, pieces: Iterable[bytes], what: str) -> None:
        self._pieces, self._what = iter(pieces), what
        self._held = bytearray()
        self.digest = blake2b(digest_size=32)

    def take(self, size: int) -> bytes:
        while len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise RemoteProtocolError(f"a {self._what} that ends too early")
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        self.digest.update(taken)
        return taken

    def ended(self) -> bool:
        return not self._held and not any(self._pieces)
