"""Lacking: which chunks of a file are not here, in the order of the file, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import Chunks
from edda_sync.files.tree import Part, decode
from edda_sync.words.errors import DamagedFileError


class Lacking(NamedTuple):
    """
    A chunk that is not here.

    Attributes:
        name: Its name.
        size: In bytes; None for a manifest, whose size nobody knows before it is here.
        covers: How many bytes of the file it stands for.
        end: Where what it stands for ends, in bytes of the file.
    """

    name: bytes
    size: int | None
    covers: int
    end: int


class Looked(NamedTuple):
    """
    A look through a part of a file.

    Attributes:
        lacking: The chunks that are not here.
        at: Where the next look begins, in bytes of the file; None if this one reached the end.
        here: How many bytes of the file were looked at, and are here.
    """

    lacking: list[Lacking]
    at: int | None
    here: int


def look(chunks: Chunks, file: File, at: int, limit: int) -> Looked:
    """
    Look through a file from a position on, until some chunks are found that are not here.

    A damaged manifest is set aside, and counts as one that is not here. Other chunks are not read.

    Args:
        chunks: Where the chunks are.
        file: The file.
        at: Where to begin, in bytes of the file.
        limit: How many chunks are looked for.

    Raises:
        InvalidValueError: A manifest does not describe the file, so nobody can ever read it.
        StorageError: The disk failed.
    """
    found = list(islice(_lacking(chunks, file, at, 0), limit))
    ended = len(found) < limit
    end = file.size if ended else found[-1].end
    lacking = sum(each.covers - max(0, at - (each.end - each.covers)) for each in found)
    return Looked(found, None if ended else end, max(0, end - at - lacking))


def _lacking(chunks: Chunks, file: File, at: int, begin: int) -> Iterator[Lacking]:
    if not file.depth:
        if not chunks.has(file.root):
            yield Lacking(file.root, file.size, file.size, begin + file.size)
        return
    parts = _parts(chunks, file)
    if parts is None:
        yield Lacking(file.root, None, file.size, begin + file.size)
        return
    for part in parts:
        if begin + part.size > at:
            yield from _lacking(chunks, File(part.name, part.size, file.depth - 1), at, begin)
        begin += part.size


def _parts(chunks: Chunks, file: File) -> list[Part] | None:
    try:
        manifest = chunks.get(file.root)
    except DamagedFileError:
        chunks.set_aside(file.root)
        return None
    return None if manifest is None else decode(manifest, file)
