"""Filing: what a running device does with the content of attached files. Its replica decides it all (``sync.filing``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from edda_sync.crdt.attachments import File
from edda_sync.device.status import Status
from edda_sync.device.supervisor import Supervisor
from edda_sync.device.turns import Turns
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Blamed, Errand
from edda_sync.sync.filing import FilesProgress, Filing
from edda_sync.words.errors import EddaError
from edda_sync.words.metrics import FilesMetrics

FILES: Final = "attached files"


class Files:
    """
    The content of a device's attached files.

    Args:
        turns: The turns of its replica.
        status: Is told of peers that give what is wrong.
        tasks: Runs errands.
        failed, worked: Are told of faults, and of their end.
    """

    def __init__(
        self,
        turns: Turns,
        status: Status,
        tasks: Supervisor,
        failed: Callable[[str, EddaError], None],
        worked: Callable[[str], None],
    ) -> None:
        self._turns, self._status, self._tasks, self._failed, self._worked = turns, status, tasks, failed, worked

    @property
    def progress(self) -> FilesProgress:
        """How the device stands with them."""
        filing = self._turns.replica.filing
        return FilesProgress() if filing is None else filing.progress

    async def demand(self, files: Iterable[File]) -> None:
        """Fetch some files, whatever their size, before all others. Call :meth:`relent` once nobody waits any more."""
        await self._turns.drive(lambda replica, now: replica.filed(lambda filing: filing.demand(files), now))

    async def relent(self, files: Iterable[File]) -> None:
        """Fetch some files no longer because somebody asked for them."""
        roots = [file.root for file in files]
        await self._turns.drive(lambda replica, now: replica.filed(lambda filing: filing.relent(roots), now))

    def carry_out(self, effect: Errand | Blamed) -> None:
        """Carry out what the replica asks for."""
        if isinstance(effect, Errand):
            self._tasks.start(self._run(effect))
        else:
            name = self._status.name_of(effect.peer)
            wrong = "sent a part of a file that is not what it should be; it was dropped, and is asked of others"
            self._status.troubled(effect.peer, f"{name} {wrong}.")

    async def _run(self, errand: Errand) -> None:
        await self._turns.errand(errand)
        if errand.error is not None:
            self._failed(FILES, errand.error)
        else:
            self._worked(FILES)


def filing_of(store: StorageEngine) -> Filing:
    """Return the filing of a store that is open."""
    files, feed = store.reading.files, store.ledger.feed
    below = store.config.files_config.always_below
    return Filing(store.store, lambda: files.chunks, below, lambda: feed.attached, files.lost)


def measured(metrics: FilesMetrics, progress: FilesProgress) -> FilesMetrics:
    """Return the figures of the files of a store, with those of the device that runs on it."""
    return replace(
        metrics, bytes_fetched=progress.came, bytes_given=progress.given, refused=progress.refused,
        mended=progress.mended,
    )  # fmt: skip


def facts(progress: FilesProgress) -> dict[str, Any]:
    """Return how a device stands with files, as its answers have it."""
    return {
        "fetching": progress.files, "left_bytes": progress.left, "came": progress.done, "came_bytes": progress.came,
        "peers_fetching": progress.peers,
    }  # fmt: skip
