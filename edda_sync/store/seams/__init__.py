"""
The seams: what the pure core asks of a store.

A :class:`Store` keeps the log, the entities that are folded from it, and the specification's tables. It changes all three
in one transaction. What it keeps is divided into *facets*. Each facet is a file with two small Protocols: one that reads,
and one that also writes. A reader has ``reader.log``, ``reader.states``, ``reader.tables`` and so on; a transaction has the
same facets, as those that write. The facets form five seams:

1. *Log*, the truth: ``log``, ``signatures``, ``evidence``, ``mentions``, ``incoming``, ``segments``. It is always in SQL.
2. *States*, what is folded from the log: ``states``, which something else than SQL may keep. Beside it, always in SQL, are
   ``index`` (what is known about all states without reading them) and ``unapplied`` (what is not folded).
3. *Tables*, what people see: ``tables``, ``edges``, ``uniques`` and ``attachments``.
4. *Blobs*: ``blobs``.
5. *Meta*: ``meta``.

Methods that belong to no single facet are methods of the transaction: ``undoing``, ``forget`` and ``clear_view``.

The memory store and the SQLite store pass one contract suite for each facet (``tests/store/seams``). Every implementation
promises:

1. *Atomicity*: a transaction whose work raises leaves no trace. A reader sees the state before a transaction or after it,
   and nothing between.
2. *Durability*: when :meth:`Store.transact` has returned, its effects survive the end of the process and a power failure.
   (What the memory store keeps lives only as long as the store itself.)
3. *Isolation*: transactions run one after another, also across processes. A reader sees one state that does not change.
4. *No half rows*: the constraints of the specification's schema hold whenever a transaction ends.

Where an entity is given or returned as bytes, that is its key (``crdt.keys.key_of``): its kind, then its id.
"""

from edda_sync.store.seams.attachments import Attached, AttachmentsReader, AttachmentsWriter
from edda_sync.store.seams.blobs import BlobsReader, BlobsWriter
from edda_sync.store.seams.edges import EdgesReader
from edda_sync.store.seams.evidence import EvidenceReader, EvidenceWriter
from edda_sync.store.seams.incoming import Incoming, IncomingReader, IncomingWriter
from edda_sync.store.seams.index import Deleted, IndexReader, IndexWriter
from edda_sync.store.seams.log import Head, Logged, LogReader, LogWriter
from edda_sync.store.seams.mentions import MentionsReader, MentionsWriter
from edda_sync.store.seams.meta import MetaReader, MetaWriter
from edda_sync.store.seams.segments import Rewritten, SegmentsReader, SegmentsWriter
from edda_sync.store.seams.signatures import SignaturesReader, SignaturesWriter
from edda_sync.store.seams.states import Record, StatesReader, StatesWriter, TailEdit, TextState
from edda_sync.store.seams.store import Store, StoreReader, StoreWriter
from edda_sync.store.seams.tables import Patch, Pointed, Shown, TablesReader, TablesWriter
from edda_sync.store.seams.unapplied import Unapplied, UnappliedReader, UnappliedWriter
from edda_sync.store.seams.uniques import Claim, UniquesReader, UniquesWriter
from edda_sync.words.query import Row

__all__ = [
    "Attached",
    "AttachmentsReader",
    "AttachmentsWriter",
    "BlobsReader",
    "BlobsWriter",
    "Claim",
    "Deleted",
    "EdgesReader",
    "EvidenceReader",
    "EvidenceWriter",
    "Head",
    "Incoming",
    "IncomingReader",
    "IncomingWriter",
    "IndexReader",
    "IndexWriter",
    "LogReader",
    "LogWriter",
    "Logged",
    "MentionsReader",
    "MentionsWriter",
    "MetaReader",
    "MetaWriter",
    "Patch",
    "Pointed",
    "Record",
    "Rewritten",
    "Row",
    "SegmentsReader",
    "SegmentsWriter",
    "Shown",
    "SignaturesReader",
    "SignaturesWriter",
    "StatesReader",
    "StatesWriter",
    "Store",
    "StoreReader",
    "StoreWriter",
    "TablesReader",
    "TablesWriter",
    "TailEdit",
    "TextState",
    "Unapplied",
    "UnappliedReader",
    "UnappliedWriter",
    "UniquesReader",
    "UniquesWriter",
]
