"""Large changes that are half here: their parts arrive one by one, and are no part of the log before all are here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Incoming(NamedTuple):
    """A large change of which not every part is here yet."""

    actor: bytes
    seq: int
    raw: bytes
    parts: frozenset[int]  # the numbers of those that are


class IncomingReader(Protocol):
    """The large changes whose parts are still arriving."""

    def all(self, seq: int | None = None) -> Sequence[Incoming]:
        """Return the large changes whose parts are still arriving; those with a seq, or all."""
        ...


class IncomingWriter(IncomingReader, Protocol):
    """Keeps the parts that arrive, until all are here."""

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        """Keep the header of a large change until its parts are here."""
        ...

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        """Keep a part of a large change that is not complete yet."""
        ...

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        """Make the kept parts those of the change at a position, and forget that it was expected."""
        ...

    def forget(self, actor: bytes, seq: int) -> None:
        """Forget a large change that was expected, with its parts: it came by another way."""
        ...
