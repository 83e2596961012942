"""Watched queries: a running device answers them again whenever something has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from edda_sync.words.model import Item


@dataclass(frozen=True, slots=True)
class QueryChange:
    """How the result of a watched query changed: new items, changed items, and items that are no longer in it."""

    added: list[Item]
    changed: list[Item]
    removed: list[Item]


class Changes:
    """Wakes the tasks that wait for a change, on one event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._next: asyncio.Future[None] | None = None

    def told(self) -> None:
        """Signal that something has changed."""
        self.count += 1
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. It is checked now, and after each change."""
        while not condition():
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._next)  # shielded, because others wait for it too


async def watch(find: Callable[[], Awaitable[list[Item]]], changes: Changes) -> AsyncIterator[QueryChange]:
    """
    Yield the result of a query, even if it is empty, and then each change of it, without end.

    Args:
        find: Runs the query.
        changes: Signals when to run it again.
    """
    seen: dict[str, Item] | None = None
    while True:
        count = changes.count
        found = {item.id: item for item in await find()}
        before = seen or {}
        change = QueryChange(
            [item for item in found.values() if item.id not in before],
            [item for item in found.values() if item.id in before and item != before[item.id]],
            [item for item in before.values() if item.id not in found],
        )
        if seen is None or change.added or change.changed or change.removed:
            yield change
        seen = found
        await changes.until(lambda count=count: changes.count != count)  # type: ignore[misc]
