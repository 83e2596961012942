"""The wire: every message survives it, and nothing that is no message gets through."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.sync.messages import (
    Ack,
    Branch,
    Cells,
    Changes,
    Goodbye,
    Hello,
    Message,
    Part,
    SignedHead,
    Snapshot,
    Summary,
    Wish,
)
from edda_sync.sync.wire import PLAIN, ZSTD, Codec
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

ACTOR, HASH = b"a" * 16, b"h" * 32
GOODBYE = Goodbye("closing", "none")
LONG = Changes(
    ((b"header", b"body"), (b"header" * 100, b"body" * 1_000)), (SignedHead(ACTOR, 3, b"s" * 64, b"p" * 32),)
)
MESSAGES: list[Message] = [
    Hello(
        (1, 1),
        b"w" * 16,
        "device",
        b"n" * 16,
        (Summary(ACTOR, 3, b"h" * 16),),
        False,
        (b"e" * 16,),
        0,
        (Wish(ACTOR, 4, 2),),
    ),
    LONG,
    Part(ACTOR, 3, 0, bytes(limits.PART_BYTES_MAX)),
    Snapshot(HASH, 9, 8, b"data"),
    Ack(((ACTOR, 2), (b"b" * 16, 4)), 5, True, HASH, 6),
    Cells(HASH, 0, bytes(61)),
    Branch(ACTOR, b"birth", 1, HASH, (HASH, HASH), b"s" * 64),
    GOODBYE,
]


@pytest.fixture
def codec() -> Codec:
    return Codec()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__.lower())
def test_a_message_survives_the_wire(codec: Codec, message: Message) -> None:
    assert codec.decode(codec.encode(message)) == message


def test_a_long_message_is_compressed_and_a_short_one_is_not(codec: Codec) -> None:
    assert codec.encode(LONG)[0] == ZSTD
    assert codec.encode(GOODBYE)[0] == PLAIN


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__.lower())
def test_a_frame_cut_short_anywhere_or_with_bytes_left_over_is_refused(codec: Codec, message: Message) -> None:
    frame = codec.encode(message)
    for size in range(0, len(frame), max(1, len(frame) // 200)):
        with pytest.raises(RemoteProtocolError):
            codec.decode(frame[:size])
    with pytest.raises(RemoteProtocolError):
        codec.decode(frame + b"\0")


def test_a_frame_larger_than_allowed_is_refused_unread(codec: Codec) -> None:
    with pytest.raises(RemoteProtocolError, match="a frame of"):
        codec.decode(bytes((PLAIN,)) + bytes(limits.FRAME_BYTES_MAX))


def test_a_bomb_that_declares_its_size_is_not_decompressed(codec: Codec) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(200_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(RemoteProtocolError, match="declares 200,000,000 bytes"):
        codec.decode(bytes((ZSTD,)) + bomb)


def test_a_bomb_that_declares_nothing_is_not_decompressed(codec: Codec) -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(200_000_000))
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((ZSTD,)) + bomb)


def test_a_bomb_that_declares_less_than_it_holds_is_refused(codec: Codec) -> None:
    honest = bytearray(zstandard.ZstdCompressor().compress(bytes(100_000)))
    small = zstandard.ZstdCompressor().compress(bytes(65_000))
    at = len(zstandard.FRAME_HEADER) + 1
    honest[at : at + 2] = small[at : at + 2]
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((ZSTD,)) + bytes(honest))


def test_frames_behind_the_first_are_refused(codec: Codec) -> None:
    one = zstandard.ZstdCompressor().compress(codec.encode(GOODBYE)[1:])
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((ZSTD,)) + one + one)


@pytest.mark.parametrize(
    "encoded",
    [
        [99, "no such message"],
        [7, "closing"],
        [7, "closing", "none", "what is no room to grow"],
        [7, 1, "none"],
        {"reason": "closing"},
        "goodbye",
        None,
    ],
)
def test_what_was_not_agreed_on_is_refused(codec: Codec, encoded: object) -> None:
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((PLAIN,)) + msgspec.msgpack.encode(encoded))


def test_nesting_without_end_is_refused(codec: Codec) -> None:
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((PLAIN,)) + b"\x91" * 100_000 + b"\xc0")


def test_text_that_is_no_utf8_is_refused(codec: Codec) -> None:
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes((PLAIN,)) + b"\x93\x07\xa1\xff\xa4none")


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_a_protocol_error(frame: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        Codec().decode(frame)


@given(st.sampled_from(MESSAGES), st.data())
def test_no_damaged_message_raises_anything_but_a_protocol_error(message: Message, data: st.DataObject) -> None:
    codec = Codec()
    frame = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RemoteProtocolError):
        codec.decode(bytes(frame))
