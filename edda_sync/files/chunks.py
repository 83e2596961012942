"""
Chunks: pieces of files, each named by its hash. This module says what is asked of a place that keeps them.

A chunk never changes, so equal pieces are kept once, and whoever has a name can check what it names. Nothing here is part of
a transaction of the store: chunks are made durable *before* the transaction that refers to them, and chunks that nothing
refers to are collected later (``collecting``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import NamedTuple, Protocol

from edda_sync.crdt.attachments import HASH_BYTES


def name_of(chunk: bytes | memoryview) -> bytes:
    """Return the name of a chunk: BLAKE2b-256 of its bytes."""
    return blake2b(chunk, digest_size=HASH_BYTES, person=b"edda-chunk").digest()


class Kept(NamedTuple):
    """
    How a chunk is kept.

    Attributes:
        size: In bytes, packed.
        since_s: When it was last added or kept: wall time, in seconds since 1970.
    """

    size: int
    since_s: float


class Adding(Protocol):
    """
    Adds chunks. None of those that it added or kept is collected before it ends.

    Call :meth:`settle` before anything refers to them, and end it after the transaction that does.

    Attributes:
        new: The names of the chunks that it wrote, since they were not here.
    """

    new: set[bytes]

    def add(self, chunk: bytes) -> bytes:
        """
        Keep a chunk, and return its name. One that is kept already is checked, and replaced if it is damaged.

        Raises:
            StorageError: It cannot be written. Nothing of it is kept.
        """
        ...

    def keep(self, name: bytes) -> bool:
        """Keep a chunk that is here already; tell whether it is here."""
        ...

    def settle(self) -> None:
        """Wait until every chunk that was added or kept is on disk, with its name."""
        ...


class Chunks(Protocol):
    """A place where chunks are kept. Its methods may be called from several threads."""

    def has(self, name: bytes) -> bool:
        """Tell whether a chunk is here. It is not read: :meth:`get` tells whether it is sound."""
        ...

    def kept(self, name: bytes) -> Kept | None:
        """Return how a chunk is kept, which is not read for this; None if it is not here."""
        ...

    def get(self, name: bytes) -> bytes | None:
        """
        Return a chunk, compared with its name; None if it is not here.

        Raises:
            DamagedFileError: These are not the bytes that were written.
            StorageError: It cannot be read.
        """
        ...

    def adding(self) -> AbstractContextManager[Adding]:
        """Begin to add chunks."""
        ...

    def names(self, after: bytes = b"") -> Iterator[bytes]:
        """
        Yield the names of the chunks that are here, in an order that lasts, beginning after ``after``.

        While the key of an encrypted store is replaced, some may come twice, or be left out after ``after``.
        """
        ...

    def drop(self, names: Iterable[bytes], before_s: float) -> int | None:
        """
        Drop those of some chunks that nobody has added or kept since a moment.

        Args:
            names: The chunks.
            before_s: That moment: wall time, in seconds since 1970.

        Returns:
            How many were dropped; None if somebody is adding chunks, so that nothing was done.
        """
        ...

    def set_aside(self, name: bytes) -> None:
        """Take a damaged chunk out of the way, so that it is not here any more and can be fetched again."""
        ...

    def sweep(self, before_s: float) -> None:
        """Remove what processes that were killed left half written before a moment."""
        ...
