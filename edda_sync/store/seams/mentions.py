"""Mentions: which changes of the log are about an entity, so that some entities can be folded again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class MentionsReader(Protocol):
    """Which changes are about which entities."""

    def of(self, entity: bytes) -> Sequence[int]:
        """Return the positions in the log of the changes that are about an entity, in order."""
        ...

    def count(self) -> int:
        """Return how many pairs there are of a change and an entity that it is about."""
        ...

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        """Return the entities that the changes at some positions are about."""
        ...


class MentionsWriter(MentionsReader, Protocol):
    """Notes mentions."""

    def add(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        """Note pairs of an entity and the position of a change that is about it; a pair that is known changes nothing."""
        ...
