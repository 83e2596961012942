"""The index: what is known about all entities without reading their states. It is in SQL, whatever keeps the states."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from edda_sync.crdt.cells import Write


class Deleted(NamedTuple):
    """
    The deletions of an entity that nobody who had seen them has answered (``fold.deletions``).

    Attributes:
        open: One write for each, sorted by dot; its value is None.
        is_contested: Whether people should look at them.
    """

    open: tuple[Write, ...]
    is_contested: bool


class IndexReader(Protocol):
    """What is known about entities without reading their states."""

    def digest(self) -> int:
        """Return the sum, modulo 2**128, of the first 16 bytes of the entities' hashes (``crdt.digests``)."""
        ...

    def hidden(self, kind: str) -> list[bytes]:
        """Return the entities of a kind that are in the trash."""
        ...

    def conflicted(self) -> list[bytes]:
        """Return the visible entities in which a cell has several values, or changes of a text may overlap."""
        ...

    def contested(self) -> list[bytes]:
        """Return the entities at whose open deletions people should look."""
        ...

    def deletions(self, entities: Iterable[bytes]) -> dict[bytes, tuple[Write, ...]]:
        """Return the open deletions of those of some entities that have any."""
        ...

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        """Return ids of a kind's entities, hidden or not, that end with 6 or more hex digits; ``CANDIDATES_MAX`` at most."""
        ...

    def stale(self) -> list[bytes]:
        """Return the entities whose row or hash does not reflect their latest edits yet."""
        ...

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        """Return those of some entities whose row or hash does not reflect their latest edits yet."""
        ...


class IndexWriter(IndexReader, Protocol):
    """Writes what does not follow from a single state. ``StatesWriter.put`` writes what follows from one."""

    def add_to_digest(self, delta: int) -> None:
        """Add to the digest's sum, modulo 2**128."""
        ...

    def set_deletions(self, deletions: Mapping[bytes, Deleted | None]) -> None:
        """Write the open deletions of some entities; None where there are none any more."""
        ...

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        """Note for some entities whether their row and hash wait for their text."""
        ...
