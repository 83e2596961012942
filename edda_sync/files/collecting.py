"""
Collecting: drops the chunks that no attachment needs any more.

Theory. What is needed is marked: every chunk in the tree of a file that some attachment refers to, also one in the trash.
What is not marked, and was added or kept a *grace* ago or earlier, is dropped. Chunks are added before anything refers to
them, so a file that is being attached is not marked yet. It is safe for two reasons: whoever adds holds a lock until its
transaction has ended, and an equal chunk that was here already counts as new from the moment in which it was kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from edda_sync.crdt.attachments import File
from edda_sync.files.chunks import Chunks
from edda_sync.files.tree import decode, listed
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, InvalidValueError


class Collected(NamedTuple):
    """
    What a collection did.

    Attributes:
        dropped: How many chunks were dropped.
        is_whole: False if somebody was adding chunks, so that the rest has to wait.
    """

    dropped: int
    is_whole: bool


def tree_of(chunks: Chunks, file: File) -> Iterator[bytes]:
    """
    Yield the name of every chunk of a file, manifests too, as far as manifests are here and sound.

    A part of a file that is under way is needed as well, so what is not known is no reason to stop.
    """
    yield file.root
    if not file.depth:
        return
    try:
        manifest = chunks.get(file.root)
        parts = [] if manifest is None else decode(manifest, file)
    except (DamagedFileError, InvalidValueError):
        return
    for part in parts:
        yield from tree_of(chunks, File(part.name, part.size, file.depth - 1))


def file_of(chunks: Chunks, root: bytes) -> File:
    """
    Return the file of a root that no attachment describes any more, by what lies there. Pass it to :func:`tree_of`.

    A small file that has the form of a manifest is taken for one: what it lists is then kept as well, for as long.
    """
    try:
        chunk = chunks.get(root) or b""
    except DamagedFileError:
        chunk = b""
    parts = listed(chunk)
    if not parts:
        return File(root, len(chunk), 0)
    return File(root, sum(part.size for part in parts), 2 if parts[0].size > limits.CHUNK_BYTES else 1)


def unneeded(chunks: Chunks, needed: Iterable[File]) -> Iterator[bytes]:
    """Yield the names of the chunks that no file needs. ``needed`` is read before the first."""
    marked = {name for file in set(needed) for name in tree_of(chunks, file)}
    yield from (name for name in chunks.names() if name not in marked)


def collect(chunks: Chunks, needed: Iterable[File], now_s: float, grace_s: float = limits.FILE_GRACE_S) -> Collected:
    """
    Drop the chunks that no file needs.

    Args:
        chunks: Where they are.
        needed: Every file that an attachment refers to. It is read before anything is dropped.
        now_s: Wall time, in seconds since 1970.
        grace_s: How long a chunk that nothing refers to is kept after it was last added or kept, in seconds.

    Raises:
        StorageError: The disk failed. What was dropped by then was not needed.
    """
    before_s = now_s - grace_s
    unmarked = unneeded(chunks, needed)
    dropped = 0
    while names := list(islice(unmarked, limits.COLLECTED_CHUNKS)):
        count = chunks.drop(names, before_s)
        if count is None:
            return Collected(dropped, is_whole=False)
        dropped += count
    chunks.sweep(before_s)
    return Collected(dropped, is_whole=True)
