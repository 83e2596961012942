"""The index: what is known of all entities without reading their states, in SQL whoever keeps these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol


class IndexReader(Protocol):
    """What is known of entities without reading their states."""

    def digest(self) -> int:
        """Return the sum, modulo 2**128, of what the entities' hashes begin with (``crdt.digests``)."""
        ...

    def hidden(self, kind: str) -> list[bytes]:
        """Return the entities of a kind that are in the trash."""
        ...

    def conflicted(self) -> list[bytes]:
        """Return the visible entities that have a cell with several values."""
        ...

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        """Return ids of entities of a kind, hidden or not, that end with some hexadecimal digits, 6 or more; at most 20."""
        ...

    def stale(self) -> list[bytes]:
        """Return the entities whose row or hash does not yet reflect their latest edits."""
        ...

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        """Return which of some entities have a row or hash that does not yet reflect their latest edits."""
        ...


class IndexWriter(IndexReader, Protocol):
    """Writes what follows from no single state; the marks of a state are written with it (``StatesWriter.put``)."""

    def add_to_digest(self, delta: int) -> None:
        """Add to the digest's sum, modulo 2**128."""
        ...

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        """Note of some entities whether their row and hash wait for their text."""
        ...
