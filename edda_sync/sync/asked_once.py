"""
A store whose version is asked for once an event, however often that asks how the store stands.

To ask is a look at the file, which another process may have written: many of them for each frame were a quarter of what a
frame cost. What another process, or another thread of this one, commits within an event is seen by the next one, as if it
had come a moment later; what the event itself commits is seen by the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from edda_sync.store.seams import Store, StoreReader, StoreWriter

T = TypeVar("T")


class AskedOnce:
    """
    A store, seen from within events. Outside of them it is asked each time.

    Args:
        store: What is asked.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_event = False
        self._version: int | None = None  # as the event that is dealt with asked for it; None until then

    @contextmanager
    def event(self) -> Iterator[None]:
        """Deal with one event."""
        self._is_event, self._version = True, None
        try:
            yield
        finally:
            self._is_event, self._version = False, None

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in one durable transaction."""
        try:
            return self._store.transact(work)
        finally:
            self._version = None

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader."""
        return self._store.read()

    def version(self) -> int:
        """Return a number that changes with every commit, as it was when this event first asked."""
        if not self._is_event:
            return self._store.version()
        if self._version is None:
            self._version = self._store.version()
        return self._version

    def is_busy(self) -> bool:
        """Tell whether somebody writes at this moment."""
        return self._store.is_busy()

    def close(self) -> None:
        """Close the store."""
        self._store.close()
