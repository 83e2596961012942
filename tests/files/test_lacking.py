"""Which chunks of a file are not here."""

from __future__ import annotations

import io
import random
import time

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import name_of
from edda_sync.files.lacking import Looked, look
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.storing import store
from edda_sync.files.tree import Part, decode, encode
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError

CONTENT = random.Random(7).randbytes(1_700)  # nine chunks in three manifests, and one above them


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


def lose(chunks: MemoryChunks, *places: int) -> None:
    """Lose the chunks that begin at some places of the file."""
    for at in places:
        del chunks.packed[name_of(CONTENT[at : at + 200])]


def test_of_a_file_that_is_here_nothing_lacks(chunks: MemoryChunks, file: File) -> None:
    assert look(chunks, file, 0, 9) == Looked([], None, 1_700)


def test_of_a_file_of_which_nothing_is_here_only_the_root_is_known(file: File) -> None:
    (lacking,), at, here = look(MemoryChunks(time.time), file, 0, 9)
    assert (lacking.name, lacking.size, lacking.end, at, here) == (file.root, None, 1_700, None, 0)


def test_what_lacks_is_found_in_order_and_a_few_at_a_time(chunks: MemoryChunks, file: File) -> None:
    lose(chunks, 200, 800, 1_600)
    first = look(chunks, file, 0, 2)
    assert [(each.size, each.end) for each in first.lacking] == [(200, 400), (200, 1_000)]
    assert (first.at, first.here) == (1_000, 600)
    second = look(chunks, file, 1_000, 2)
    assert [(each.size, each.end) for each in second.lacking] == [(100, 1_700)]
    assert (second.at, second.here) == (None, 600)


def test_a_manifest_that_lacks_stands_for_all_below_it(chunks: MemoryChunks, file: File) -> None:
    parts = decode(chunks.get(file.root) or b"", file)
    del chunks.packed[parts[1].name]
    lose(chunks, 0)
    found = look(chunks, file, 0, 9)
    assert [(each.name, each.size, each.covers) for each in found.lacking] == [
        (name_of(CONTENT[:200]), 200, 200),
        (parts[1].name, None, 600),
    ]
    assert found.here == 1_700 - 200 - 600


def test_a_damaged_manifest_is_set_aside_and_lacks(chunks: MemoryChunks, file: File) -> None:
    chunks.packed[file.root] = b"\0rot"
    assert [each.name for each in look(chunks, file, 0, 9).lacking] == [file.root]
    assert not chunks.has(file.root)


def test_a_file_that_no_manifest_describes_is_told(chunks: MemoryChunks) -> None:
    with chunks.adding() as adding:
        root = adding.add(encode([Part(bytes(32), 7)]))
    with pytest.raises(InvalidValueError):
        look(chunks, File(root, 8, 1), 0, 9)


def test_an_empty_file_is_one_chunk(chunks: MemoryChunks) -> None:
    empty = File(name_of(b""), 0, 0)
    assert [(each.name, each.size) for each in look(chunks, empty, 0, 9).lacking] == [(empty.root, 0)]
    with chunks.adding() as adding:
        adding.add(b"")
    assert look(chunks, empty, 0, 9) == Looked([], None, 0)
