"""
Waiting: where a store has operations that wait for a newer version, and whether a past contains one of them.

This is asked for each operation that would be refused. For each entity and each name, the first change with a waiting
operation is enough: a past that contains a later one contains the first one too. What was looked up is kept from one
transaction to the next, and only what came since is looked up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from edda_sync.store import anew
from edda_sync.store.seams import StoreReader

REMEMBERED_MAX: Final = 64  # how many entities are remembered: those that are being written to


class Waiting:
    """Where operations wait in one store."""

    def __init__(self) -> None:
        self._first: OrderedDict[bytes, tuple[int, dict[bytes, int]]] = OrderedDict()
        self._still = anew.Still()

    def within(self, reader: StoreReader, key: bytes, past: Mapping[bytes, int]) -> bool:
        """
        Tell whether a stored operation on an entity waits in a past.

        Args:
            reader: A transaction of the store.
            key: The entity's key.
            past: The past, by the present names.
        """
        if not reader.unapplied.waits():
            return False
        if not self._still.holds(reader):
            self._first.clear()
        upto, first = self._first.pop(key, (0, {}))
        for position in reader.unapplied.waiting_at(key, upto):
            logged = reader.log.read(position)  # with the name of its branch, as in a past
            first[logged.actor] = min(logged.seq, first.get(logged.actor, logged.seq))
            upto = position
        self._first[key] = upto, first
        while len(self._first) > REMEMBERED_MAX:
            self._first.popitem(last=False)
        return any(seq <= past.get(name, 0) for name, seq in first.items())

    def committed(self) -> None:
        """Keep what was looked up in the transaction that has just ended."""
        self._still.committed()

    def rolled_back(self) -> None:
        """Forget everything, because it may contain what a failed transaction wrote."""
        self.forget()
        self._still.rolled_back()

    def forget(self) -> None:
        """Forget everything."""
        self._first.clear()
