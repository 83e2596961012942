"""
Waiting: where the operations of a store are that wait for a newer version, and whether a past holds one of them.

This is asked for each operation that would be refused. Of each entity it is enough to know the first change of each name
that has a waiting operation: a past that holds a later one holds the first one, too. What was looked up is kept from one
transaction to the next, and only what came since is looked up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from edda_sync.store import anew
from edda_sync.store.seams import StoreReader

REMEMBERED_MAX: Final = 64  # entities of which it is remembered: those that somebody writes to now


class Waiting:
    """Where operations wait in one store."""

    def __init__(self) -> None:
        self._first: OrderedDict[bytes, tuple[int, dict[bytes, int]]] = OrderedDict()
        self._still = anew.Still()

    def within(self, reader: StoreReader, key: bytes, past: Mapping[bytes, int]) -> bool:
        """
        Tell whether an operation on an entity waits in a past, of those that are stored.

        Args:
            reader: A transaction of the store.
            key: The entity's.
            past: By the names of now.
        """
        if not reader.unapplied.waits():
            return False
        if not self._still.holds(reader):
            self._first.clear()
        upto, first = self._first.pop(key, (0, {}))
        for position in reader.unapplied.waiting_at(key, upto):
            logged = reader.log.read(position)  # under the name that its branch goes by, as in a past
            first[logged.actor] = min(logged.seq, first.get(logged.actor, logged.seq))
            upto = position
        self._first[key] = upto, first
        while len(self._first) > REMEMBERED_MAX:
            self._first.popitem(last=False)
        return any(seq <= past.get(name, 0) for name, seq in first.items())

    def committed(self) -> None:
        """Keep what the transaction that just ended left."""
        self._still.committed()

    def rolled_back(self) -> None:
        """Forget all of it: what a transaction that left no trace wrote may be what was looked up."""
        self._still.rolled_back()
        self.forget()

    def forget(self) -> None:
        """Forget all of it."""
        self._first.clear()
