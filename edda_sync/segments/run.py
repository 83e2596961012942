"""
Runs: the changes that lie between two frontiers, as one stream of bytes, for backups and for bundles on a USB stick.

Its magic is "EDDARUN" and a version. Its blocks (:mod:`~edda_sync.segments.stream`) are msgpack: the header, then lists of
frames. The frames are those that a session would send to a device that holds the first frontier (``sync.wire``, none of
them compressed). Whoever takes a run takes these frames as from a peer, so that a false run can do no more than a false
peer: each change is vouched for by its author.

The maker signs the header, which contains the hash of all frames, so that a run has an author, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Seq
from edda_sync.segments import stream
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

VERSION: Final = 1
MAGIC: Final = b"EDDARUN" + bytes((VERSION,))
BLOCK_BYTES: Final = 256 * 1024  # how many bytes of frames are gathered before they are compressed
BLOCK_BYTES_MAX: Final = BLOCK_BYTES + limits.FRAME_BYTES_MAX + 1024  # a block may be larger by its last frame

Hash16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Hash32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Heads = tuple[tuple[Hash16, Seq, Hash16], ...]
"""Chains by name, in order of names: the seq of the last change of each, and the first 16 bytes of that change's hash."""


class RunHeader(msgspec.Struct, frozen=True, array_like=True):
    """
    The header of a run.

    Attributes:
        workspace: The id of the workspace.
        maker: The signing key of the device that made it.
        made_ms: When it was made, by the maker's clock, in milliseconds since 1970.
        since: What a reader must hold already.
        heads: What a reader holds once it has taken the run.
        content: The digest of the content at ``heads``, 16 bytes; empty if the maker held more by then, or could not tell.
        evidence: The hash of the set of signed evidence at the maker.
        changes, frames: How many there are.
        hash: The BLAKE2b-256 over all frames, each with its length before it (u32).
        signature: The maker's signature over :func:`signed_header`; empty while it is being signed.
        ext: Room to grow.
    """

    workspace: Hash16
    maker: Hash32
    made_ms: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
    since: Heads
    heads: Heads
    content: Annotated[bytes, msgspec.Meta(max_length=16)]
    evidence: Hash32
    changes: Annotated[int, msgspec.Meta(ge=0)]
    frames: Annotated[int, msgspec.Meta(ge=0)]
    hash: Hash32
    signature: bytes = b""
    ext: Ext = exts.NONE


_encoder = msgspec.msgpack.Encoder()
_decode_header = msgspec.msgpack.Decoder(RunHeader).decode
_decode_frames = msgspec.msgpack.Decoder(list[bytes]).decode


def hash_frames(frames: Iterable[bytes]) -> bytes:
    """Return the hash of all frames of a run."""
    digest = blake2b(digest_size=32, person=b"edda-run")
    for frame in frames:
        digest.update(len(frame).to_bytes(4, "big") + frame)
    return digest.digest()


def signed_header(header: RunHeader) -> bytes:
    """Return the message that a run's maker signs."""
    unsigned = msgspec.structs.replace(header, signature=b"")
    return b"edda run 1" + blake2b(_encoder.encode(unsigned), digest_size=32).digest()


def write(header: RunHeader, frames: Sequence[bytes]) -> bytes:
    """Return the bytes of a run. :func:`read` reads them."""
    return b"".join(stream.write(MAGIC, (_encoder.encode(header), *_gathered(frames))))


def _gathered(frames: Iterable[bytes]) -> Iterator[bytes]:
    gathered, total = list[bytes](), 0
    for frame in frames:
        gathered.append(frame)
        total += len(frame)
        if total >= BLOCK_BYTES:
            yield _encoder.encode(gathered)
            gathered, total = [], 0
    if gathered:
        yield _encoder.encode(gathered)


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run that is being read: its header, and an iterator over its frames."""

    header: RunHeader
    frames: Iterator[bytes]


def read(pieces: Iterable[bytes]) -> OpenedRun:
    """
    Open a run.

    Its hash and checksum are verified after the last frame. A frame may be taken before that, because the changes in it are
    vouched for by their authors.

    Args:
        pieces: The stream, in pieces of any size.

    Raises:
        RemoteProtocolError: It is malformed or damaged. The iterator raises this too.
    """
    blocks = stream.read(MAGIC, pieces, BLOCK_BYTES_MAX, "run of changes")
    try:
        header = _decode_header(next(blocks))
    except (StopIteration, ValueError):
        raise RemoteProtocolError("a run of changes without a header") from None
    exts.check(header.ext)
    for heads in (header.since, header.heads):
        names = [name for name, _, _ in heads]
        if names != sorted(set(names)):
            raise RemoteProtocolError("a run of changes whose heads are out of order")
    return OpenedRun(header, _frames(blocks, header))


def _frames(blocks: Iterator[bytes], header: RunHeader) -> Iterator[bytes]:
    digest, count = blake2b(digest_size=32, person=b"edda-run"), 0
    for block in blocks:
        try:
            frames = _decode_frames(block)
        except ValueError as error:
            raise RemoteProtocolError(f"a malformed run of changes ({error})") from None
        for frame in frames:
            count += 1
            digest.update(len(frame).to_bytes(4, "big") + frame)
            yield frame
    if (count, digest.digest()) != (header.frames, header.hash):
        raise RemoteProtocolError("a run of changes with other frames than its header says")
