"""
The messages about the content of attached files. PROTOCOL.md has them byte by byte.

They are sent only to peers whose hello has the number :data:`FILES` in its room to grow. What they name are chunks, by their
hashes (``files.chunks``); manifests are chunks like all others.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.attachments import HASH_BYTES
from edda_sync.crdt.ext import Ext
from edda_sync.words import limits

FILES: Final = 2
"""The number in the room to grow of a hello that says: the sender speaks about files."""

Name = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=limits.FILE_NAMES_MAX)]
Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Place = Annotated[int, msgspec.Meta(ge=0, le=limits.CHUNK_BYTES)]
Length = Annotated[int, msgspec.Meta(ge=1, le=limits.FILE_SLICE_BYTES_MAX)]


class Range(msgspec.Struct, frozen=True, array_like=True):
    """A part of a chunk: its name, where the part begins, and how long it is at most, in bytes."""

    chunk: Name
    at: Place
    size: Length


class Seek(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """
    Asks for parts of chunks. Each is answered, by :class:`Slice` or :class:`Lacks`.

    Attributes:
        file: The root of the file to which they belong.
        wanted: The parts. With those that were asked for before and are not answered yet, they are ``FILE_ASKS_MAX`` at
            most, and have ``FILE_WINDOW_BYTES_MAX`` together.
        ext: Room to grow.
    """

    file: Name
    wanted: Annotated[tuple[Range, ...], msgspec.Meta(max_length=limits.FILE_ASKS_MAX)]
    ext: Ext = exts.NONE


class Slice(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """
    A part of a chunk.

    Attributes:
        chunk: The name of the chunk.
        total: How many bytes the chunk has.
        at: Where the part begins.
        data: As many bytes as were asked for, or as there are.
        ext: Room to grow.
    """

    chunk: Name
    total: Place
    at: Place
    data: bytes
    ext: Ext = exts.NONE


class Lacks(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """Answers all that was asked of some chunks: the sender does not have them, and says :class:`Has` when it does."""

    chunks: Names
    ext: Ext = exts.NONE


class Has(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """
    How the sender stands with files.

    Attributes:
        chunks: Chunks that it said it lacks, and has now.
        files: How many files it is fetching, or about to fetch, from anybody; 0 once nothing more will come.
        left: How many bytes of these it does not have yet.
        ext: Room to grow.
    """

    chunks: Names
    files: Number
    left: Number
    ext: Ext = exts.NONE


FileMessage = Seek | Slice | Lacks | Has
