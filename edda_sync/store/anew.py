"""
When something that a process remembers about a store from one transaction to the next is no longer true.

Any process may fold entities of the store again, or rename changes. What other processes remember was true when they
read it: a text with other items, a past with the names from before a fork, a segment that is served. Nothing in the
rows that they read next tells them. So each such transaction increments a number in the store, and everyone who
remembers something compares that number before using it. Inside one process it is the same, so nobody has to be
notified.
"""

from __future__ import annotations

from typing import Final

from edda_sync.store.seams import StoreReader, StoreWriter

FOLDED_KEY: Final = "folded"
_NUMBER_BYTES: Final = 8


def times(reader: StoreReader) -> int:
    """Return how often something in a store was folded again."""
    return int.from_bytes(reader.meta.get(FOLDED_KEY) or b"", "big")


def note(tx: StoreWriter) -> None:
    """Note that something is folded again, or renamed, so that nothing that was remembered before is used."""
    tx.meta.set(FOLDED_KEY, (times(tx) + 1).to_bytes(_NUMBER_BYTES, "big"))


class Still:
    """
    Whether something remembered is still true; one object for each memory.

    Report the end of every transaction to it: a transaction that is rolled back may have incremented the number, and
    the same number is then used again for something else.
    """

    __slots__ = ("_at", "_committed")

    def __init__(self) -> None:
        self._at: bytes | None = None  # the number in the store
        self._committed: bytes | None = None

    def holds(self, reader: StoreReader) -> bool:
        """Tell whether nothing was folded again since the last call. What is remembered from now on is true now."""
        at = reader.meta.get(FOLDED_KEY)
        if at == self._at:  # the usual case, and each change asks several times
            return True
        self._at = at
        return False

    def committed(self) -> None:
        """Note that the transaction is on disk."""
        self._committed = self._at

    def may_be_ahead(self) -> bool:
        """Tell whether what is remembered may come from a transaction that was rolled back. If so, forget it first."""
        return self._at != self._committed

    def rolled_back(self) -> None:
        """Note that the transaction was rolled back."""
        self._at = self._committed
