"""Noting which attached files are complete here and which are needed no more, and counting what was written for them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from edda_sync.crdt.attachments import HASH_BYTES
from edda_sync.store.seams.store import StoreReader, StoreWriter

_WRITTEN_KEY: Final = "files_written"
_NUMBER_BYTES: Final = 8
_UNNEEDED_KEY: Final = "files_unneeded"


def hold(tx: StoreWriter, files: Iterable[tuple[bytes, int]]) -> None:
    """
    Note that some files are complete here.

    Args:
        tx: The transaction.
        files: The root and size of each, in bytes.
    """
    new = {root: size for root, size in files if not tx.attachments.holds(root)}
    for root in new:
        tx.attachments.hold(root)
    if new:
        total = written(tx) + sum(new.values())
        tx.meta.set(_WRITTEN_KEY, total.to_bytes(_NUMBER_BYTES, "big"))


def written(reader: StoreReader) -> int:
    """Return how many bytes of files became complete here since the store was made, also those that were dropped since."""
    return int.from_bytes(reader.meta.get(_WRITTEN_KEY) or b"", "big")


def unneeded(reader: StoreReader) -> set[bytes]:
    """Return the roots of the files that were seen to be needed no more, and have not been attached again since."""
    kept = reader.meta.get(_UNNEEDED_KEY) or b""
    return {kept[at : at + HASH_BYTES] for at in range(0, len(kept), HASH_BYTES)}


def note_unneeded(tx: StoreWriter, roots: Set[bytes]) -> None:
    """Note the roots of all files that are needed no more."""
    tx.meta.set(_UNNEEDED_KEY, b"".join(sorted(roots)))


def note_needed(tx: StoreWriter, roots: Iterable[bytes]) -> None:
    """Note that some files are attached: should they be needed no more, that begins anew."""
    before = unneeded(tx)
    if not before.isdisjoint(needed := set(roots)):
        note_unneeded(tx, before - needed)
