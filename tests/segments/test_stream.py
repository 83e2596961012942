"""Streams as bytes: read whole or refused, wherever they are cut, and never more than one block in memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.segments import stream
from edda_sync.words.errors import RemoteProtocolError

MAGIC = b"EDDATEST\x01"
GOLDEN = (
    "4544444154455354010000000c28b52ffd20031900006f6e650000000e28b52ffd2005290000616761696e00000000e38cda"
    "73bf5f69a6c8de2bf60057b03759ca317db03c63e5adfa44fdbcfb257c"
)


def whole(*blocks: bytes) -> bytes:
    return b"".join(stream.write(MAGIC, blocks))


def read(pieces: list[bytes], most: int = 1 << 20) -> list[bytes]:
    return list(stream.read(MAGIC, pieces, most, "test"))


def test_its_bytes_stay_as_they_are() -> None:
    assert whole(b"one", b"again").hex() == GOLDEN


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(0, 900), max_size=4))
def test_blocks_come_back_wherever_the_stream_was_cut(blocks: list[bytes], cuts: list[int]) -> None:
    data = whole(*blocks)
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read([data[one:other] for one, other in pairwise(ends)]) == blocks


def test_each_flipped_bit_and_each_missing_byte_is_noticed() -> None:
    data = whole(b"one", b"again", bytes(1000))
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemoteProtocolError):
            read([bytes(changed)])
    for end in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            read([data[:end]])
    with pytest.raises(RemoteProtocolError):
        read([data, b"x"])


def test_a_block_that_is_too_large_is_refused_before_it_is_expanded() -> None:
    with pytest.raises(RemoteProtocolError, match="declares 1,000,000 bytes"):
        read([whole(bytes(1_000_000))], most=999_999)
