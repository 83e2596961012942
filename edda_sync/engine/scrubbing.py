"""
Scrubbing: what a running device checks in the background, a slice at a time. First come the entities, and then the chunks of
attached files. A damaged chunk is set aside, and its file counts as not here, so that it can be fetched again.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from edda_sync.engine import backend
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, DiskFaultError, shown

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.files.chunks import Chunks
    from edda_sync.fold.scrub import Damage

CHUNKS: Final = b"\xff"
"""What precedes the name of a chunk where a scrub goes on. No entity's key begins so."""


class Slice(NamedTuple):
    """
    What a slice of the scrub found.

    Attributes:
        found: Damaged entities, which can be folded again from the log.
        lost: In sentences for a person, which attached files are damaged, or have vanished.
        following: Where the next slice begins; None at the end.
    """

    found: list[Damage]
    lost: list[str]
    following: bytes | None


def scrub(engine: StorageEngine, after: bytes, limit: int) -> Slice:
    """
    Check a slice of what is stored. At the end, drop the content that nothing needs any more.

    Args:
        engine: An open store.
        after: Where to go on, as the last slice said it; empty at the start.
        limit: How many entities to check.

    Raises:
        StorageError: What keeps the states of the store cannot do its work.
    """
    backend.check(engine.store)
    found: list[Damage] = []
    if not after.startswith(CHUNKS):
        found, following = engine.reading.scrub(after, limit)
        if following is not None:
            return Slice(found, [], following)
        after = CHUNKS
    lost, name = _scrub_chunks(engine, after.removeprefix(CHUNKS))
    return Slice(found, lost, None if name is None else CHUNKS + name)


def _scrub_chunks(engine: StorageEngine, after: bytes) -> tuple[list[str], bytes | None]:
    files = engine.reading.files
    if not files.are_kept:
        return [], None
    looked = list(islice(files.chunks.names(after), limits.SCRUB_CHUNKS))
    damaged = {name for name in looked if not _is_sound(files.chunks, name)}
    lost = [_sentence("is damaged on this disk, and was set aside", *each) for each in files.lose(damaged)]
    if len(looked) == limits.SCRUB_CHUNKS:
        return lost, looked[-1]
    lost += [_sentence("has vanished from this disk", *each) for each in files.lose_vanished()]
    if not lost:  # otherwise a list of chunks may be on its way again, without which nothing seems to need them
        files.collect()
    return lost, None


def _is_sound(chunks: Chunks, name: bytes) -> bool:
    try:
        chunks.get(name)
    except (DamagedFileError, DiskFaultError):  # the latter: this part of the disk cannot be read
        return False
    return True


def _sentence(what: str, name: str, document: str) -> str:
    return (
        f"The attached file {shown(name)} of the document {document} {what}: it comes back when another device that has it "
        "is there, or when you attach the same file again; watch this disk."
    )
