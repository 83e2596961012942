"""What ``edda up`` prints about conflicts that arise while it runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from edda_sync.cli.common import safe_line
from edda_sync.cli.happenings import LINE_EVERY_S
from edda_sync.cli.log import Line, Log
from edda_sync.engine.inbox import Inbox, keys_of
from edda_sync.engine.watched import ConflictWatch
from edda_sync.words import limits
from edda_sync.words.errors import EddaError
from edda_sync.words.listed import DELETED, RENAMED, Conflict

if TYPE_CHECKING:
    from edda_sync.device.device import Device
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.store.feed import Changed


class Arising:
    """
    Prints a line when conflicts arise, at most one in a second, inside an ``async with`` block.

    It looks only at what the commits of this process changed: what others bring comes by them.

    Args:
        device: The running device.
        log: Prints the lines.
    """

    def __init__(self, device: Device, log: Log) -> None:
        self._device, self._log = device, log
        self._inbox = Inbox(ConflictWatch(lambda _: None))
        self._known: set[object] = set()
        self._lock, self._woken = threading.Lock(), asyncio.Event()
        self._keys: set[bytes] = set()
        self._everything = True
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _go_on(self) -> None:
        end = self._device.store.ledger.feed.listen(self._hear)
        try:
            await self._look()  # what there is already is not new
            while True:
                await self._woken.wait()
                self._woken.clear()
                if found := await self._look():
                    self._log.happened(
                        Line(_sentence(found), "conflict", {"conflicts": [_fields(each) for each in found]})
                    )
                await asyncio.sleep(LINE_EVERY_S)
        finally:
            end()

    def _hear(self, changed: Changed) -> None:
        with self._lock:
            self._keys |= keys_of(changed.named)
            self._everything = self._everything or changed.everything
        with suppress(RuntimeError):  # the loop is closed: nothing is printed any more
            self._loop.call_soon_threadsafe(self._woken.set)

    async def _look(self) -> list[Conflict]:
        """Return the conflicts that were not there before."""
        try:
            await self._device.run(self._read)
        except EddaError as error:
            self._log.noted(f"Conflicts that arise now are not told: {error}")
            self._everything = True
            return []
        change = self._inbox.watch.take()
        listed = [] if change is None else [*change.added, *change.changed]
        found = [each for each in listed if _identity(each) not in self._known]
        self._known.update(map(_identity, found))
        return found

    def _read(self, store: StorageEngine) -> None:
        with self._lock:
            keys, self._keys = self._keys, set()
            everything, self._everything = self._everything, False
        with store.snapshot() as reader:
            if everything:
                self._inbox.read(reader)
            else:
                self._inbox.meet(reader, keys)


def _identity(conflict: Conflict) -> object:
    """Return what tells a conflict from another one of the same field, which came after it was settled."""
    return conflict.kind, conflict.id, conflict.field, frozenset((each.actor, each.seq) for each in conflict.kept)


def _sentence(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) > 1:
        return f"{len(conflicts):,} new conflicts; `edda conflicts` shows them and how to settle them"
    (one,) = conflicts
    short_id = one.id.replace("-", "")[-limits.SHORT_ID_CHARACTERS_MIN :]
    named = f"{one.kind} {short_id}, {safe_line(one.title)}"
    what = {
        DELETED: f"{named}, was deleted on one device and edited on another, and is still there",
        RENAMED: f"{named}, was renamed on two devices at once, and is two tags now",
    }.get(one.field, f"{safe_line(one.field)} of {named}, was written on two devices at once")
    return f"new conflict: {what}; `edda conflicts show {short_id}` shows it and how to settle it"


def _fields(conflict: Conflict) -> dict[str, str]:
    return {"kind": conflict.kind, "id": conflict.id, "field": conflict.field}
