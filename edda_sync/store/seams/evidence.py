"""Evidence: signed statements that decide what counts, a set that is the same in whatever order it was gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class EvidenceReader(Protocol):
    """The evidence that is held."""

    def all(self) -> Mapping[bytes, bytes]:
        """Return the signed evidence that is held: what it says, by its name."""
        ...

    def names(self) -> Sequence[bytes]:
        """Return the names of the evidence that is held, in order."""
        ...

    def get(self, name: bytes) -> bytes | None:
        """Return a piece of evidence by its name; None when it is not held."""
        ...


class EvidenceWriter(EvidenceReader, Protocol):
    """Keeps and drops evidence."""

    def add(self, name: bytes, evidence: bytes) -> None:
        """Keep a piece of signed evidence under its name; again is nothing."""
        ...

    def drop(self, name: bytes) -> None:
        """Forget a piece of evidence that another one says more than."""
        ...
