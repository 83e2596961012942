"""Reading a file as a stream."""

from __future__ import annotations

import io
import os
import random
import time

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.reading import FileReader, Wholeness, wholeness
from edda_sync.files.storing import store
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, FalseFileError, FileNotHereError, InvalidValueError

CONTENT = random.Random(7).randbytes(1_700)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 bytes, and manifests of three parts."""
    monkeypatch.setattr(limits, "CHUNK_BYTES", 200)
    monkeypatch.setattr(limits, "MANIFEST_PARTS_MAX", 3)


@pytest.fixture
def chunks() -> MemoryChunks:
    return MemoryChunks(time.time)


@pytest.fixture
def file(chunks: MemoryChunks) -> File:
    with chunks.adding() as adding:
        return store(adding, io.BytesIO(CONTENT))


def test_any_place_can_be_read_in_any_order(chunks: MemoryChunks, file: File) -> None:
    reader, draw = io.BufferedReader(FileReader(chunks, file, "f"), 1), random.Random(3)
    for _ in range(300):
        at, size = draw.randrange(2_000), draw.randrange(800)
        reader.seek(at)
        assert reader.tell() == at
        assert reader.read(size) == CONTENT[at:][:size]
    assert reader.seek(-5, os.SEEK_END) == 1_695
    assert reader.read() == CONTENT[-5:]
    assert reader.seek(-2, os.SEEK_CUR) == 1_698
    with pytest.raises(InvalidValueError):
        FileReader(chunks, file, "f").seek(-1)


def test_it_behaves_like_any_binary_file(chunks: MemoryChunks, file: File) -> None:
    with FileReader(chunks, file, "picture.png") as reader:
        assert (reader.name, reader.size, reader.readable(), reader.seekable(), reader.writable()) == (
            "picture.png",
            1_700,
            True,
            True,
            False,
        )
        assert io.BufferedReader(reader).read() == CONTENT
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


def test_a_missing_chunk_is_named_as_not_here_and_what_precedes_it_is_read(chunks: MemoryChunks, file: File) -> None:
    reader = FileReader(chunks, file, "f")
    del chunks.packed[next(name for name in chunks.names() if chunks.get(name) == CONTENT[800:1_000])]
    assert b"".join(reader.read(50) for _ in range(16)) == CONTENT[:800]
    with pytest.raises(FileNotHereError, match="f"):
        reader.read(50)
    reader.seek(1_000)
    assert reader.read(100) == CONTENT[1_000:1_100]


def test_a_damaged_chunk_is_never_shown(chunks: MemoryChunks, file: File) -> None:
    name = next(name for name in chunks.names() if chunks.get(name) == CONTENT[800:1_000])
    chunks.packed[name] = chunks.packed[name][:-1] + b"?"
    with pytest.raises(DamagedFileError):
        FileReader(chunks, file, "f").read()


def test_a_size_that_lies_is_an_error(chunks: MemoryChunks) -> None:
    with chunks.adding() as adding:
        file = store(adding, io.BytesIO(b"12345"))
    with pytest.raises(FalseFileError, match="nobody can read it"):
        FileReader(chunks, file._replace(size=6), "f").read()
    with pytest.raises(FalseFileError):
        FileReader(chunks, file._replace(depth=1), "f").read()
    assert wholeness(chunks, file._replace(size=6)) is Wholeness.DAMAGED


def test_the_wholeness_of_a_file_is_told_and_nothing_is_changed(chunks: MemoryChunks, file: File) -> None:
    name = next(name for name in chunks.names() if chunks.get(name) == CONTENT[800:1_000])
    assert wholeness(chunks, file) is Wholeness.WHOLE
    packed = chunks.packed[name]
    chunks.packed[name] = packed[:-1] + b"?"
    assert wholeness(chunks, file) is Wholeness.DAMAGED
    assert name in chunks.packed
    del chunks.packed[name]
    assert wholeness(chunks, file) is Wholeness.MISSING
    chunks.packed[name] = packed
    assert wholeness(chunks, file._replace(size=file.size + 1)) is Wholeness.DAMAGED
    assert wholeness(chunks, File(bytes(32), 0, 0)) is Wholeness.WHOLE, "of an empty file, nothing can be missing"
