"""Large changes that are only partly here. Their parts arrive one by one, and join the log when all are here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Incoming(NamedTuple):
    """A large change of which some parts are still missing."""

    actor: bytes
    seq: int
    raw: bytes
    parts: frozenset[int]  # the numbers of the parts that are here


class IncomingReader(Protocol):
    """The large changes whose parts are still arriving."""

    def all(self, seq: int | None = None) -> Sequence[Incoming]:
        """Return the large changes whose parts are still arriving: all, or those with a seq."""
        ...

    def part(self, actor: bytes, seq: int, number: int) -> bytes:
        """Return a part that is here."""
        ...


class IncomingWriter(IncomingReader, Protocol):
    """Keeps the parts that arrive, until all are here."""

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        """Keep the header of a large change until all its parts are here."""
        ...

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        """Keep a part of a large change that is not complete yet."""
        ...

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        """Make the kept parts those of the change at a position, and forget that the change was expected."""
        ...

    def forget(self, actor: bytes, seq: int) -> None:
        """Forget an expected large change and its parts, because it came another way."""
        ...
