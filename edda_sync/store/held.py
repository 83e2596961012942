"""Noting that attached files are complete here, and counting how much was written for them since the store was made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edda_sync.store.seams.store import StoreReader, StoreWriter

_WRITTEN_KEY: Final = "files_written"
_NUMBER_BYTES: Final = 8


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
