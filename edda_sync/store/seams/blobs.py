"""Blobs: large values that are kept in parts, by their hash. So far these are segments, merged or still being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class BlobsReader(Protocol):
    """The parts of blobs."""

    def part(self, name: bytes, number: int) -> bytes | None:
        """Return a part of a blob; None if it is not kept here."""
        ...

    def unreferenced(self) -> Sequence[tuple[bytes, int]]:
        """Return the name and the number of parts of each blob that the log does not need: it is no merged segment."""
        ...


class BlobsWriter(BlobsReader, Protocol):
    """Keeps and drops parts of blobs."""

    def keep_part(self, name: bytes, number: int, part: bytes) -> None:
        """Keep a part of a blob. To keep it a second time changes nothing."""
        ...

    def rename(self, draft: bytes, name: bytes) -> None:
        """Keep the parts of a finished blob under its hash, instead of under the name of the draft."""
        ...

    def drop(self, name: bytes) -> None:
        """Forget the parts of a blob, unless the log needs it."""
        ...
