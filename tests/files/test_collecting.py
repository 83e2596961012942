"""Collecting what no attachment needs."""

from __future__ import annotations

import io
import random

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.files.collecting import Collected, collect, tree_of
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.reading import FileReader
from edda_sync.files.storing import store
from edda_sync.words import limits


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 bytes, and manifests of three parts."""
    monkeypatch.setattr(limits, "CHUNK_BYTES", 200)
    monkeypatch.setattr(limits, "MANIFEST_PARTS_MAX", 3)
    monkeypatch.setattr(limits, "COLLECTED_CHUNKS", 2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chunks(clock: Clock) -> MemoryChunks:
    return MemoryChunks(clock)


def stored(chunks: MemoryChunks, content: bytes) -> File:
    with chunks.adding() as adding:
        return store(adding, io.BytesIO(content))


def test_what_is_needed_stays_whole_and_the_rest_is_dropped(chunks: MemoryChunks, clock: Clock) -> None:
    draw = random.Random(1)
    contents = [draw.randbytes(size) for size in (5, 200, 500, 1_200, 1_800)]
    shared = contents[3][:600] + draw.randbytes(800)
    files = [stored(chunks, content) for content in [*contents, shared]]
    needed = [files[1], files[3]]
    expected = {name for file in needed for name in tree_of(chunks, file)}
    before = len(chunks.packed)
    clock.now += 1
    assert collect(chunks, needed, clock.now, 0) == Collected(before - len(expected), is_whole=True)
    assert set(chunks.names()) == expected
    assert [FileReader(chunks, file, "f").read() for file in needed] == [contents[1], contents[3]]
    assert collect(chunks, [], clock.now, 0).dropped == len(expected)
    assert chunks.packed == {}


def test_what_is_new_stays_although_nothing_refers_to_it_yet(chunks: MemoryChunks, clock: Clock) -> None:
    file = stored(chunks, b"0123456789abcdef")
    assert collect(chunks, [], clock.now) == Collected(0, is_whole=True)
    clock.now += limits.FILE_GRACE_S + 1
    again = stored(chunks, b"0123456789abcdef")  # attached again, just before it would be collected
    assert again == file
    assert collect(chunks, [], clock.now).dropped == 0


def test_nothing_is_dropped_while_somebody_attaches(chunks: MemoryChunks, clock: Clock) -> None:
    stored(chunks, b"old")
    clock.now += 10
    with chunks.adding():
        assert collect(chunks, [], clock.now, 0) == Collected(0, is_whole=False)
    assert collect(chunks, [], clock.now, 0) == Collected(1, is_whole=True)


def test_a_file_that_is_partly_here_keeps_what_is_here(chunks: MemoryChunks, clock: Clock) -> None:
    content = random.Random(2).randbytes(1_800)
    file = stored(chunks, content)
    gone = [name for name in tree_of(chunks, file) if len(chunks.get(name) or b"") == 200][4]
    inner = chunks.packed.pop(gone)
    clock.now += 10
    assert collect(chunks, [file], clock.now, 0).dropped == 0
    chunks.put(gone, inner)
    assert FileReader(chunks, file, "f").read() == content


@pytest.mark.parametrize("left", [b"\0nonsense", b"\7"])
def test_a_damaged_or_senseless_manifest_ends_its_tree(chunks: MemoryChunks, clock: Clock, left: bytes) -> None:
    file, other = stored(chunks, random.Random(4).randbytes(500)), stored(chunks, b"other")
    chunks.packed[file.root] = left
    clock.now += 10
    assert list(tree_of(chunks, file)) == [file.root]
    collect(chunks, [file, other], clock.now, 0)
    assert set(chunks.names()) == {file.root, other.root}
    with chunks.adding() as adding:
        senseless = File(adding.add(b"no list"), 500, 1)
    assert list(tree_of(chunks, senseless)) == [senseless.root]
