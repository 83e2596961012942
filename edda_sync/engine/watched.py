"""
A watched query, as its consumer sees it: first the result, then each change of it.

A slow consumer misses states in between, but never the newest one: what has changed since it last asked is kept as one
difference, which is never larger than the result was and is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from edda_sync.words.model import Item


@dataclass(frozen=True, slots=True)
class QueryChange:
    """How the result of a watched query changed: new items, changed items, and items that are no longer in it."""

    added: list[Item]
    changed: list[Item]
    removed: list[Item]


class Watch:
    """
    One watched query. Iterate over it, with ``for`` on a thread or ``async for`` in asyncio, and :meth:`close` it, or use it
    in a ``with`` block. The first :class:`QueryChange` is the whole result, even if it is empty.

    Args:
        on_close: Called once when it is closed.
    """

    def __init__(self, on_close: Callable[[Watch], None]) -> None:
        self._on_close = on_close
        self._changed = threading.Condition()
        self._items: dict[str, Item] = {}
        self._before: dict[str, Item | None] = {}  # what the consumer knows of the items that changed since
        self._is_told = False  # whether there is something to take
        self._was_shown = False
        self._ended: BaseException | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    # --- for the consumer ---------------------------------------------------------------------------------------------

    def take(self) -> QueryChange | None:
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
        return QueryChange(
            [now for before, now in pairs if before is None and now is not None],
            [now for before, now in pairs if before is not None and now is not None and before != now],
            [before for before, now in pairs if before is not None and now is None],
        )

    def wait(self, timeout_s: float | None = None) -> QueryChange | None:
        """Wait for the next change and return it; None if there is none in time. See :meth:`take`."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_told or self._ended is not None, timeout_s)
        return self.take()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> QueryChange:
        while True:
            change = self.wait()
            if change is not None and not _is_empty(change, first=not self._was_shown):
                self._was_shown = True
                return change

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> QueryChange:
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

    # --- for live queries ---------------------------------------------------------------------------------------------

    def show(self, items: Mapping[str, Item], *, first: bool) -> None:
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

    def put(self, item_id: str, item: Item | None) -> None:
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


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _is_empty(change: QueryChange, *, first: bool) -> bool:
    """Tell whether a change need not be shown: what changed meanwhile is as it was."""
    return not (first or change.added or change.changed or change.removed)
