"""A transaction of the memory store: the journal of its writes, and the facets that write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.memory.attachments import MemoryAttachmentsWriter
from edda_sync.store.memory.blobs import MemoryBlobsWriter
from edda_sync.store.memory.edges import MemoryEdgesWriter
from edda_sync.store.memory.evidence import MemoryEvidenceWriter
from edda_sync.store.memory.incoming import MemoryIncomingWriter
from edda_sync.store.memory.index import MemoryIndexWriter
from edda_sync.store.memory.journal import VIEW, Journal, Tables
from edda_sync.store.memory.log import MemoryLogWriter
from edda_sync.store.memory.mentions import MemoryMentionsWriter
from edda_sync.store.memory.meta import MemoryMetaWriter
from edda_sync.store.memory.segments import MemorySegmentsWriter
from edda_sync.store.memory.signatures import MemorySignaturesWriter
from edda_sync.store.memory.states import MemoryStatesWriter
from edda_sync.store.memory.tables import MemoryTablesWriter
from edda_sync.store.memory.unapplied import MemoryUnappliedWriter
from edda_sync.store.memory.uniques import MemoryUniquesWriter


class MemoryWriter:
    """
    A transaction of the store. Call :meth:`check` at its end.

    Args:
        tables: What the store holds.
        shared: The names of the tables that a reader may be using.

    Attributes:
        journal: The journal of its writes.
    """

    def __init__(self, tables: Tables, shared: set[str]) -> None:
        self.journal = journal = Journal(tables, shared)
        self.log = MemoryLogWriter(journal)
        self.signatures, self.evidence = MemorySignaturesWriter(journal, self.log), MemoryEvidenceWriter(journal)
        self.mentions, self.incoming = MemoryMentionsWriter(journal), MemoryIncomingWriter(journal, self.log)
        self.segments = MemorySegmentsWriter(journal, self.log)
        self.states, self.index = MemoryStatesWriter(journal), MemoryIndexWriter(journal)
        self.unapplied = MemoryUnappliedWriter(journal)
        self.edges = MemoryEdgesWriter(journal)
        self.tables = MemoryTablesWriter(journal, self.edges)
        self.uniques, self.attachments = MemoryUniquesWriter(journal), MemoryAttachmentsWriter(journal)
        self.blobs, self.meta = MemoryBlobsWriter(journal), MemoryMetaWriter(journal)

    def check(self) -> None:
        """Check the constraints that hold when a transaction ends."""
        self.tables.check()

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """See ``StoreWriter.undoing``."""
        begun = len(self.journal.entries)
        try:
            yield
        except BaseException:
            self.journal.undo_since(begun)
            raise

    def forget(self, entities: Sequence[bytes]) -> None:
        """See ``StoreWriter.forget``."""
        for record in self.states.get(entities).values():
            self.index.add_to_digest(-int.from_bytes(record.hash[:16], "big"))
        for kind in {kind for kind, _ in map(kind_and_id, entities)}:
            self.tables.hide(kind, [key for key in entities if kind_and_id(key)[0] == kind])
        self.states.drop(entities)
        self.index.drop(entities)
        self.unapplied.drop(entities)
        self.attachments.drop(entities)
        self.uniques.drop(entities)

    def clear_view(self) -> None:
        """See ``StoreWriter.clear_view``."""
        for name in VIEW:
            self.journal.clear(name)
