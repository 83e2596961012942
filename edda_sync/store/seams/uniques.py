"""Uniques: what entities claim under the unique indexes of the workspace, and whose value is withheld because of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Claim(NamedTuple):
    """
    What an entity claims.

    Attributes:
        name: The name of the unique index.
        value: A hash of the entity's values in its columns (``crdt.uniques``).
        entity: The key of the entity.
        withheld: Whether another entity claims the same and shows it.
    """

    name: str
    value: bytes
    entity: bytes
    withheld: bool


class UniquesReader(Protocol):
    """The claims of visible entities."""

    def settings(self) -> Mapping[str, bytes]:
        """Return the records of the unique indexes whose claims are held, by name."""
        ...

    def claims_of(self, entities: Collection[bytes]) -> list[Claim]:
        """Return the claims of some entities."""
        ...

    def holders(self, name: str, value: bytes, limit: int) -> list[Claim]:
        """Return the first claims of a value, by entity."""
        ...

    def withheld(self, name: str) -> list[Claim]:
        """Return the claims under an index that are withheld, in order."""
        ...

    def scan(self) -> Iterator[Claim]:
        """Yield all claims, by name and entity."""
        ...

    def clashes(self) -> int:
        """Return how many claims are withheld."""
        ...


class UniquesWriter(UniquesReader, Protocol):
    """Writes claims."""

    def define(self, name: str, record: bytes | None) -> None:
        """Hold claims under an index from now on, and none yet; None ends that."""
        ...

    def put(self, gone: Sequence[tuple[str, bytes]], held: Sequence[Claim]) -> None:
        """Remove the claims of some indexes and entities, and write others in place of what these entities had."""
        ...
