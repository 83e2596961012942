"""
Segments: the states of all entities at a frontier, as one stream of bytes.

    segment := magic block* end
    magic   := "EDDASEG" version(1 byte)
    block   := length(u32, big endian, not 0) zstd(msgpack)      the first is the header, each other one a list of entities
    end     := length 0, BLAKE2b-256 of everything before it

The stream is cut into parts of ``PART_BYTES_MAX`` to travel and to be kept; its name is the BLAKE2b-256 of all of it. A
reader holds one block in memory, and believes nothing of it before its size is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from struct import Struct
from typing import Final

import msgspec
import zstandard

from edda_sync import limits
from edda_sync.errors import RemoteProtocolError
from edda_sync.protocols import Head, StoreReader

VERSION: Final = 1
MAGIC: Final = b"EDDASEG" + bytes((VERSION,))
BLOCK_BYTES: Final = 256 * 1024  # states are gathered up to this before they are compressed
BLOCK_BYTES_MAX: Final = BLOCK_BYTES + 2 * limits.TEXT_BYTES_MAX  # one entity's texts may be larger than a block
_LENGTH: Final = Struct(">I")


class SegmentHeader(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    What a segment is.

    Attributes:
        heads: Every actor's head at its frontier: hash, full dependencies, last signature.
        digest: Hash of the content that its entities make.
        entities: How many there are.
        chains: For each head, what the hashes of its actor's changes begin with (see ``sync.forks``).
    """

    heads: tuple[Head, ...]
    digest: str
    entities: int
    chains: tuple[bytes, ...]


class TextEntry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An edited text: its field, genesis id and full state."""

    field: str
    genesis: int
    state: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An entity: its id, canonical state and edited texts."""

    id: bytes
    state: bytes
    texts: tuple[TextEntry, ...]


_encoder = msgspec.msgpack.Encoder()
_decode_header = msgspec.msgpack.Decoder(SegmentHeader).decode
_decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode


def write(header: SegmentHeader, entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a segment's stream, a block at a time."""
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
    digest = blake2b(MAGIC, digest_size=32)
    yield MAGIC

    def block(encoded: bytes) -> bytes:
        compressed = compressor.compress(encoded)
        framed = _LENGTH.pack(len(compressed)) + compressed
        digest.update(framed)
        return framed

    yield block(_encoder.encode(header))
    gathered: list[Entry] = []
    size = 0
    for entry in entries:
        gathered.append(entry)
        size += len(entry.state) + sum(len(text.state) for text in entry.texts)
        if size >= BLOCK_BYTES:
            yield block(_encoder.encode(gathered))
            gathered, size = [], 0
    if gathered:
        yield block(_encoder.encode(gathered))
    end = _LENGTH.pack(0)
    digest.update(end)
    yield end + digest.digest()


def read(pieces: Iterable[bytes]) -> tuple[SegmentHeader, Iterator[list[Entry]]]:
    """
    Return a segment's header and, lazily, its entities.

    The end's checksum is verified when the last entity was read: nothing that was read counts before that.

    Args:
        pieces: The stream, cut anywhere.

    Raises:
        RemoteProtocolError: It is malformed or damaged; the iterator raises it too.
    """
    blocks = _blocks(pieces)
    try:
        header = _decode_header(next(blocks))
    except (StopIteration, msgspec.MsgspecError, UnicodeDecodeError):
        raise RemoteProtocolError("a segment without a header") from None
    return header, _entries(blocks)


def _entries(blocks: Iterator[bytes]) -> Iterator[list[Entry]]:
    for block in blocks:
        try:
            yield _decode_entries(block)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RemoteProtocolError(f"a malformed segment ({error})") from None


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    stream = _Stream(pieces)
    if stream.take(len(MAGIC)) != MAGIC:
        raise RemoteProtocolError("a segment of an unknown version")
    while True:
        (length,) = _LENGTH.unpack(stream.take(4))
        if length == 0:
            break
        if length > BLOCK_BYTES_MAX:
            raise RemoteProtocolError(f"a segment's block of {length:,} bytes")
        compressed = stream.take(length)
        try:
            size = zstandard.frame_content_size(compressed)
            if not 0 <= size <= BLOCK_BYTES_MAX:
                raise RemoteProtocolError(f"a segment's block that declares {size:,} bytes")
            yield decompressor.decompress(compressed, max_output_size=size)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"a damaged segment ({error})") from None
    expected = stream.digest.digest()
    if stream.take(32) != expected or not stream.ended():
        raise RemoteProtocolError("a damaged segment (its checksum differs)")


class _Stream:
    """Bytes from pieces, with the digest of all that was taken."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()
        self.digest = blake2b(digest_size=32)

    def take(self, size: int) -> bytes:
        while len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise RemoteProtocolError("a segment that ends too early")
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        self.digest.update(taken)
        return taken

    def ended(self) -> bool:
        return not self._held and not any(self._pieces)


def parts_of(reader: StoreReader, name: bytes) -> Iterator[bytes]:
    """Yield the parts of a segment that a store keeps, in order."""
    number = 0
    while (part := reader.segment_part(name, number)) is not None:
        yield part
        number += 1


def cut(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into parts of ``PART_BYTES_MAX``; the last is shorter."""
    held = bytearray()
    for piece in stream:
        held += piece
        while len(held) >= limits.PART_BYTES_MAX:
            yield bytes(held[: limits.PART_BYTES_MAX])
            del held[: limits.PART_BYTES_MAX]
    if held:
        yield bytes(held)
