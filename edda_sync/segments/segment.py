"""
Segments: the states of all entities at a frontier, as one stream of bytes.

Its magic is "EDDASEG" and a version. Its blocks (:mod:`~edda_sync.segments.stream`) are msgpack: the header, then lists of
heads, then lists of pieces.

The stream is cut into parts of ``PART_BYTES_MAX`` to be sent and stored; its name is the BLAKE2b-256 of the whole stream. A
reader holds one block and one entity in memory, and checks the size of a block before it uses any of it. The number of
heads and the size of a state or a text have no limit: they take as many blocks as they need.

A segment is no evidence. Its maker signs the header, which contains the root of the content and the hash of the heads, so
that a false segment has an author. Only the log behind a segment shows whether it is true.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.segments import stream
from edda_sync.store.seams import Head, StoreReader
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RemoteProtocolError

VERSION: Final = 2
MAGIC: Final = b"EDDASEG" + bytes((VERSION,))
BLOCK_BYTES: Final = 256 * 1024  # how many bytes of states are gathered before they are compressed
BLOCK_BYTES_MAX: Final = 4 * BLOCK_BYTES  # a block may be larger by its last piece or head


class SegmentHeader(msgspec.Struct, frozen=True, array_like=True):
    """
    The header of a segment.

    Attributes:
        maker: The signing key of the device that made it.
        root: The root of its content (``crdt.digests``).
        frontier: The hash of its heads, from :func:`hash_heads`.
        heads, entities: How many there are.
        signature: The maker's signature over :func:`signed_header`; empty while it is being signed.
    """

    maker: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    root: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    frontier: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    heads: Annotated[int, msgspec.Meta(ge=0)]
    entities: Annotated[int, msgspec.Meta(ge=0)]
    signature: bytes = b""
    ext: Ext = exts.NONE


class Text(NamedTuple):
    """An edited text: its field, genesis and full state."""

    field: str
    genesis: bytes
    state: bytes


class Entry(NamedTuple):
    """An entity: its key, canonical state and edited texts."""

    key: bytes
    state: bytes
    texts: tuple[Text, ...]


class _Piece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    A piece of an entity's state (without a field), or of one of its texts. The pieces of each come one after another.

    ``more`` says that the next piece continues the same state or text.
    """

    key: Annotated[bytes, msgspec.Meta(min_length=17, max_length=17)]
    field: str
    genesis: Annotated[bytes, msgspec.Meta(max_length=16)]
    more: bool
    data: bytes


_encoder = msgspec.msgpack.Encoder()
_decode_header = msgspec.msgpack.Decoder(SegmentHeader).decode
_decode_heads = msgspec.msgpack.Decoder(list[Head]).decode
_decode_pieces = msgspec.msgpack.Decoder(list[_Piece]).decode


def hash_heads(heads: Iterable[Head]) -> bytes:
    """Return a hash of actor, seq and hash of each head, in order of actors."""
    digest = blake2b(digest_size=32, person=b"edda-heads")
    for head in sorted(heads):
        digest.update(head.actor + head.seq.to_bytes(8, "big") + head.hash)
    return digest.digest()


def signed_header(header: SegmentHeader, workspace: bytes) -> bytes:
    """Return the message that a segment's maker signs."""
    unsigned = msgspec.structs.replace(header, signature=b"")
    return b"edda segment 1" + workspace + blake2b(_encoder.encode(unsigned), digest_size=32).digest()


def write(header: SegmentHeader, heads: Iterable[Head], entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a segment's stream, a block at a time."""
    head_sizes = ((head, 128 + len(head.deps) + len(head.birth)) for head in heads)
    piece_sizes = ((piece, 40 + len(piece.data)) for entry in entries for piece in _pieces(entry))
    blocks = itertools.chain((_encoder.encode(header),), _gathered(head_sizes), _gathered(piece_sizes))
    return stream.write(MAGIC, blocks)


def _gathered(sized: Iterable[tuple[Any, int]]) -> Iterator[bytes]:
    """Yield blocks of items with known sizes, each block of about ``BLOCK_BYTES``."""
    gathered: list[Any] = []
    total = 0
    for each, size in sized:
        gathered.append(each)
        total += size
        if total >= BLOCK_BYTES:
            yield _encoder.encode(gathered)
            gathered, total = [], 0
    if gathered:
        yield _encoder.encode(gathered)


def _pieces(entry: Entry) -> Iterator[_Piece]:
    for field, genesis, data in (("", b"", entry.state), *entry.texts):
        ends = range(BLOCK_BYTES, len(data) + BLOCK_BYTES, BLOCK_BYTES) or (0,)
        for end in ends:
            yield _Piece(entry.key, field, genesis, end < len(data), data[end - BLOCK_BYTES if end else 0 : end])


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment that is being read: its header and heads, and an iterator over its entities."""

    header: SegmentHeader
    heads: tuple[Head, ...]
    entries: Iterator[Entry]


def read(pieces: Iterable[bytes]) -> Opened:
    """
    Open a segment.

    The checksum at the end is verified after the last entity. Nothing that was read counts before that.

    Args:
        pieces: The stream, in pieces of any size.

    Raises:
        RemoteProtocolError: It is malformed or damaged. The iterator raises this too.
    """
    blocks = stream.read(MAGIC, pieces, BLOCK_BYTES_MAX, "segment")
    try:
        header = _decode_header(next(blocks))
        heads: list[Head] = []
        while len(heads) < header.heads:
            heads += _decode_heads(next(blocks))
    except (StopIteration, ValueError):
        raise RemoteProtocolError("a segment without a header or heads") from None
    exts.check(header.ext)
    bounded = all(0 < head.seq <= SEQ_MAX for head in heads)
    if not bounded or len(heads) != header.heads or hash_heads(heads) != header.frontier:
        raise RemoteProtocolError("a segment with other heads than its header says")
    return Opened(header, tuple(heads), _entries(blocks, header.entities))


def _entries(blocks: Iterator[bytes], count: int) -> Iterator[Entry]:
    found = 0
    for entry in _assembled(_all_pieces(blocks)):
        found += 1
        yield entry
    if found != count:
        raise RemoteProtocolError(f"a segment of {found:,} entities that says {count:,}")


def _all_pieces(blocks: Iterator[bytes]) -> Iterator[_Piece]:
    for block in blocks:
        try:
            yield from _decode_pieces(block)
        except ValueError as error:
            raise RemoteProtocolError(f"a malformed segment ({error})") from None


def _assembled(pieces: Iterator[_Piece]) -> Iterator[Entry]:
    """Yield entities from their pieces: first the state, then the texts."""
    key, state, texts, held = b"", b"", list[Text](), list[bytes]()
    expected: tuple[bytes, str, bytes] | None = None  # the state or text that the next piece must continue
    for piece in pieces:
        name = (piece.key, piece.field, piece.genesis)
        if expected not in (None, name) or (not piece.field and expected is None and piece.key <= key):
            raise RemoteProtocolError("a segment whose pieces are out of order")
        if not piece.field and expected is None:
            if key:
                yield Entry(key, state, tuple(texts))
            key, texts = piece.key, []
        elif piece.key != key:
            raise RemoteProtocolError("a segment with a text of another entity")
        held.append(piece.data)
        expected = name if piece.more else None
        if not piece.more:
            whole, held = b"".join(held), []
            if piece.field:
                texts.append(Text(piece.field, piece.genesis, whole))
            else:
                state = whole
    if expected is not None:
        raise RemoteProtocolError("a segment that ends within an entity")
    if key:
        yield Entry(key, state, tuple(texts))


def parts_of(reader: StoreReader, name: bytes) -> Iterator[bytes]:
    """Yield the parts of a segment that a store holds, in order."""
    number = 0
    while (part := reader.blobs.part(name, number)) is not None:
        yield part
        number += 1


@contextmanager
def ours() -> Iterator[None]:
    """Say that the segment that a store began with is damaged, where a reader would say that a peer has sent it so."""
    try:
        yield
    except RemoteProtocolError as error:
        raise CorruptError(f"What this store began with ({error.reason})") from None


def is_whole(reader: StoreReader, name: bytes) -> bool:
    """Tell whether the parts that a store holds of a segment are those that its name, their hash, stands for."""
    digest = blake2b(digest_size=32)
    for part in parts_of(reader, name):
        digest.update(part)
    return digest.digest() == name


def cut(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into parts of ``PART_BYTES_MAX``; the last part may be shorter."""
    held = bytearray()
    for piece in stream:
        held += piece
        while len(held) >= limits.PART_BYTES_MAX:
            yield bytes(held[: limits.PART_BYTES_MAX])
            del held[: limits.PART_BYTES_MAX]
    if held:
        yield bytes(held)
