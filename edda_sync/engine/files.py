"""
Attachments of documents: which there are, and their content.

A transaction attaches files (``Transaction.attach``): it adds the chunks, and its commit writes the record into the log and
notes the file as complete here. What is here reads that. It loads nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.engine.opened import Opened
from edda_sync.engine.soundly import soundly
from edda_sync.words import values
from edda_sync.words.config import EncryptionConfig, StorageConfig
from edda_sync.words.errors import (
    AmbiguousIdError,
    DamagedFileError,
    DamagedRowsError,
    FileNotHereError,
    NotFoundError,
    UsageError,
)

if TYPE_CHECKING:
    from edda_sync.crdt.attachments import AttachmentRecord, File
    from edda_sync.files.chunks import Chunks
    from edda_sync.files.collecting import Collected
    from edda_sync.files.disk import DiskChunks
    from edda_sync.files.reading import FileReader
    from edda_sync.store.seams import Attached, StoreReader
    from edda_sync.words.listed import Attachment


class Files:
    """
    The attachments of one store.

    Args:
        opened: The store.
        now: Wall clock, in seconds since 1970.
        mend: Makes rows anew that are not what was written; see ``soundly``.

    Attributes:
        now: The same clock.
        mend: The same function.
        lost: Files, by root, of which this process found that something is damaged or gone.
    """

    def __init__(self, opened: Opened, now: Callable[[], float], mend: Callable[[DamagedRowsError], None]) -> None:
        self._opened, self.now, self.mend = opened, now, mend
        self.lost: set[bytes] = set()
        self._chunks: Chunks | None = None

    @property
    def chunks(self) -> Chunks:
        """Where the content is kept."""
        if self._chunks is None:
            self._chunks = self._on_disk()
        if self._chunks is None:
            from edda_sync.files.memory import MemoryChunks

            self._chunks = MemoryChunks(self.now)
        return self._chunks

    def _on_disk(self) -> DiskChunks | None:
        """Return the folder of chunks, which are sealed if the store is encrypted; None for a store in memory."""
        if self._opened.config.backend == "memory":
            return None
        file, config = self._opened.file, self._opened.config
        if file is None:  # the caller made the store
            return chunks_of(config, self._opened.home, None, seals=False)
        return chunks_of(config, self._opened.home, file.path, seals=file.keys is not None)

    def seal_anew(self) -> int:
        """Seal what is not sealed under the newest data key, while others read and write; return how many chunks were."""
        from edda_sync.files.disk import DiskChunks
        from edda_sync.files.recoding import recode

        with self._opened.store.read() as reader:
            check_there(self._opened.config, self._opened.home, reader)
        return recode(self.chunks) if isinstance(self.chunks, DiskChunks) else 0

    @soundly
    def attachments(self, document_id: str) -> list[Attachment]:
        """Return the attachments of a document, also of one in the trash: the oldest first, those of one change by name."""
        with self._opened.store.read() as reader:
            return self.of(reader, document_id)

    def of(self, reader: StoreReader, document_id: str) -> list[Attachment]:
        """Return the attachments of a document in one state of the store, as :meth:`attachments`."""
        return [each for each, _ in self._found(reader, document_id)]

    def stream(self, attachment: Attachment) -> FileReader:
        """Open an attachment that :meth:`attachments` returned, as :meth:`open` does, also if not all of it is here."""
        return self._reader(attachment.document_id, attachment.id)[1]

    @soundly
    def missing(self, document_id: str, attachments: Sequence[str]) -> list[tuple[str, File]]:
        """Return those of some attachments of a document, by id, that are not complete here: the name and file of each."""
        with self._opened.store.read() as reader:
            found = [(each, record) for each, record in self._found(reader, document_id) if each.id in attachments]
        return [(each.name, record.file) for each, record in found if not each.here]

    @soundly
    def recheck(self, document_id: str, attachments: Sequence[str]) -> None:
        """
        Read those of some attachments of a document, by id, that are noted as complete here. What is damaged is set aside;
        :meth:`missing` names the files of which something is damaged or gone.
        """
        from edda_sync.files.collecting import tree_of

        with self._opened.store.read() as reader:
            found = [(each, record.file) for each, record in self._found(reader, document_id) if each.id in attachments]
        damaged = set[bytes]()
        for file in [file for each, file in found if each.here]:
            for name in tree_of(self.chunks, file):
                try:
                    is_here = self.chunks.get(name) is not None
                except DamagedFileError:
                    damaged.add(name)
                else:
                    if not is_here:
                        self._lost(file.root)
        self.lose(damaged)

    @soundly
    def find(self, document_id: str, reference: str) -> Attachment:
        """
        Return the attachment that somebody means.

        Args:
            document_id: Id of the document.
            reference: The attachment's name or id, or at least six characters of the end of its id, or of its beginning.

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
        found, stream = self._reader(document_id, reference)
        if not found.here:
            raise FileNotHereError(found.name)
        return stream

    @soundly
    def _reader(self, document_id: str, reference: str) -> tuple[Attachment, FileReader]:
        from edda_sync.files.reading import FileReader

        with self._opened.store.read() as reader:
            found, record = self._meant(reader, document_id, reference)
        return found, FileReader(self.chunks, record.file, record.name, lambda: self._lost(record.root))

    def collect(self) -> Collected:
        """Drop the content that no attachment refers to any more, a day after that was first seen."""
        from edda_sync.engine.freeing import free
        from edda_sync.files.collecting import Collected

        return free(self._opened.store, self.chunks, self.now()) if self.are_kept else Collected(0, is_whole=True)

    def undo(self, names: Set[bytes]) -> None:
        """Drop chunks that a transaction has written which failed, unless they are needed all the same."""
        from edda_sync.engine.freeing import undo

        undo(self._opened.store, self.chunks, names)

    @property
    def are_kept(self) -> bool:
        """Whether anything was ever attached here."""
        return self._opened.config.backend == "memory" or self._opened.config.files(self._opened.home).is_dir()

    def lose(self, names: Set[bytes]) -> list[tuple[str, str]]:
        """
        Set damaged chunks aside, and note that their files are not complete here any more, so that they are fetched again.

        Returns:
            Each attachment that needs one of them: its name, and the id of its document.
        """
        if not names:
            return []
        from edda_sync.files.collecting import tree_of

        lost = [each for each in self._kept() if not names.isdisjoint(tree_of(self.chunks, each[0]))]
        for name in names:
            self.chunks.set_aside(name)
        return self._release(lost)

    def lose_vanished(self) -> list[tuple[str, str]]:
        """Note that files are not complete here of which a chunk is missing; return them as :meth:`lose` does."""
        from edda_sync.files.collecting import tree_of

        lost = [
            each for each in self._kept() if not all(self.chunks.has(name) for name in tree_of(self.chunks, each[0]))
        ]
        return self._release(lost)

    def _kept(self) -> list[tuple[File, str, str]]:
        """Return each attachment that is noted as complete here: the file, its name, and the id of its document."""
        from edda_sync.crdt.attachments import decode

        with self._opened.store.read() as reader:
            found = [
                (key, decode(each.record))
                for key, each in reader.attachments.scan()
                if reader.attachments.holds(each.root)
            ]
        return [(record.file, record.name, values.id_text(kind_and_id(key)[1])) for key, record in found]

    def _release(self, lost: list[tuple[File, str, str]]) -> list[tuple[str, str]]:
        if roots := [file.root for file, _, _ in lost]:
            self.lost.update(roots)
            self._opened.store.transact(lambda tx: tx.attachments.release(roots))
        return [(name, document) for _, name, document in lost]

    def _lost(self, root: bytes) -> None:
        """Note that a file is not complete here any more, so that it is fetched again."""
        self.lost.add(root)
        self._opened.store.transact(lambda tx: tx.attachments.release([root]))

    def _found(self, reader: StoreReader, document_id: str) -> Iterator[tuple[Attachment, AttachmentRecord]]:
        from edda_sync.crdt.attachments import GROUP, decode
        from edda_sync.words.listed import Attachment

        rows = attached_to(reader, document_id)
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
        digits = values.digits_of_id(values.text("attachment", reference))
        meant = [each for each in found if each[0].name == reference] or [
            each for each in found if digits and each[0].id.replace("-", "").endswith(digits)
        ]
        meant = meant or [each for each in found if digits and each[0].id.replace("-", "").startswith(digits)]
        if not meant:
            raise NotFoundError("attachment", reference)
        if len(meant) > 1:
            raise AmbiguousIdError(reference, [each.id for each, _ in meant])
        return meant[0]


def attached_to(reader: StoreReader, document_id: str) -> Sequence[Attached]:
    """
    Return the rows of the attachments of a document.

    Raises:
        DamagedRowsError: They are not what the document's state says, which has a checksum.
    """
    from edda_sync.crdt.state import entity_of
    from edda_sync.fold.attachments import attached

    key = key_of("document", values.id_bytes("document", document_id))
    rows, record = reader.attachments.of(key), reader.states.get([key]).get(key)
    if [*rows] != ([] if record is None else attached(entity_of(key, record.state))):
        raise DamagedRowsError("document", [document_id])
    return rows


def chunks_of(config: StorageConfig, home: Path, database: Path | None, *, seals: bool) -> DiskChunks:
    """
    Return the chunks of a store on disk. A plain store with a key file is being converted, and some may be sealed.

    Args:
        config: How the store is kept.
        home: Its folder.
        database: Its file, without symbolic links in its path.
        seals: Whether what is written is sealed.
    """
    from edda_sync.files.disk import DiskChunks
    from edda_sync.sealing import keyfile

    if database is None or not (seals or keyfile.path_of(database).exists()):
        return DiskChunks(config.files(home))
    from edda_sync.files.coding import Sealed
    from edda_sync.sealing.datakeys import FollowedKeys

    algorithm = (config.encryption_config or EncryptionConfig()).algorithm
    return DiskChunks(config.files(home), Sealed(FollowedKeys(database), algorithm, seals=seals))


def check_there(config: StorageConfig, home: Path, reader: StoreReader) -> None:
    """
    Check that what is attached can be converted with its store, wherever its folder is configured to be.

    Raises:
        UsageError: It is not there, as when its disk is not mounted.
    """
    folder = config.files(home)
    if config.file_storage_path is None or folder.is_dir():
        return
    if any(reader.attachments.holds(each.root) for _, each in reader.attachments.scan()):
        raise UsageError(
            f"{folder}, where file_storage_path points, is not there, and what is attached would stay as it is; nothing was "
            "changed: mount its disk, or put the folder back."
        )
