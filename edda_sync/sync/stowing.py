"""
Stowing: what fetching a file asks of the disk, done beside the turns, in one go for many files: chunks are kept, files are
looked through for what is missing, those that are complete are noted, and further ones are listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from edda_sync.crdt.attachments import File, decode
from edda_sync.files.chunks import Chunks, name_of
from edda_sync.files.lacking import Looked, look
from edda_sync.store.held import hold
from edda_sync.store.seams import Store
from edda_sync.sync.fetching import Chunk, Fetch
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError


class Job(NamedTuple):
    """
    What is to be done.

    Attributes:
        keeps: Chunks to keep.
        roots: The files that are being fetched.
        looks: Those to look through now, each with the position to begin at.
        doubts: Files, by root, that may not be complete here although that was noted.
        owed: Chunks of which peers wait to hear that they are here.
        lists: Whether to list files that are not complete here.
        after: The size and root of the last one that was listed; None for the beginning.
        size_max: The size of those that are listed, in bytes at most.
        number: Of the pass through all files to which the listing belongs.
    """

    keeps: list[Chunk]
    roots: Collection[bytes]
    looks: list[tuple[Fetch, int]]
    doubts: Collection[bytes]
    owed: Collection[bytes]
    lists: bool
    after: tuple[int, bytes] | None
    size_max: int
    number: int


class Stowed(NamedTuple):
    """
    What came of it.

    Attributes:
        wrong: Chunks that were not what they are called. They were not kept.
        unneeded: The files, by root, to which no document refers any more.
        looked: What each look found; None for such a file, and for one that nobody can ever read.
        complete: The files, by root, that are complete here.
        false: Those, by root, of which a chunk has another size than they say: nobody can ever read them.
        released: The files, by root, that turned out not to be complete here.
        owed: Those of the chunks that peers wait for which are here, such as those of a file that was attached here, too.
        listed: The files that were listed; None if that was not asked for.
    """

    wrong: set[bytes]
    unneeded: set[bytes]
    looked: list[tuple[Fetch, Looked | None]]
    complete: set[bytes]
    false: set[bytes]
    released: set[bytes]
    owed: list[bytes]
    listed: list[File] | None


def stow(store: Store, chunks: Chunks, job: Job) -> Stowed:
    """
    Do it. What was kept is on disk when this returns.

    Raises:
        StorageError: The disk failed. What was kept by then stays, and everything may be done again.
    """
    wrong, false = _keep(chunks, job.keeps) if job.keeps else (set[bytes](), set[bytes]())
    with store.read() as reader:
        unneeded = {root for root in job.roots if not reader.attachments.referring(root)}
    looked = [
        (fetch, None if fetch.file.root in unneeded else _look(chunks, fetch.file, at)) for fetch, at in job.looks
    ]
    complete = {
        fetch.file.root: fetch.file.size
        for (fetch, found), (_, at) in zip(looked, job.looks, strict=True)
        if at == 0 and found is not None and found.at is None and not found.lacking
    }
    if complete:
        store.transact(lambda tx: hold(tx, complete.items()))
    released = _release(store, chunks, job.doubts)
    listed = None
    if job.lists:
        with store.read() as reader:
            found = reader.attachments.missing(job.size_max, limits.FILES_LISTED, job.after)
        listed = [decode(each.record).file for each in found]
    owed = [name for name in job.owed if chunks.has(name)]
    return Stowed(wrong, unneeded, looked, {*complete}, false, released, owed, listed)


def _keep(chunks: Chunks, keeps: Iterable[Chunk]) -> tuple[set[bytes], set[bytes]]:
    """Keep chunks; return those that are wrong, and the files of which they show that their sizes are false."""
    wrong, false = set(), set()
    with chunks.adding() as adding:
        for chunk in keeps:
            data = b"".join(chunk.pieces)
            if name_of(data) != chunk.name:
                wrong.add(chunk.name)
            else:
                adding.add(data)
                if chunk.said not in (None, len(data)):
                    false.add(chunk.of.file.root)
        adding.settle()
    return wrong, false


def _look(chunks: Chunks, file: File, at: int) -> Looked | None:
    try:
        return look(chunks, file, at, limits.FILE_LACKS_IN_ROW_MAX)
    except InvalidValueError:
        return None


def _release(store: Store, chunks: Chunks, roots: Collection[bytes]) -> set[bytes]:
    """Note of those of some files that are not complete here that they are not; return them."""
    gone = set[bytes]()
    for root in roots:
        with store.read() as reader:
            referring = reader.attachments.referring(root) if reader.attachments.holds(root) else []
        if referring:
            found = _look(chunks, decode(referring[0][1].record).file, 0)
            if found is not None and found.lacking:
                gone.add(root)
    if gone:
        store.transact(lambda tx: tx.attachments.release(gone))
    return gone
