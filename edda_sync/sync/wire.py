"""
The wire: messages as frames. A frame is one byte for the encoding, and then the message in msgpack, plain or compressed.

Headers travel without the hashes that their reader can compute (:mod:`~edda_sync.sync.shortening`).

The decoder trusts nothing: it checks the declared size of a compressed frame before it decompresses anything.
"""

from __future__ import annotations

from typing import Final

import msgspec
import zstandard

from edda_sync.sync.messages import Changes, Earlier, Message
from edda_sync.sync.shortening import restored, shortened
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

PLAIN: Final = 0
ZSTD: Final = 1
COMPRESS_BYTES_MIN: Final = 256  # below this the frame would hardly shrink

_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(Message).decode


class Codec:
    """Encodes and decodes the frames of one replica. Compression contexts are costly, and must not be shared by threads."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
        self._decompressor = zstandard.ZstdDecompressor()

    def encode(self, message: Message, *, plain: bool = False) -> bytes:
        """Return the frame of a message; ``plain`` for one that is compressed together with others."""
        if isinstance(message, Changes | Earlier):
            message = msgspec.structs.replace(message, changes=shortened(message.changes))
        encoded = _encoder.encode(message)
        assert len(encoded) < limits.FRAME_BYTES_MAX, "what we send is cut to fit: a longer message is our bug"
        if len(encoded) >= COMPRESS_BYTES_MIN and not plain:
            compressed = self._compressor.compress(encoded)
            if len(compressed) < len(encoded):
                return bytes((ZSTD,)) + compressed
        return bytes((PLAIN,)) + encoded

    def decode(self, frame: bytes) -> Message:
        """
        Return the message of a frame.

        Raises:
            RemoteProtocolError: The frame is too large, malformed or of an unknown kind.
        """
        if not 1 < len(frame) <= limits.FRAME_BYTES_MAX:
            raise RemoteProtocolError(f"a frame of {len(frame):,} bytes")
        how, rest = frame[0], frame[1:]
        if how == ZSTD:
            rest = self._decompress(rest)
        elif how != PLAIN:
            raise RemoteProtocolError(f"a frame of an unknown kind ({how})")
        try:
            message: Message = _decode(rest)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"a malformed frame ({error})") from None
        if isinstance(message, Changes | Earlier):
            message = msgspec.structs.replace(message, changes=restored(message.changes))
        return message

    @staticmethod
    def excess(frame: bytes) -> int:
        """Return how many bytes a decoded frame has beyond ``EXPANSION`` times its own size."""
        if frame[0] != ZSTD:
            return 0
        size: int = zstandard.frame_content_size(frame[1:])
        return max(0, size - limits.EXPANSION * len(frame))

    def _decompress(self, compressed: bytes) -> bytes:
        try:
            size = zstandard.frame_content_size(compressed)
            if not 0 <= size <= limits.FRAME_BYTES_MAX:
                raise RemoteProtocolError(f"a compressed frame that declares {size:,} bytes")
            expanded = self._decompressor.decompress(compressed, max_output_size=size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"a frame that cannot be decompressed ({error})") from None
        if len(expanded) != size:
            raise RemoteProtocolError("a compressed frame that does not hold what it declares")
        return expanded
