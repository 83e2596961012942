"""
Attachments: which files documents refer to, those in the trash too; and which of these files are complete on this device.

The first is a view, folded from the log. The second is about this device alone: :meth:`AttachmentsWriter.hold` notes it once
every chunk of a file is on disk, and it outlives a new fold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Attached(NamedTuple):
    """
    An attachment of a document.

    Attributes:
        cell: The name of the document's cell.
        record: The value of the cell.
        root, size: Of the file.
        created_at: When it was attached, as text.
    """

    cell: str
    record: bytes
    root: bytes
    size: int
    created_at: str


class AttachmentsReader(Protocol):
    """The attachments of documents."""

    def of(self, entity: bytes) -> Sequence[Attached]:
        """Return the attachments of a document, in the order of their cells."""
        ...

    def scan(self) -> Iterator[tuple[bytes, Attached]]:
        """Yield every attachment with the key of its document, in order. Do not write meanwhile."""
        ...

    def referring(self, root: bytes) -> Sequence[tuple[bytes, Attached]]:
        """Return the attachments of a file, each with the key of its document, in order."""
        ...

    def missing(self, size_max: int, limit: int, after: tuple[int, bytes] | None = None) -> Sequence[Attached]:
        """
        Return an attachment of each file that is not complete here, the smallest first.

        Args:
            size_max: The size of such files, in bytes.
            limit: How many at most.
            after: The size and the root of the last one of the page before.
        """
        ...

    def totals(self) -> tuple[int, int]:
        """Return how many files documents refer to, and their size in bytes."""
        ...

    def lacking(self) -> tuple[int, int]:
        """Return how many files are not complete here, and their size in bytes."""
        ...

    def unneeded(self) -> Sequence[bytes]:
        """Return the files that were noted as complete here, and to which no document refers."""
        ...

    def holds(self, root: bytes) -> bool:
        """Tell whether a file was noted as complete here."""
        ...


class AttachmentsWriter(AttachmentsReader, Protocol):
    """Writes which files documents refer to, and which are here."""

    def put(self, attached: Mapping[bytes, Sequence[Attached]]) -> None:
        """Write all attachments of some documents, in place of what was written of them before."""
        ...

    def hold(self, root: bytes) -> None:
        """Note that a file is complete here."""
        ...

    def release(self, roots: Collection[bytes]) -> None:
        """Note that some files are not complete here."""
        ...
