"""A reader of the memory store: the tables as they are at one moment, and the facets over them."""

from __future__ import annotations

from edda_sync.store.memory.attachments import MemoryAttachments
from edda_sync.store.memory.blobs import MemoryBlobs
from edda_sync.store.memory.edges import MemoryEdges
from edda_sync.store.memory.evidence import MemoryEvidence
from edda_sync.store.memory.incoming import MemoryIncoming
from edda_sync.store.memory.index import MemoryIndex
from edda_sync.store.memory.journal import Tables
from edda_sync.store.memory.log import MemoryLog
from edda_sync.store.memory.mentions import MemoryMentions
from edda_sync.store.memory.meta import MemoryMeta
from edda_sync.store.memory.segments import MemorySegments
from edda_sync.store.memory.signatures import MemorySignatures
from edda_sync.store.memory.states import MemoryStates
from edda_sync.store.memory.tables import MemoryTables
from edda_sync.store.memory.unapplied import MemoryUnapplied
from edda_sync.store.memory.uniques import MemoryUniques


class MemoryReader:
    """
    The state of the store at one moment.

    Args:
        tables: What the store holds at this moment.
    """

    __slots__ = (
        "attachments", "blobs", "edges", "evidence", "incoming", "index", "log", "mentions", "meta", "segments",
        "signatures", "states", "tables", "unapplied", "uniques",
    )  # fmt: skip

    def __init__(self, tables: Tables) -> None:
        self.log, self.signatures, self.evidence = MemoryLog(tables), MemorySignatures(tables), MemoryEvidence(tables)
        self.mentions, self.incoming = MemoryMentions(tables), MemoryIncoming(tables)
        self.segments = MemorySegments(tables)
        self.states, self.index, self.unapplied = MemoryStates(tables), MemoryIndex(tables), MemoryUnapplied(tables)
        self.tables, self.edges = MemoryTables(tables), MemoryEdges(tables)
        self.uniques, self.attachments = MemoryUniques(tables), MemoryAttachments(tables)
        self.blobs, self.meta = MemoryBlobs(tables), MemoryMeta(tables)
