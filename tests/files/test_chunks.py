"""The contract of places that keep chunks: on disk, plain and sealed, and in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync.files.chunks import Chunks, name_of
from edda_sync.files.disk import DiskChunks
from edda_sync.files.memory import MemoryChunks
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError
from tests.encrypted import sealed_in

LATER = 4_000_000_000.0  # wall time: after everything here
SAMPLES = [b"", b"a", b"words " * 9_000, bytes(limits.CHUNK_BYTES)]


@pytest.fixture(params=["disk", "sealed", "memory"])
def chunks(request: pytest.FixtureRequest, tmp_path: Path) -> Chunks:
    if request.param == "memory":
        return MemoryChunks(time.time)
    return DiskChunks(tmp_path / "files", sealed_in(tmp_path) if request.param == "sealed" else None)


def added(chunks: Chunks, *samples: bytes) -> list[bytes]:
    with chunks.adding() as adding:
        names = [adding.add(sample) for sample in samples]
        adding.settle()
    return names


def damage(chunks: Chunks, name: bytes, change: Callable[[bytes], bytes]) -> None:
    if isinstance(chunks, DiskChunks):
        path = chunks.path(name)
        path.write_bytes(change(path.read_bytes()))
    else:
        assert isinstance(chunks, MemoryChunks)
        chunks.packed[name] = change(chunks.packed[name])


def test_the_name_of_a_chunk_is_its_hash() -> None:
    golden = "46f4c3b1ed8044d82c6a731fde1789428b9f74cd62b52de18a0beab3615ace5f"
    assert name_of(b"a").hex() == golden


@pytest.mark.parametrize("sample", SAMPLES, ids=["empty", "short", "compressible", "longest"])
def test_what_was_added_is_returned_under_its_name(chunks: Chunks, sample: bytes) -> None:
    (name,) = added(chunks, sample)
    assert name == name_of(sample)
    assert (chunks.has(name), chunks.get(name)) == (True, sample)


def test_what_was_never_added_is_not_here(chunks: Chunks) -> None:
    name = name_of(b"never")
    assert (chunks.has(name), chunks.get(name), list(chunks.names())) == (False, None, [])
    assert chunks.drop([name], LATER) == 0
    chunks.sweep(LATER)


def test_how_a_chunk_is_kept_is_told_without_reading_it(chunks: Chunks) -> None:
    before = time.time()
    (name,) = added(chunks, b"a" * 1_000)
    kept = chunks.kept(name)
    assert kept is not None
    assert 10 < kept.size < 120, "compressed, and perhaps sealed"
    assert before - 1 < kept.since_s < time.time() + 1
    assert chunks.kept(name_of(b"never")) is None


def test_equal_chunks_are_kept_once(chunks: Chunks) -> None:
    one, other = added(chunks, b"same", b"same")
    assert one == other
    assert list(chunks.names()) == [one]


def test_names_come_in_an_order_that_lasts_and_go_on_after_any_of_them(chunks: Chunks) -> None:
    added_names = added(chunks, *(bytes([number]) for number in range(30)))
    names = list(chunks.names())
    assert sorted(names) == sorted(added_names)
    for place in range(len(names)):
        assert list(chunks.names(after=names[place])) == names[place + 1 :]


@pytest.mark.parametrize("sample", SAMPLES[1:], ids=["short", "compressible", "longest"])
def test_no_flipped_bit_is_ever_returned(chunks: Chunks, sample: bytes) -> None:
    (name,) = added(chunks, sample)
    for place in (0, 1, -1):
        for bit in range(8):

            def flip(packed: bytes, place: int = place, bit: int = bit) -> bytes:
                flipped = bytearray(packed)
                flipped[place] ^= 1 << bit
                return bytes(flipped)

            damage(chunks, name, flip)
            with pytest.raises(DamagedFileError):
                chunks.get(name)
            damage(chunks, name, flip)
    assert chunks.get(name) == sample


@pytest.mark.parametrize("left", [b"", b"\0", b"\1", b"\1 nonsense", b"\7abc"])
def test_what_is_no_chunk_is_damage(chunks: Chunks, left: bytes) -> None:
    (name,) = added(chunks, b"sample" * 100)
    damage(chunks, name, lambda _: left)
    assert chunks.has(name)
    with pytest.raises(DamagedFileError):
        chunks.get(name)


def test_adding_a_damaged_chunk_again_mends_it(chunks: Chunks) -> None:
    (name,) = added(chunks, b"sample" * 100)
    damage(chunks, name, lambda packed: packed[:-1])
    added(chunks, b"sample" * 100)
    assert chunks.get(name) == b"sample" * 100


def test_a_chunk_is_dropped_only_if_it_is_old(chunks: Chunks) -> None:
    (name,) = added(chunks, b"sample")
    assert chunks.drop([name], before_s=1.0) == 0
    assert chunks.has(name)
    assert chunks.drop([name, name_of(b"never")], LATER) == 1
    assert not chunks.has(name)


def test_nothing_is_dropped_while_somebody_adds(chunks: Chunks) -> None:
    (name,) = added(chunks, b"sample")
    with chunks.adding(), chunks.adding() as adding:
        assert adding.keep(name)
        assert chunks.drop([name], LATER) is None
        assert chunks.has(name)
    assert chunks.drop([name], LATER) == 1
    with chunks.adding() as adding:
        assert not adding.keep(name)
