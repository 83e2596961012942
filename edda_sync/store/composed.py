"""
Readers and transactions that are composed of the facets of another one, some of which are replaced.

``dataclasses.replace(ComposedReader.of(reader), log=over(reader.log, other))`` is a reader whose log takes some methods from
``other``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from edda_sync.store.seams import (
    AttachmentsReader,
    AttachmentsWriter,
    BlobsReader,
    BlobsWriter,
    EdgesReader,
    EvidenceReader,
    EvidenceWriter,
    IncomingReader,
    IncomingWriter,
    IndexReader,
    IndexWriter,
    LogReader,
    LogWriter,
    MentionsReader,
    MentionsWriter,
    MetaReader,
    MetaWriter,
    SegmentsReader,
    SegmentsWriter,
    SignaturesReader,
    SignaturesWriter,
    StatesReader,
    StatesWriter,
    StoreReader,
    StoreWriter,
    TablesReader,
    TablesWriter,
    UnappliedReader,
    UnappliedWriter,
    UniquesReader,
    UniquesWriter,
)

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class ComposedReader:
    """Implementation of ``StoreReader``."""

    log: LogReader
    signatures: SignaturesReader
    evidence: EvidenceReader
    mentions: MentionsReader
    incoming: IncomingReader
    segments: SegmentsReader
    blobs: BlobsReader
    states: StatesReader
    index: IndexReader
    unapplied: UnappliedReader
    tables: TablesReader
    edges: EdgesReader
    uniques: UniquesReader
    attachments: AttachmentsReader
    meta: MetaReader

    @classmethod
    def of(cls, reader: StoreReader) -> ComposedReader:
        """Return a reader with the facets of another reader."""
        return cls(
            log=reader.log,
            signatures=reader.signatures,
            evidence=reader.evidence,
            mentions=reader.mentions,
            incoming=reader.incoming,
            segments=reader.segments,
            blobs=reader.blobs,
            states=reader.states,
            index=reader.index,
            unapplied=reader.unapplied,
            tables=reader.tables,
            edges=reader.edges,
            uniques=reader.uniques,
            attachments=reader.attachments,
            meta=reader.meta,
        )


@dataclass(frozen=True, slots=True)
class ComposedWriter:
    """Implementation of ``StoreWriter``."""

    log: LogWriter
    signatures: SignaturesWriter
    evidence: EvidenceWriter
    mentions: MentionsWriter
    incoming: IncomingWriter
    segments: SegmentsWriter
    blobs: BlobsWriter
    states: StatesWriter
    index: IndexWriter
    unapplied: UnappliedWriter
    tables: TablesWriter
    edges: EdgesReader
    uniques: UniquesWriter
    attachments: AttachmentsWriter
    meta: MetaWriter
    beneath: StoreWriter

    @classmethod
    def of(cls, tx: StoreWriter) -> ComposedWriter:
        """Return a transaction with the facets of another transaction."""
        return cls(
            log=tx.log,
            signatures=tx.signatures,
            evidence=tx.evidence,
            mentions=tx.mentions,
            incoming=tx.incoming,
            segments=tx.segments,
            blobs=tx.blobs,
            states=tx.states,
            index=tx.index,
            unapplied=tx.unapplied,
            tables=tx.tables,
            edges=tx.edges,
            uniques=tx.uniques,
            attachments=tx.attachments,
            meta=tx.meta,
            beneath=tx,
        )

    def undoing(self) -> AbstractContextManager[None]:
        """See ``StoreWriter.undoing``."""
        return self.beneath.undoing()

    def forget(self, entities: Sequence[bytes]) -> None:
        """See ``StoreWriter.forget``."""
        self.beneath.forget(entities)

    def clear_view(self) -> None:
        """See ``StoreWriter.clear_view``."""
        self.beneath.clear_view()


def over(facet: F, changed: object) -> F:
    """
    Return a facet in which some methods are replaced.

    Args:
        facet: The facet that has all the other methods.
        changed: An object with the replacing methods, under the same names.
    """
    names = [name for name in vars(type(changed)) if not name.startswith("_")]
    assert all(hasattr(facet, name) for name in names), f"{type(changed).__name__} changes what is not there"
    return cast("F", _Over(facet, {name: getattr(changed, name) for name in names}))


class _Over:
    """A facet of which some methods are replaced."""

    def __init__(self, facet: object, methods: Mapping[str, Any]) -> None:
        self._facet = facet
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facet, name)
