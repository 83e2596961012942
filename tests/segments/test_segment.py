"""Segments as bytes: read whole or refused, wherever they are cut, and with content of any size."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.segments import segment as segments
from edda_sync.segments.segment import BLOCK_BYTES, Entry, SegmentHeader, Text
from edda_sync.store.seams import Head
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RemoteProtocolError

HEAD = Head(b"a" * 16, 3, b"h" * 32, b"\x90", b"birth", 3, b"s" * 64)
HEADER = SegmentHeader(b"m" * 32, b"r" * 32, segments.hash_heads([HEAD]), 1, 2, b"sig")
ENTRIES = [
    Entry(b"\0" + b"a" * 16, b"state a", ()),
    Entry(b"\1" + b"b" * 16, b"state b", (Text("content", b"g" * 16, b"text"),)),
]

GOLDEN_HEADER = (
    "97" + "c420" + "6d" * 32 + "c420" + "72" * 32
    + "c420" + "57020769409f44fff3d2f6bd8d3cc9f997445a93fe172b728e682dfb80483d84" + "01" + "02" + "c403736967" + "90"
)  # fmt: skip
GOLDEN = (
    "45444441534547020000004328b52ffd206fd50100140397c4206dc42072c42057020769409f44fff3d2f6bd8d3cc9f997445a93fe172b728e68"
    "2dfb80483d840102c403736967900200a0190d20020000002928b52ffd2084050100b89197c4106103c42068c40190c405626972746803c44073"
    "0310009454433a2d0000004328b52ffd2078d50100b4029395c4110061a0c400c2c4077374617465206195c411016262a7636f6e74656e74c410"
    "67c2c404746578740500b8ce01cd447116e84207e0000000007e3087df832df018304f3568bf5638371ec0cbbcb846fdeb131093a766ccd47a"
)
BLOCKS = [
    GOLDEN_HEADER,
    "91" + "97" + "c410" + "61" * 16 + "03" + "c420" + "68" * 32 + "c40190" + "c4056269727468" + "03" + "c440" + "73" * 64,
    "93"
     "95" + "c411" + "00" + "61" * 16 + "a0" + "c400" + "c2" + "c4077374617465" + "2061"
    + "95" + "c411" + "01" + "62" * 16 + "a0" + "c400" + "c2" + "c4077374617465" + "2062"
    + "95" + "c411" + "01" + "62" * 16 + "a7636f6e74656e74" + "c410" + "67" * 16 + "c2" + "c40474657874",
]  # fmt: skip
"""What the blocks of the golden segment hold, before compression."""


def stream(entries: list[Entry] = ENTRIES, header: SegmentHeader = HEADER, heads: tuple[Head, ...] = (HEAD,)) -> bytes:
    """A segment's bytes."""
    return b"".join(segments.write(header, heads, entries))


def read(pieces: list[bytes]) -> tuple[SegmentHeader, tuple[Head, ...], list[Entry]]:
    """A segment's content."""
    opened = segments.read(pieces)
    return opened.header, opened.heads, list(opened.entries)


def blocks(whole: bytes) -> list[bytes]:
    """What a segment's blocks hold."""
    found, at = [], len(segments.MAGIC)
    while size := int.from_bytes(whole[at : at + 4], "big"):
        found.append(zstandard.ZstdDecompressor().decompress(whole[at + 4 : at + 4 + size]))
        at += 4 + size
    assert len(whole) == at + 4 + 32
    return found


def of_blocks(*held: bytes) -> bytes:
    """A segment of blocks that hold this."""
    from hashlib import blake2b

    whole = segments.MAGIC
    for each in held:
        compressed = zstandard.ZstdCompressor(write_content_size=True).compress(each)
        whole += len(compressed).to_bytes(4, "big") + compressed
    whole += bytes(4)
    return whole + blake2b(whole, digest_size=32).digest()


# --- golden bytes -----------------------------------------------------------------------------------------------------


def test_a_published_segment_is_read() -> None:
    assert read([bytes.fromhex(GOLDEN)]) == (HEADER, (HEAD,), ENTRIES)


def test_a_segment_has_its_published_blocks() -> None:
    assert [block.hex() for block in blocks(stream())] == BLOCKS
    assert [block.hex() for block in blocks(bytes.fromhex(GOLDEN))] == BLOCKS
    assert stream()[:8] == b"EDDASEG\2"


def test_a_header_and_its_signed_message_have_their_published_bytes() -> None:
    assert msgspec.msgpack.encode(HEADER).hex() == GOLDEN_HEADER
    signed = "4c07e3ac8b0360e841a45c762003bafdb7e019e005462fa132ef92d01880320e"
    assert segments.signed_header(HEADER, b"w" * 16) == b"edda segment 1" + b"w" * 16 + bytes.fromhex(signed)


def test_a_header_s_signature_covers_the_whole_header_except_itself() -> None:
    signed = segments.signed_header(HEADER, b"w" * 16)
    assert segments.signed_header(msgspec.structs.replace(HEADER, signature=b"other"), b"w" * 16) == signed
    for changed in ({"root": bytes(32)}, {"heads": 2}, {"entities": 3}, {"ext": ((2, b"x"),)}, {"maker": bytes(32)}):
        assert segments.signed_header(msgspec.structs.replace(HEADER, **changed), b"w" * 16) != signed
    assert segments.signed_header(HEADER, b"x" * 16) != signed


def test_a_hash_of_heads_covers_actors_and_seqs_and_hashes_in_any_order() -> None:
    other = HEAD._replace(actor=b"b" * 16)
    assert segments.hash_heads([HEAD, other]) == segments.hash_heads([other, HEAD])
    changed: tuple[dict[str, Any], ...] = (
        {"actor": b"x" * 16}, {"seq": 4}, {"hash": bytes(32)}, {"birth": b"other"},
    )  # fmt: skip
    assert len({segments.hash_heads([HEAD._replace(**fields)]) for fields in changed}) == 4
    assert segments.hash_heads([HEAD]) == segments.hash_heads([HEAD._replace(signature=b"", signed_seq=0)])


# --- cut and damaged --------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, len(stream())), max_size=8))
def test_a_segment_is_read_back_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    whole = stream()
    at = [0, *sorted(cuts), len(whole)]
    assert read([whole[start:end] for start, end in pairwise(at)]) == (HEADER, (HEAD,), ENTRIES)


@given(st.integers(0, len(stream()) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_found_anywhere(at: int, mask: int) -> None:
    damaged = bytearray(stream())
    damaged[at] ^= mask
    with pytest.raises(RemoteProtocolError):
        read([bytes(damaged)])


@given(st.integers(0, len(stream()) - 1))
def test_a_segment_that_ends_early_is_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        read([stream()[:size]])


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        read([stream(), b"x"])


def test_a_block_that_declares_more_than_a_block_may_hold_is_not_decompressed() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(segments.BLOCK_BYTES_MAX + 1))
    with pytest.raises(RemoteProtocolError, match="declares"):
        read([segments.MAGIC + len(bomb).to_bytes(4, "big") + bomb])
    with pytest.raises(RemoteProtocolError, match="a segment's block of"):
        read([segments.MAGIC + (segments.BLOCK_BYTES_MAX + 1).to_bytes(4, "big")])


def test_parts_are_cut_to_their_size_and_joined_to_the_same_stream() -> None:
    pieces = [bytes([n]) * 200_000 for n in range(9)]
    parts = list(segments.cut(pieces))
    assert b"".join(parts) == b"".join(pieces)
    assert [len(part) for part in parts[:-1]] == [limits.PART_BYTES_MAX] * (len(parts) - 1)


# --- however much -----------------------------------------------------------------------------------------------------


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_many_entities_go_into_several_blocks() -> None:
    entries = [Entry(b"\0" + bytes([n]) * 16, noise(n, 100_000), ()) for n in range(8)]
    header = msgspec.structs.replace(HEADER, entities=8)
    whole = stream(entries, header)
    assert len(blocks(whole)) > 3
    assert read([whole]) == (header, (HEAD,), entries)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 5_000_000])
def test_a_state_and_a_text_of_any_size_go_over_as_many_blocks_as_they_need(size: int) -> None:
    texts = (Text("content", b"g" * 16, noise(1, size)), Text("content", b"h" * 16, noise(2, size + 1)))
    entries = [
        Entry(b"\0" + b"a" * 16, noise(3, size), texts),
        Entry(b"\0" + b"b" * 16, b"small", ()),
        Entry(b"\0" + b"c" * 16, noise(4, size), ()),
    ]
    header = msgspec.structs.replace(HEADER, entities=3)
    whole = stream(entries, header)
    assert all(len(block) <= segments.BLOCK_BYTES_MAX for block in blocks(whole))
    assert read([whole]) == (header, (HEAD,), entries)


def test_any_number_of_heads_go_over_as_many_blocks_as_they_need() -> None:
    heads = tuple(HEAD._replace(actor=n.to_bytes(16, "big"), signature=noise(n, 64)) for n in range(5_000))
    header = msgspec.structs.replace(HEADER, heads=len(heads), frontier=segments.hash_heads(heads))
    whole = stream(ENTRIES, header, heads)
    assert len(blocks(whole)) > 4
    assert read([whole]) == (header, heads, ENTRIES)


# --- what no maker writes ---------------------------------------------------------------------------------------------


def piece(key: bytes, field: str = "", genesis: bytes = b"", more: bool = False, data: bytes = b"x") -> list[object]:
    return [b"\0" + key * 16, field, genesis, more, data]


ENC = msgspec.msgpack.encode
FIRST = [ENC(HEADER), ENC([HEAD])]


def of_heads(seq: int) -> SegmentHeader:
    """A header that fits a head with this seq, if a hash of the head can be made at all."""
    hashed = segments.hash_heads([HEAD._replace(seq=max(seq, 0))])
    return msgspec.structs.replace(HEADER, frontier=hashed)


@pytest.mark.parametrize(
    "held",
    [
        [],
        FIRST[:1],
        [FIRST[1], FIRST[0]],
        [b"\xc1"],
        [ENC(msgspec.structs.replace(HEADER, heads=2)), FIRST[1]],
        [ENC(msgspec.structs.replace(HEADER, heads=0)), ENC([])],
        [ENC(msgspec.structs.replace(HEADER, frontier=bytes(32))), FIRST[1]],
        *([ENC(of_heads(seq)), ENC([HEAD._replace(seq=seq)])] for seq in (0, -1, -(1 << 63), 1 << 48, (1 << 64) - 1)),
        [*FIRST],  # no entities, where two are said
        [*FIRST, ENC([piece(b"a")])],
        [*FIRST, ENC([piece(b"a"), piece(b"b"), piece(b"c")])],
        [*FIRST, ENC([piece(b"b"), piece(b"a")])],
        [*FIRST, ENC([piece(b"a"), piece(b"a")])],
        [*FIRST, ENC([piece(b"a", more=True), piece(b"b")])],
        [*FIRST, ENC([piece(b"a"), piece(b"b", more=True)])],
        [*FIRST, ENC([piece(b"a"), piece(b"b", "content", b"g" * 16)])],
        [*FIRST, ENC([piece(b"a", "content", b"g" * 16), piece(b"b")])],
        [*FIRST, ENC([piece(b"a"), piece(b"a", "content", b"g" * 16, True), piece(b"b")])],
        [*FIRST, ENC([piece(b"a", more=True), piece(b"a", "content", b"g" * 16), piece(b"b")])],
        [*FIRST, ENC([[*piece(b"a"), "more"], piece(b"b")])],
        [*FIRST, ENC([[b"short", "", b"", False, b""], piece(b"b")])],
        [*FIRST, ENC([piece(b"a", "content", b"g" * 17), piece(b"b")])],
        [*FIRST, ENC({"a": 1})],
    ],
)
def test_blocks_that_no_maker_writes_are_refused(held: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        read([of_blocks(*held)])


def test_fields_that_a_later_version_adds_to_the_header_are_passed_over() -> None:
    fields = msgspec.msgpack.decode(ENC(HEADER))
    later = ENC([*fields[:-1], [[2, b"even"], [4, b"even"]], "more"])
    header, heads, entries = read([of_blocks(later, *map(bytes.fromhex, BLOCKS[1:]))])
    assert header == msgspec.structs.replace(HEADER, ext=((2, b"even"), (4, b"even")))
    assert (heads, entries) == ((HEAD,), ENTRIES)


def test_a_segment_that_only_a_newer_version_understands_is_not_read() -> None:
    later = ENC([*msgspec.msgpack.decode(ENC(HEADER))[:-1], [[3, b"odd"]]])
    with pytest.raises(RemoteProtocolError, match="newer version"):
        read([of_blocks(later, *map(bytes.fromhex, BLOCKS[1:]))])


def test_a_segment_of_another_version_is_not_read() -> None:
    for version in (0, 1, 3, 255):
        with pytest.raises(RemoteProtocolError, match="unknown version"):
            read([b"EDDASEG" + bytes((version,)) + stream()[8:]])


def test_a_segment_of_one_s_own_that_is_damaged_is_nobody_else_s_fault() -> None:
    with (
        pytest.raises(CorruptError, match="What this store began with"),
        segments.ours(),
    ):
        read([b"EDDASEG\0"])
    with segments.ours():
        read([stream()])
