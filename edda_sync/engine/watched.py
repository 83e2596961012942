"""
A watched query, or the watched conflicts, as the consumer sees it: first the result, then each change of it.

A slow consumer misses states in between, but never the newest one: what has changed since it last asked is kept as one
difference, which is never larger than the result was and is.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from edda_sync.words.model import Item

if TYPE_CHECKING:
    from edda_sync.words.listed import Conflict

T = TypeVar("T")
C = TypeVar("C", "QueryChange", "ConflictChange")


@dataclass(frozen=True, slots=True)
class QueryChange:
    """How the result of a watched query changed: new items, changed items, and items that are no longer in it."""

    added: list[Item]
    changed: list[Item]
    removed: list[Item]


@dataclass(frozen=True, slots=True)
class ConflictChange:
    """How the conflicts of a store changed: new ones, those with other values by now, and those that are settled."""

    added: list[Conflict]
    changed: list[Conflict]
    removed: list[Conflict]


class Following(ABC, Generic[T, C]):
    """
    What is followed. Iterate over it, with ``for`` on a thread or ``async for`` in asyncio, and :meth:`close` it, or use it
    in a ``with`` block. The first change is the whole result, even if it is empty.

    Args:
        on_close: Called once when it is closed.
    """

    def __init__(self, on_close: Callable[[Any], None]) -> None:
        self._on_close = on_close
        self._changed = threading.Condition()
        self._items: dict[str, T] = {}
        self._before: dict[str, T | None] = {}  # what the consumer knows of the items that changed since
        self._is_told = False  # whether there is something to take
        self._was_shown = False
        self._ended: BaseException | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    # --- for the consumer ---------------------------------------------------------------------------------------------

    def take(self) -> C | None:
        """
        Return what has changed since the last call; None if nothing has.

        Raises:
            EddaError: The query cannot be answered any more, for the reason in the error.
        """
        with self._changed:
            if not self._is_told:
                if self._ended is not None:
                    raise self._ended
                return None
            self._is_told = False
            pairs = [(before, self._items.get(each)) for each, before in self._before.items()]
            self._before = {}
        return self._as_change(
            [now for before, now in pairs if before is None and now is not None],
            [now for before, now in pairs if before is not None and now is not None and before != now],
            [before for before, now in pairs if before is not None and now is None],
        )

    def wait(self, timeout_s: float | None = None) -> C | None:
        """Wait for the next change and return it; None if there is none in time. See :meth:`take`."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_told or self._ended is not None, timeout_s)
        return self.take()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> C:
        while True:
            change = self.wait()
            if change is not None and not _is_empty(change, first=not self._was_shown):
                self._was_shown = True
                return change

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> C:
        while True:
            change = self.take()
            if change is not None and not _is_empty(change, first=not self._was_shown):
                self._was_shown = True
                return change
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            with self._changed:
                if self._is_told or self._ended is not None:
                    continue
                self._waiting = loop, future
            await future

    def close(self) -> None:
        """End it. A second call does nothing."""
        self._on_close(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    @abstractmethod
    def _as_change(added: list[T], changed: list[T], removed: list[T]) -> C:
        """Return a change."""

    # --- for live queries ---------------------------------------------------------------------------------------------

    def show(self, items: Mapping[str, T], *, first: bool) -> None:
        """Make this the result, in place of what it was."""
        with self._changed:
            gone = [each for each in self._items if each not in items]
            for each in gone:
                self._before.setdefault(each, self._items.pop(each))
            for each, item in items.items():
                if self._items.get(each) != item:
                    self._before.setdefault(each, self._items.get(each))
                    self._items[each] = item
            if first or self._before:
                self._tell()

    def put(self, item_id: str, item: T | None) -> None:
        """Make an item part of the result, or replace it; None if it is no part any more."""
        with self._changed:
            former = self._items.get(item_id)
            if former == item:
                return
            self._before.setdefault(item_id, former)
            if item is None:
                del self._items[item_id]
            else:
                self._items[item_id] = item
            self._tell()

    def end(self, error: BaseException) -> None:
        """Let the consumer meet an error once it has taken everything."""
        with self._changed:
            self._ended = self._ended or error
            self._wake()

    def _tell(self) -> None:
        self._is_told = True
        self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            loop, future = waiting
            with suppress(RuntimeError):  # its loop is closed, and so is nobody there
                loop.call_soon_threadsafe(_done, future)


class Watch(Following[Item, QueryChange]):
    """One watched query: see :class:`Following`. Its changes are :class:`QueryChange`."""

    @staticmethod
    def _as_change(added: list[Item], changed: list[Item], removed: list[Item]) -> QueryChange:
        return QueryChange(added, changed, removed)


class ConflictWatch(Following["Conflict", ConflictChange]):
    """The watched conflicts of a store: see :class:`Following`. Their changes are :class:`ConflictChange`."""

    @staticmethod
    def _as_change(added: list[Conflict], changed: list[Conflict], removed: list[Conflict]) -> ConflictChange:
        return ConflictChange(added, changed, removed)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _is_empty(change: QueryChange | ConflictChange, *, first: bool) -> bool:
    """Tell whether a change need not be shown: what changed meanwhile is as it was."""
    return not (first or change.added or change.changed or change.removed)
