"""Signatures over heads. A signature over a head covers the whole chain below it."""

from __future__ import annotations

from typing import Protocol


class SignaturesReader(Protocol):
    """The signatures over heads that are held."""

    def at(self, actor: bytes, seq: int) -> bytes | None:
        """Return the signature over an actor's head at a seq; None if there is none."""
        ...

    def next(self, actor: bytes, seq: int) -> int | None:
        """Return the lowest seq, from ``seq`` on, at which an actor's head is signed; None if there is none."""
        ...

    def last(self, actor: bytes, seq: int) -> int | None:
        """Return the highest seq, up to ``seq``, at which an actor's head is signed; None if there is none."""
        ...


class SignaturesWriter(SignaturesReader, Protocol):
    """Keeps signatures."""

    def add(self, actor: bytes, seq: int, signature: bytes) -> None:
        """Keep the signature over an actor's head at a seq, and note it in the head."""
        ...
