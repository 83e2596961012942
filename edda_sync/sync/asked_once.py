"""
A store that shows one state to each event, until the event writes.

Asking a store for its version looks at the file, which another process may have written. Asking many times for each frame
took a quarter of the time of a frame, and opening readers took an eighth. So an event sees what other processes and threads
committed before it began; what they commit during the event is seen by the next event. What the event itself commits is
seen by the rest of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from edda_sync.store.seams import Store, StoreReader, StoreWriter

T = TypeVar("T")


class AskedOnce:
    """
    A store as events see it. Outside of an event, every call goes to the store itself.

    Args:
        store: The store itself.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_event = False
        self._version: int | None = None  # what this event was told; None until it asks
        self._reader: StoreReader | None = None  # the reader of this event, until it writes
        self._open = ExitStack()  # all readers that this event opened
        self._reading = 0  # how many uses of them have not ended yet

    @contextmanager
    def event(self) -> Iterator[None]:
        """Enclose the handling of one event."""
        self._is_event, self._version = True, None
        try:
            with self._open:  # it hears of errors, too, and says of SQLite's what they mean
                yield
        finally:
            self._is_event, self._version, self._reader = False, None, None

    def transact(self, work: Callable[[StoreWriter], T]) -> T:
        """Run ``work`` in one durable transaction."""
        with self._writing():
            return self._store.transact(work)

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool:
        """Run ``work`` in one durable transaction, unless another writer is active; tell whether it ran."""
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
        """Open a reader. All reads of one event before it writes share the same reader."""
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
        """Return a number that changes with every commit; within an event, the number that its first call returned."""
        if not self._is_event:
            return self._store.version()
        if self._version is None:
            self._version = self._store.version()
        return self._version

    def close(self) -> None:
        """Close the store."""
        self._store.close()
