"""
What a process remembers of a store from one transaction to the next, and when that is no longer so.

Any process may fold entities of the store anew, or call changes by other names. What the others remember of it was true when
they read it: a text with other items in it, a past in the names of before a fork, a segment that is served. Nothing in the
rows that they would read next tells them. So each transaction that does such a thing counts up a number in the store, and
whoever remembers something compares that before use. Inside one process it is the same: nobody has to be told.
"""

from __future__ import annotations

from typing import Final

from edda_sync.store.seams import StoreReader, StoreWriter

FOLDED_KEY: Final = "folded"
_NUMBER_BYTES: Final = 8


def times(reader: StoreReader) -> int:
    """Return how often something of a store was folded anew."""
    return int.from_bytes(reader.meta.get(FOLDED_KEY) or b"", "big")


def note(tx: StoreWriter) -> None:
    """Note that something is folded anew, or called by another name: what anybody remembers is not so any more."""
    tx.meta.set(FOLDED_KEY, (times(tx) + 1).to_bytes(_NUMBER_BYTES, "big"))


class Still:
    """
    Whether what was remembered is still so; one for each memory.

    Tell it of the end of every transaction: a number that was counted up in one that came to nothing is given again, for
    something else.
    """

    __slots__ = ("_at", "_committed")

    def __init__(self) -> None:
        self._at: bytes | None = None  # the number, as it stands in the store
        self._committed: bytes | None = None

    def holds(self, reader: StoreReader) -> bool:
        """Tell whether nothing was folded anew since this was asked last; what is remembered from now on is of now."""
        at = reader.meta.get(FOLDED_KEY)
        if at == self._at:  # nearly always, and each change asks several times
            return True
        self._at = at
        return False

    def committed(self) -> None:
        """Note that the transaction is on disk."""
        self._committed = self._at

    def may_be_ahead(self) -> bool:
        """Tell whether what is remembered may be of a transaction that leaves no trace: forget it first, then."""
        return self._at != self._committed

    def rolled_back(self) -> None:
        """Note that the transaction left no trace."""
        self._at = self._committed
