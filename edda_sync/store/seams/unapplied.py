"""What is in the log but not folded: operations that are refused, and operations that wait for a newer version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Unapplied(NamedTuple):
    """
    An operation in the log that is not folded.

    Attributes:
        position: The position of its change in the log.
        number: The number of the operation in that change.
        entity: The key of its entity (``fold.unapplied.UNREADABLE`` if that cannot be read).
        refused: True if it is refused for good; False if it waits for a newer version.
        why: The reason, in words for a person.
    """

    position: int
    number: int
    entity: bytes
    refused: bool
    why: str


class UnappliedReader(Protocol):
    """The operations that are not folded."""

    def operations(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        """Return the operations that are not folded, in log order: all, those of an entity, or those at a position."""
        ...

    def waits(self) -> bool:
        """Tell whether any operation waits for a newer version."""
        ...

    def waiting(self) -> int:
        """Return how many operations wait for a newer version."""
        ...

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        """Return the positions, after a given one, of the changes with waiting operations about an entity, in order."""
        ...

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        """Return the positions of the changes with waiting operations, in order, and the numbers of these: ``1,2,5``."""
        ...


class UnappliedWriter(UnappliedReader, Protocol):
    """Notes operations that are not folded."""

    def add(self, unapplied: Sequence[Unapplied]) -> None:
        """Note operations that are not folded."""
        ...
