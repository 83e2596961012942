"""A store as a whole: readers and transactions, each composed of the same facets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from edda_sync.store.seams.attachments import AttachmentsReader, AttachmentsWriter
from edda_sync.store.seams.blobs import BlobsReader, BlobsWriter
from edda_sync.store.seams.edges import EdgesReader
from edda_sync.store.seams.evidence import EvidenceReader, EvidenceWriter
from edda_sync.store.seams.incoming import IncomingReader, IncomingWriter
from edda_sync.store.seams.index import IndexReader, IndexWriter
from edda_sync.store.seams.log import LogReader, LogWriter
from edda_sync.store.seams.mentions import MentionsReader, MentionsWriter
from edda_sync.store.seams.meta import MetaReader, MetaWriter
from edda_sync.store.seams.segments import SegmentsReader, SegmentsWriter
from edda_sync.store.seams.signatures import SignaturesReader, SignaturesWriter
from edda_sync.store.seams.states import StatesReader, StatesWriter
from edda_sync.store.seams.tables import TablesReader, TablesWriter
from edda_sync.store.seams.unapplied import UnappliedReader, UnappliedWriter
from edda_sync.store.seams.uniques import UniquesReader, UniquesWriter

T = TypeVar("T")


class StoreReader(Protocol):
    """A state of a store that does not change, composed of the facets that read."""

    @property
    def log(self) -> LogReader: ...

    @property
    def signatures(self) -> SignaturesReader: ...

    @property
    def evidence(self) -> EvidenceReader: ...

    @property
    def mentions(self) -> MentionsReader: ...

    @property
    def incoming(self) -> IncomingReader: ...

    @property
    def segments(self) -> SegmentsReader: ...

    @property
    def blobs(self) -> BlobsReader: ...

    @property
    def states(self) -> StatesReader: ...

    @property
    def index(self) -> IndexReader: ...

    @property
    def unapplied(self) -> UnappliedReader: ...

    @property
    def tables(self) -> TablesReader: ...

    @property
    def edges(self) -> EdgesReader: ...

    @property
    def uniques(self) -> UniquesReader: ...

    @property
    def attachments(self) -> AttachmentsReader: ...

    @property
    def meta(self) -> MetaReader: ...


class StoreWriter(StoreReader, Protocol):
    """
    A transaction. Its own reads see at once what it writes; others see that when it ends.

    It is composed of the facets that write. Edges are written together with the rows that show them.
    """

    @property
    def log(self) -> LogWriter: ...

    @property
    def signatures(self) -> SignaturesWriter: ...

    @property
    def evidence(self) -> EvidenceWriter: ...

    @property
    def mentions(self) -> MentionsWriter: ...

    @property
    def incoming(self) -> IncomingWriter: ...

    @property
    def segments(self) -> SegmentsWriter: ...

    @property
    def blobs(self) -> BlobsWriter: ...

    @property
    def states(self) -> StatesWriter: ...

    @property
    def index(self) -> IndexWriter: ...

    @property
    def unapplied(self) -> UnappliedWriter: ...

    @property
    def tables(self) -> TablesWriter: ...

    @property
    def uniques(self) -> UniquesWriter: ...

    @property
    def attachments(self) -> AttachmentsWriter: ...

    @property
    def meta(self) -> MetaWriter: ...

    def undoing(self) -> AbstractContextManager[None]:
        """Undo what was done inside, if an error ends it. The rest of the transaction stays."""
        ...

    def forget(self, entities: Sequence[bytes]) -> None:
        """Forget what is folded of some entities (states, rows, texts, unapplied operations), to fold them again."""
        ...

    def clear_view(self) -> None:
        """Forget everything that is folded from the log."""
        ...


class Store(Protocol):
    """Where a device keeps everything."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """
        Run ``work`` in one durable transaction, and return its result once the transaction is on disk.

        Raises:
            NestedError: This thread is running a transaction of the store, and would wait for itself.
        """
        ...

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """
        Run ``work`` in one durable transaction, unless it would have to wait for another writer, in any process.

        Returns:
            Whether it ran.
        """
        ...

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader. Close it soon: the store keeps the state that it sees as long as it is open."""
        ...

    def version(self) -> int:
        """Return a number that changes with every commit, by whichever process."""
        ...

    def close(self) -> None:
        """
        Wait for running transactions, and release everything.

        Raises:
            NestedError: This thread is running one of them.
        """
        ...
