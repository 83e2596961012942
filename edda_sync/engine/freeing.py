"""
Freeing: drops the content of files that no attachment needs any more.

Theory. A chunk says when it was last added or kept, and not when it was last needed. So whoever first sees that a complete
file is needed no more keeps its chunks once again, and notes its root. From then on they last for the *grace*, in which the
file can be attached again, as by `edda undo`. It counts as here for as long, since it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Set

from edda_sync.crdt.attachments import File, decode
from edda_sync.files.chunks import Chunks
from edda_sync.files.collecting import Collected, collect, file_of, tree_of
from edda_sync.store import held
from edda_sync.store.seams import Store, StoreWriter
from edda_sync.words import limits


def free(store: Store, chunks: Chunks, now_s: float) -> Collected:
    """
    Drop the content that no attachment needs, a day after it was seen that none does.

    Args:
        store: The store.
        chunks: Its chunks.
        now_s: Wall time, in seconds since 1970.

    Raises:
        StorageError: The disk failed. What was dropped by then was not needed.
    """
    with store.read() as reader:
        unneeded, noted = set(reader.attachments.unneeded()), held.unneeded(reader)
    if new := unneeded - noted:
        with chunks.adding() as adding:
            for root in new:
                for name in tree_of(chunks, file_of(chunks, root)):
                    adding.keep(name)
    old = {root for root in unneeded & noted if _is_old(chunks, root, now_s)}
    if old or unneeded != noted:

        def note(tx: StoreWriter) -> None:
            still = set(tx.attachments.unneeded())
            tx.attachments.release(old & still)  # should a document refer to one again, it has to be fetched
            held.note_unneeded(tx, unneeded & still - old)

        store.transact(note)
    return collect(chunks, needed(store), now_s)


def undo(store: Store, chunks: Chunks, names: Set[bytes]) -> None:
    """
    Drop chunks that a transaction has written which failed, unless a file that is here has them, or somebody adds some now.

    Args:
        store: The store.
        chunks: Its chunks. The transaction adds no more of them.
        names: The chunks.

    Raises:
        StorageError: The disk failed; the rest is dropped like everything that nothing needs.
    """

    def left() -> Iterator[bytes]:  # once nobody can be adding any, so that everything that is needed is known
        with store.read() as reader:  # what counts as here must stay, also if nothing refers to it for now
            lasting = {file_of(chunks, root) for root in reader.attachments.unneeded()}
        marked = {name for file in needed(store) | lasting for name in tree_of(chunks, file)}
        yield from names - marked

    chunks.drop(left(), math.inf)


def needed(store: Store) -> set[File]:
    """Return every file that an attachment refers to, also one in the trash."""
    with store.read() as reader:
        return {decode(each.record).file for _, each in reader.attachments.scan()}


def _is_old(chunks: Chunks, root: bytes, now_s: float) -> bool:
    kept = chunks.kept(root)
    return kept is None or kept.since_s < now_s - limits.FILE_GRACE_S
