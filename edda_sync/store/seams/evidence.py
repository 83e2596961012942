"""Evidence: a set of signed statements that decide which changes count, whatever the order in which they arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class EvidenceReader(Protocol):
    """The evidence that is held."""

    def all(self) -> Mapping[bytes, bytes]:
        """Return the signed evidence that is held, by name."""
        ...

    def names(self) -> Sequence[bytes]:
        """Return the names of the evidence that is held, in order."""
        ...

    def get(self, name: bytes) -> bytes | None:
        """Return a piece of evidence by its name; None if it is not held."""
        ...


class EvidenceWriter(EvidenceReader, Protocol):
    """Keeps and drops evidence."""

    def add(self, name: bytes, evidence: bytes) -> None:
        """Keep a piece of signed evidence under its name. To keep it a second time changes nothing."""
        ...

    def drop(self, name: bytes) -> None:
        """Forget a piece of evidence, because another piece says more."""
        ...
