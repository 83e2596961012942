"""
Attachments of documents: which there are, and their content.

A transaction attaches files (``Transaction.attach``): it adds the chunks, and its commit writes the record into the log and
notes the file as complete here. What is here reads that. It loads nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.crdt.keys import key_of
from edda_sync.engine.opened import Opened
from edda_sync.words import values
from edda_sync.words.errors import AmbiguousIdError, FileNotHereError, NotFoundError, UsageError

if TYPE_CHECKING:
    from edda_sync.crdt.attachments import AttachmentRecord
    from edda_sync.files.chunks import Chunks
    from edda_sync.files.collecting import Collected
    from edda_sync.files.reading import FileReader
    from edda_sync.store.seams import StoreReader
    from edda_sync.words.listed import Attachment


class Files:
    """
    The attachments of one store.

    Args:
        opened: The store.
        now: Wall clock, in seconds since 1970.
    """

    def __init__(self, opened: Opened, now: Callable[[], float]) -> None:
        self._opened, self._now = opened, now
        self._chunks: Chunks | None = None

    @property
    def chunks(self) -> Chunks:
        """Where the content is kept."""
        if self._chunks is None:
            if self._opened.config.backend != "memory":
                from edda_sync.files.disk import DiskChunks

                self._chunks = DiskChunks(self._opened.config.files(self._opened.home))
            else:
                from edda_sync.files.memory import MemoryChunks

                self._chunks = MemoryChunks(self._now)
        return self._chunks

    def check_plain(self) -> None:
        """
        Check that content may be written as it is.

        Raises:
            UsageError: The store is encrypted, and this version does not encrypt the content of attachments.
        """
        if self._opened.file is not None and self._opened.file.keys is not None:
            raise UsageError(
                "This store is encrypted, and this version cannot encrypt what is attached; nothing was attached: encrypt "
                "the file itself and keep it elsewhere, or `edda store decrypt`."
            )

    def attachments(self, document_id: str) -> list[Attachment]:
        """Return the attachments of a document, also of one in the trash: the oldest first, those of one change by name."""
        with self._opened.store.read() as reader:
            return [each for each, _ in self._found(reader, document_id)]

    def find(self, document_id: str, reference: str) -> Attachment:
        """
        Return the attachment that somebody means.

        Args:
            document_id: Id of the document.
            reference: The attachment's name or id, or at least six characters of the end of its id.

        Raises:
            NotFoundError: The document has no such attachment.
            AmbiguousIdError: It has several.
        """
        with self._opened.store.read() as reader:
            return self._meant(reader, document_id, reference)[0]

    def open(self, document_id: str, reference: str) -> FileReader:
        """
        Open an attachment for reading in binary mode. Every piece is compared with its hash when it is read.

        Args:
            document_id, reference: As for :meth:`find`.

        Raises:
            NotFoundError, AmbiguousIdError: As for :meth:`find`.
            FileNotHereError: Its content is not on this device, or not all of it.
        """
        from edda_sync.files.reading import FileReader

        with self._opened.store.read() as reader:
            found, record = self._meant(reader, document_id, reference)
        if not found.here:
            raise FileNotHereError(found.name)
        return FileReader(self.chunks, record.file, record.name, lambda: self._lost(record.root))

    def collect(self) -> Collected:
        """Drop the content that no attachment refers to any more, a day after it was last needed."""
        from edda_sync.crdt.attachments import decode
        from edda_sync.files.collecting import Collected, collect

        if self._opened.config.backend != "memory" and not self._opened.config.files(self._opened.home).is_dir():
            return Collected(0, is_whole=True)  # nothing was ever attached here
        with self._opened.store.read() as reader:
            needed = {decode(each.record).file for _, each in reader.attachments.scan()}
        return collect(self.chunks, needed, self._now())

    def _lost(self, root: bytes) -> None:
        """Note that a file is not complete here any more, so that it is fetched again."""
        self._opened.store.transact(lambda tx: tx.attachments.release([root]))

    def _found(self, reader: StoreReader, document_id: str) -> Iterator[tuple[Attachment, AttachmentRecord]]:
        from edda_sync.crdt.attachments import GROUP, decode
        from edda_sync.words.listed import Attachment

        rows = reader.attachments.of(key_of("document", values.id_bytes("document", document_id)))
        found = [(each, decode(each.record)) for each in rows]
        for each, record in sorted(found, key=lambda pair: (pair[0].created_at, pair[1].name, pair[0].cell)):
            attachment = Attachment(
                id=each.cell.removeprefix(GROUP), document_id=document_id, name=record.name,
                content_type=record.content_type, size=record.size, created_at=each.created_at,
                here=reader.attachments.holds(record.root),
            )  # fmt: skip
            yield attachment, record

    def _meant(self, reader: StoreReader, document_id: str, reference: str) -> tuple[Attachment, AttachmentRecord]:
        found = list(self._found(reader, document_id))
        digits = values.digits_of_id(reference)
        meant = [each for each in found if each[0].name == reference] or [
            each for each in found if digits and each[0].id.replace("-", "").endswith(digits)
        ]
        if not meant:
            raise NotFoundError("attachment", reference)
        if len(meant) > 1:
            raise AmbiguousIdError(reference, [each.id for each, _ in meant])
        return meant[0]


def check_none(folder: Path) -> None:
    """
    Check that no content is kept in the folder of a store that is to be encrypted.

    Raises:
        UsageError: There is some, which this version would leave as it is.
    """
    from edda_sync.files.disk import DiskChunks

    if next(DiskChunks(folder).names(), None) is not None:
        raise UsageError(
            f"This store has files that are attached to documents ({folder}), and this version cannot encrypt them; nothing "
            "was changed: save them elsewhere with `edda doc save`, and take that folder away first."
        )
