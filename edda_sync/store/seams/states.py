"""
States: what is folded of each entity, and the texts that were edited.

This is keyed data. It is the one seam that something else than SQL may keep, and is small for that reason. What is known
about all entities at once is in the index (``index``), and what points where is in the edges (``edges``); both are always
in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """An entity as it is stored. Its state ends with a checksum (``crdt.entity.to_stored``)."""

    key: bytes
    hidden: bool
    hash: bytes
    state: bytes


class TailEdit(NamedTuple):
    """An accepted edit of a stored text: its serial number among all edits here, the change that brought it, its bytes."""

    serial: int
    actor: bytes
    seq: int
    edit: bytes


class TextState(NamedTuple):
    """A stored text: its state up to an edit, and the edits since."""

    state: bytes  # empty if the reader has it already
    serial: int  # of the last edit that is part of the state
    tail: list[TailEdit]


class StatesReader(Protocol):
    """The states of entities and texts."""

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return the stored states of those entities that exist."""
        ...

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        """Yield the stored states, or only those of a kind, in the order of their keys, beginning after ``after``."""
        ...

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        """Return a stored text, or only what is newer than the edit ``since``; None if the text is not stored."""
        ...

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        """Return the entity, field and genesis of every stored text, in order, also of those that no cell names any more."""
        ...

    def last_serial(self) -> int:
        """Return the greatest serial number that any edit of a text ever had here; 0 if there was none."""
        ...


class StatesWriter(StatesReader, Protocol):
    """Writes states and texts."""

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        """Write states, new or changed, and for each of them whether a cell has several values."""
        ...

    def put_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        """Write the state of a text up to an edit, and drop the tail up to that edit."""
        ...

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        """Append an edit to the tail of a text, and return its serial number, which is greater than any before."""
        ...
