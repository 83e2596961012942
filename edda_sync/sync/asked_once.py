"""
A store of which an event sees one state, until it writes itself, however often it looks.

To ask is a look at the file, which another process may have written: many of them for each frame were a quarter of what a
frame cost, and the readers that followed an eighth. What another process, or another thread of this one, commits within an
event is seen by the next one, as if it had come a moment later; what the event itself commits is seen by the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
        self._reader: StoreReader | None = None  # of this event, until it writes
        self._open = ExitStack()  # readers of this event
        self._reading = 0  # how many uses of them have not ended

    @contextmanager
    def event(self) -> Iterator[None]:
        """Deal with one event."""
        self._is_event, self._version = True, None
        try:
            yield
        finally:
            self._is_event, self._version, self._reader = False, None, None
            self._open.close()

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in one durable transaction."""
        with self._writing():
            return self._store.transact(work)

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """Run ``work`` in one durable transaction, unless somebody writes at this moment; tell whether it ran."""
        with self._writing():
            return self._store.transact_unless_busy(work)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._reader = None
        if not self._reading:
            self._open.close()
        try:
            yield
        finally:
            self._version = None

    def read(self) -> AbstractContextManager[StoreReader]:
        """Open a reader; all that one event reads before it writes it reads of one."""
        return self._read_on() if self._is_event else self._store.read()

    @contextmanager
    def _read_on(self) -> Iterator[StoreReader]:
        if self._reader is None:
            self._reader = self._open.enter_context(self._store.read())
        self._reading += 1
        try:
            yield self._reader
        finally:
            self._reading -= 1

    def version(self) -> int:
        """Return a number that changes with every commit, as it was when this event first asked."""
        if not self._is_event:
            return self._store.version()
        if self._version is None:
            self._version = self._store.version()
        return self._version

    def close(self) -> None:
        """Close the store."""
        self._store.close()
