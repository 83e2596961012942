"""How a chunk is on disk."""

from __future__ import annotations

import random

import pytest
import zstandard

from edda_sync.files.packing import PLAIN, ZSTD, pack, unpack
from edda_sync.words import limits

NOISE = random.Random(1).randbytes(300_000)
WORDS = b"".join(b"line %d of a log\n" % number for number in range(20_000))


def test_the_bytes_of_a_packed_chunk_stay_as_they_are() -> None:
    assert pack(b"abc") == b"\0abc"
    assert pack(b"") == b"\0"
    assert unpack(bytes.fromhex("0128b52ffd206445000010616101003f012c")) == b"a" * 100  # zstd, as written once


def test_what_compresses_is_compressed_and_what_does_not_is_left_alone() -> None:
    assert pack(WORDS)[:1] == ZSTD
    assert len(pack(WORDS)) < len(WORDS) / 3
    assert pack(NOISE) == PLAIN + NOISE


def test_only_the_beginning_of_a_chunk_is_tried() -> None:
    mixed = NOISE[: limits.CHUNK_TRIAL_BYTES] + WORDS
    assert pack(mixed) == PLAIN + mixed
    worthless = WORDS[: limits.CHUNK_TRIAL_BYTES] + random.Random(2).randbytes(900_000)  # promising, and then not
    assert pack(worthless) == PLAIN + worthless


@pytest.mark.parametrize("chunk", [b"", b"a", WORDS, NOISE, bytes(limits.CHUNK_BYTES)])
def test_unpacking_returns_what_was_packed(chunk: bytes) -> None:
    assert unpack(pack(chunk)) == chunk


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\2abc",
        ZSTD,
        ZSTD + b"abc",
        PLAIN + bytes(limits.CHUNK_BYTES + 1),
        ZSTD + zstandard.compress(bytes(limits.CHUNK_BYTES + 1)),
        ZSTD + zstandard.compress(WORDS)[:-5],
        ZSTD + zstandard.compress(WORDS) + b"more",
        ZSTD + zstandard.ZstdCompressor(write_content_size=False).compress(WORDS),
    ],
    ids=["nothing", "unknown", "no-frame", "noise", "long", "bomb", "cut", "more", "undeclared"],
)
def test_what_is_no_packed_chunk_is_refused(packed: bytes) -> None:
    assert unpack(packed) is None
