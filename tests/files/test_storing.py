"""Storing a stream in chunks."""

from __future__ import annotations

import io
import random
import time
import tracemalloc

import pytest

from edda_sync.crdt.attachments import File, check
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.reading import FileReader
from edda_sync.files.storing import store
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, LimitError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 bytes, and manifests of three parts."""
    monkeypatch.setattr(limits, "CHUNK_BYTES", 200)
    monkeypatch.setattr(limits, "MANIFEST_PARTS_MAX", 3)
    monkeypatch.setattr(limits, "FILE_BYTES_MAX", 1_800)


class Dribble:
    """A stream that yields a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, 7))


def kept(content: bytes) -> tuple[MemoryChunks, File]:
    chunks = MemoryChunks(time.time)
    with chunks.adding() as adding:
        file = store(adding, io.BytesIO(content))
    return chunks, file


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 400, 599, 600, 601, 1_200, 1_201, 1_799, 1_800])
def test_what_was_stored_is_read_again(size: int) -> None:
    content = random.Random(size).randbytes(size)
    chunks, file = kept(content)
    check(file)
    assert file.size == size
    assert file.depth == (0 if size <= 200 else 1 if size <= 600 else 2)
    assert FileReader(chunks, file, "f").read() == content
    with chunks.adding() as adding:
        assert store(adding, Dribble(content)) == file, "how a stream yields its bytes makes no difference"


@pytest.mark.usefixtures("small")
def test_a_file_that_is_too_long_is_refused() -> None:
    with pytest.raises(LimitError):
        kept(bytes(1_801))


def test_a_stream_of_text_is_refused_in_words() -> None:
    with MemoryChunks(time.time).adding() as adding, pytest.raises(InvalidValueError, match="binary"):
        store(adding, io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
def test_equal_parts_are_kept_once() -> None:
    chunks, _ = kept((b"0123456789" * 20) * 9)
    assert len(list(chunks.names())) == 3  # one chunk, one manifest of three, and the root


class Zeros:
    """A long stream that takes no room."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int, /) -> bytes:
        count = min(size, self._left)
        self._left -= count
        return bytes(count)


def test_a_long_file_is_stored_and_read_within_a_few_chunks_of_memory() -> None:
    chunks = MemoryChunks(time.time)  # equal chunks take no room
    size = 40 * limits.CHUNK_BYTES + 1
    tracemalloc.start()
    try:
        with chunks.adding() as adding:
            file = store(adding, Zeros(size))
        reader, read = FileReader(chunks, file, "f"), 0
        while piece := reader.read(100_000):
            read += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (file.size, read) == (size, size)
    assert peak < 8 * limits.CHUNK_BYTES
