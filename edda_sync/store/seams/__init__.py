"""
The seams: what the pure core asks of a store.

A :class:`Store` keeps the log, the entities folded from it and the specification's tables, and moves all three in one
transaction. What it keeps is cut into *facets*: each is a file with two small Protocols, one to read and one to write as
well. A reader has ``reader.log``, ``reader.states``, ``reader.tables`` and so on; a transaction has the same, with the
writing halves. They make five seams:

1. *Log*, the truth: ``log``, ``signatures``, ``evidence``, ``mentions``, ``incoming``, ``segments``. Always in SQL.
2. *States*, what is folded from it: ``states``, which something else than SQL may keep; beside it, always in SQL, ``index``
   (what is known of all states without reading them) and ``unapplied`` (what is not folded).
3. *Tables*, what people see: ``tables`` and ``edges``.
4. *Blobs*: ``blobs``.
5. *Meta*: ``meta``.

What belongs to no single facet is asked of the transaction itself: ``undoing``, ``forget`` and ``clear_view``.

The memory store and the SQLite store pass one contract suite a facet (``tests/store/seams``). Promises, in words, of
every implementation:

1. *Atomicity*: a transaction whose work raises leaves no trace; a reader sees the state before or after it, never
   between.
2. *Durability*: when :meth:`Store.transact` has returned, its effects outlive the process and the machine's power
   (the memory store promises the first of the two only to its own lifetime).
3. *Isolation*: transactions run one after another, also across processes; a reader sees one unmoving state.
4. *No half rows*: constraints of the specification's schema hold whenever a transaction ends.

Where an entity is given or returned as bytes, that is its key (``crdt.keys.key_of``): of kind and id, in that order.
"""

from edda_sync.store.seams.blobs import BlobsReader, BlobsWriter
from edda_sync.store.seams.edges import EdgesReader
from edda_sync.store.seams.evidence import EvidenceReader, EvidenceWriter
from edda_sync.store.seams.incoming import Incoming, IncomingReader, IncomingWriter
from edda_sync.store.seams.index import IndexReader, IndexWriter
from edda_sync.store.seams.log import Head, Logged, LogReader, LogWriter
from edda_sync.store.seams.mentions import MentionsReader, MentionsWriter
from edda_sync.store.seams.meta import MetaReader, MetaWriter
from edda_sync.store.seams.segments import Rewritten, SegmentsReader, SegmentsWriter
from edda_sync.store.seams.signatures import SignaturesReader, SignaturesWriter
from edda_sync.store.seams.states import Record, StatesReader, StatesWriter, TailEdit, TextState
from edda_sync.store.seams.store import Store, StoreReader, StoreWriter
from edda_sync.store.seams.tables import Patch, Pointed, Shown, TablesReader, TablesWriter
from edda_sync.store.seams.unapplied import Unapplied, UnappliedReader, UnappliedWriter
from edda_sync.words.query import Row

__all__ = [
    "BlobsReader",
    "BlobsWriter",
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
]
