"""
States: what is folded of each entity, and the texts that were edited.

This is keyed data, and the one seam behind which something else than SQL may stand: it is small for that. What is known of
all entities at once is asked of the index (``index``), and what points where of the edges (``edges``): SQL always has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """An entity as it is stored, its state with a checksum (``crdt.entity.to_stored``)."""

    key: bytes
    hidden: bool
    hash: bytes
    state: bytes


class TailEdit(NamedTuple):
    """An accepted edit of a stored text: its number among all edits here, the change that brought it, and its bytes."""

    serial: int
    actor: bytes
    seq: int
    edit: bytes


class TextState(NamedTuple):
    """A stored text: its state up to an update, and the updates since."""

    state: bytes  # empty when the reader has it already
    serial: int  # of the last update in the state
    tail: list[TailEdit]


class StatesReader(Protocol):
    """The states of entities and texts."""

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """Return the stored states of those entities that exist."""
        ...

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        """Yield every stored state, or those of a kind, by key, from the first one past ``after``."""
        ...

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        """Return a stored text, or what is newer than the update of serial number ``since``."""
        ...

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        """Return entity, field and genesis of every stored text, also of those that no cell names any more, in order."""
        ...

    def last_serial(self) -> int:
        """Return the greatest serial number that any edit of a text ever had here; 0 for none."""
        ...


class StatesWriter(StatesReader, Protocol):
    """Writes states and texts."""

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        """Write states, new or changed, and whether a cell of each has several values."""
        ...

    def put_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        """Write a text's state up to an update; the tail up to there is forgotten."""
        ...

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        """Append an edit to a text's tail and return its serial number, greater than any before it."""
        ...
