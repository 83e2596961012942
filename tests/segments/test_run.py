"""Runs of changes as bytes: read whole or refused, and signed by their makers."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync.segments import run as runs
from edda_sync.segments import stream
from edda_sync.segments.run import RunHeader
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

FRAMES = [b"first frame", b"second frame"]
HEADER = RunHeader(
    b"w" * 16,
    b"m" * 32,
    1_700_000_000_000,
    ((b"a" * 16, 3, b"h" * 16),),
    ((b"a" * 16, 5, b"i" * 16), (b"b" * 16, 1, b"j" * 16)),
    b"c" * 16,
    b"e" * 32,
    3,
    2,
    runs.hash_frames(FRAMES),
    b"s" * 64,
)
GOLDEN_HASH = "b90ef149c0beee1d3da3972bba03c1d973b4a1525d744a21ada09409e20ad067"
GOLDEN_SIGNED = "656464612072756e20318a04bd8d36f8dd72c3427a92803a572f9cee74a97a6fc190ec88e28495b2a814"
GOLDEN = (
    "4544444152554e010000007a28b52ffd604d0085030044059cc41077c4206dcf0000018bcfe568009193c4106103c410689205c4106993"
    "c4106201c4106ac41063c420650302c420b90ef149c0beee1d3da3972bba03c1d973b4a1525d744a21ada09409e20ad067c44073900b00"
    "27901e6806e806e808e808ae23a5920b3a02740a34a303440000002528b52ffd201ce1000092c40b6669727374206672616d65c40c7365"
    "636f6e64206672616d65000000003d326c0d256239028831fdacb48162310ddebf924a8a1c225e802204fc1337c4"
)


def read(data: bytes) -> list[bytes]:
    return list(runs.read([data]).frames)


def encoded(*blocks: object) -> bytes:
    """A run of other blocks than :func:`runs.write` would make."""
    return b"".join(stream.write(runs.MAGIC, map(msgspec.msgpack.encode, blocks)))


def test_its_bytes_stay_as_they_are() -> None:
    assert runs.hash_frames(FRAMES).hex() == GOLDEN_HASH
    assert runs.signed_header(HEADER).hex() == GOLDEN_SIGNED
    assert runs.write(HEADER, FRAMES).hex() == GOLDEN


def test_a_run_is_read_as_it_was_written() -> None:
    opened = runs.read([runs.write(HEADER, FRAMES)])
    assert opened.header == HEADER
    assert list(opened.frames) == FRAMES


def test_frames_of_any_number_and_size_come_back_in_order() -> None:
    frames = [bytes([number % 256]) * (number * 997 % 5000) for number in range(300)] + [bytes(limits.FRAME_BYTES_MAX)]
    header = msgspec.structs.replace(HEADER, frames=len(frames), hash=runs.hash_frames(frames))
    assert read(runs.write(header, frames)) == frames


def test_other_frames_than_the_signed_ones_are_noticed_at_the_end() -> None:
    for frames in ([FRAMES[0]], FRAMES[::-1], [*FRAMES, b"third"], [FRAMES[0] + FRAMES[1]]):
        with pytest.raises(RemoteProtocolError, match="other frames"):
            read(runs.write(HEADER, frames))


@pytest.mark.parametrize(
    "blocks",
    [(), ("no header",), ([1, 2, 3],), (HEADER, "no frames"), (HEADER, [1, 2])],
    ids=["nothing", "a text", "a short list", "frames that are a text", "frames that are numbers"],
)
def test_what_is_no_run_is_refused(blocks: tuple[object, ...]) -> None:
    with pytest.raises(RemoteProtocolError):
        read(encoded(*blocks))


def test_heads_out_of_order_are_refused() -> None:
    for field in ("since", "heads"):
        for heads in (HEADER.heads[::-1], (HEADER.heads[0], HEADER.heads[0])):
            with pytest.raises(RemoteProtocolError, match="out of order"):
                read(runs.write(msgspec.structs.replace(HEADER, **{field: heads}), FRAMES))


def test_what_only_a_newer_version_understands_is_refused_and_the_rest_ignored() -> None:
    assert read(runs.write(msgspec.structs.replace(HEADER, ext=((2, b"more"),)), FRAMES)) == FRAMES
    with pytest.raises(RemoteProtocolError, match="newer version"):
        read(runs.write(msgspec.structs.replace(HEADER, ext=((3, b"more"),)), FRAMES))
