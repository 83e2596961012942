"""
Fetching for a person who waits: files that somebody asks for, and those that come by themselves after a sync.

A generator answers, like those of ``service``: it yields how far it is, and at the end an answer with ``"done": True``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from edda_sync.crdt.attachments import File
from edda_sync.device.control import Answer
from edda_sync.device.filing import Files, facts
from edda_sync.device.peers import Endpoint, Peers
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.progress import Progress
from edda_sync.words import limits
from edda_sync.words.errors import RemoteError, StorageError

T = TypeVar("T")
REPORT_EVERY_S = 0.2  # how often a generator yields while something comes


class Fetches(Protocol):
    """The part of a running device that is used here; see :class:`Device`."""

    peers: Peers

    @property
    def files(self) -> Files:
        """The content of attached files."""
        ...

    @property
    def progress(self) -> dict[str, Progress]:
        """The progress of every open session, by peer."""
        ...

    @property
    def fault(self) -> str:
        """What fails here now."""
        ...

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store."""
        ...

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        ...


async def fetch(
    device: Fetches, document: str, attachments: Sequence[str], at: Sequence[Endpoint] = ()
) -> AsyncGenerator[Answer, None]:
    """
    Fetch attachments of a document, whatever their size, from the peers that have them. Those that are here are read first,
    and what is damaged is fetched, too.

    It ends when they are here, when no device that can be reached has the rest, or when nothing comes any more. A device
    whose link is lost meanwhile is waited for, like one that says nothing.

    Args:
        device: A running device.
        document: Its id.
        attachments: The ids of its attachments.
        at: Further addresses to dial.

    Yields:
        ``came`` and ``of``: how many bytes of how many are here. At the end also ``wanted`` and ``missing``, the names of
        the files that were not here, or damaged, and of those that still are not; and ``fault``, what fails here.
    """
    await device.run(lambda store: store.reading.files.recheck(document, attachments))
    wanted = await device.run(partial(_missing, document, attachments))
    files = [file for _, file in wanted]
    sizes = {file.root: file.size for file in files}
    search = asyncio.ensure_future(_search(device, at))
    met = set[str]()

    def left() -> dict[bytes, tuple[int, bool]]:
        demanded = device.files.progress.demanded
        return {root: demanded[root] for root in sizes if root in demanded}

    def is_over() -> bool:
        met.update(device.progress)
        is_lost = bool(met - device.progress.keys())  # and comes back
        may_come = is_lost or any(may_come for _, may_come in left().values())
        return not left() or (search.done() and not may_come)

    try:
        await device.files.demand(files)
        async for _ in _until(device, is_over):
            gone = sum(max(sizes[root] - here, 0) for root, (here, _) in left().items())
            yield {"came": sum(sizes.values()) - gone, "of": sum(sizes.values())}
    finally:
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
        await device.files.relent(files)
    missing = [name for name, _ in await device.run(partial(_missing, document, attachments))]
    names = [name for name, _ in wanted]
    yield {
        "came": 0,
        "of": sum(sizes.values()),
        "wanted": names,
        "missing": missing,
        "fault": device.fault,
        "done": True,
    }


async def settle(device: Fetches) -> AsyncGenerator[dict[str, Any], None]:
    """Wait until no file is under way any more, here or to a linked peer, or none moves; yield how it stands meanwhile."""
    async for _ in _until(device, lambda: not (device.files.progress.files or device.files.progress.peers)):
        yield facts(device.files.progress)


async def _until(device: Fetches, is_over: Callable[[], bool]) -> AsyncGenerator[None, None]:
    """Wait until something is over, or no file moves for a while; yield at intervals."""
    before, now = device.files.progress, asyncio.get_running_loop().time
    moved_s = now()
    while not is_over() and now() < moved_s + limits.FILE_STALLED_S:
        yield
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPORT_EVERY_S):
                await device.until(is_over)
        if device.files.progress != before:
            before, moved_s = device.files.progress, now()


def _missing(document: str, attachments: Sequence[str], store: StorageEngine) -> list[tuple[str, File]]:
    return store.reading.files.missing(document, attachments)


async def _search(device: Fetches, at: Sequence[Endpoint]) -> None:
    """Look for the other devices, until all are linked and talk, or the time is over."""
    device.peers.network_changed()
    async with asyncio.timeout(limits.SEARCH_S):
        for endpoint in at:
            with contextlib.suppress(RemoteError, StorageError):  # others may have it
                await device.peers.dial_address(*endpoint)
        await device.until(lambda: device.peers.all.keys() <= device.progress.keys())
