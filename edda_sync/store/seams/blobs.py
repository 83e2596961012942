"""Blobs: large values that are kept in parts, by their hash. So far they are segments, merged or in the making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class BlobsReader(Protocol):
    """The parts of blobs."""

    def part(self, name: bytes, number: int) -> bytes | None:
        """Return a part of a blob; None when it is not kept here."""
        ...

    def unreferenced(self) -> Sequence[tuple[bytes, int]]:
        """Return, by name, how many parts are kept of each blob that the log does not need: no segment that was merged."""
        ...


class BlobsWriter(BlobsReader, Protocol):
    """Keeps and drops parts of blobs."""

    def keep_part(self, name: bytes, number: int, part: bytes) -> None:
        """Keep a part of a blob; again is nothing."""
        ...

    def rename(self, draft: bytes, name: bytes) -> None:
        """Keep the parts of a blob in the making under its hash, now that it is known."""
        ...

    def drop(self, name: bytes) -> None:
        """Forget the parts of a blob, unless the log needs it."""
        ...
