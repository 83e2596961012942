"""What is in the log and not folded: operations that are refused, and operations that wait for a newer version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Unapplied(NamedTuple):
    """
    An operation in the log that is not folded.

    Attributes:
        position, number: Its change's place in the log, and its own in the change.
        entity: Key of the entity that it is about (``fold.unapplied.UNREADABLE`` where that cannot be read).
        refused: True when it is refused for good; False when it waits for a newer version.
        why: For a person.
    """

    position: int
    number: int
    entity: bytes
    refused: bool
    why: str


class UnappliedReader(Protocol):
    """The operations that are not folded."""

    def operations(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        """Return the operations that are not folded, those about an entity, or of the change at a position, in log order."""
        ...

    def waits(self) -> bool:
        """Tell whether any operation waits for a newer version."""
        ...

    def waiting(self) -> int:
        """Return how many operations wait for a newer version."""
        ...

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        """Return where in the log, after a position, changes are of which operations about an entity wait, in order."""
        ...

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        """Return where in the log changes are of which operations wait, in order, and the numbers of these: ``1,2,5``."""
        ...


class UnappliedWriter(UnappliedReader, Protocol):
    """Notes operations that are not folded."""

    def add(self, unapplied: Sequence[Unapplied]) -> None:
        """Note operations that are not folded."""
        ...
