"""A store as a whole: readers and transactions, each composed of the same facets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

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

T = TypeVar("T")


class StoreReader(Protocol):
    """One unmoving state of a store, composed of the reading halves of its facets."""

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
    def meta(self) -> MetaReader: ...


class StoreWriter(StoreReader, Protocol):
    """
    A transaction: what is written is seen by its own reads at once, and by others when it ends.

    It is composed of the facets' writing halves; edges are written with the rows that show them.
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
    def meta(self) -> MetaWriter: ...

    def undoing(self) -> AbstractContextManager[None]:
        """Undo what is done inside where an error ends it, and nothing else of the transaction."""
        ...

    def forget(self, entities: Sequence[bytes]) -> None:
        """Forget what is folded of some entities (states, rows, texts, what is unapplied), to fold them anew."""
        ...

    def clear_view(self) -> None:
        """Forget everything that is folded from the log."""
        ...


class Store(Protocol):
    """Where a device keeps everything."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """
        Run ``work`` in one durable transaction; return what it returns once that is on disk.

        Raises:
            NestedError: This thread runs a transaction of the store, and would wait for itself.
        """
        ...

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """
        Run ``work`` in one durable transaction, unless it would have to wait for somebody, in whichever process, who writes.

        Returns:
            Whether it ran.
        """
        ...

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader; close it soon, since it holds on to the state that it sees."""
        ...

    def version(self) -> int:
        """Return a number that changes with every commit, whichever process made it."""
        ...

    def close(self) -> None:
        """
        Finish running transactions and let go of everything.

        Raises:
            NestedError: This thread runs one of them.
        """
        ...
