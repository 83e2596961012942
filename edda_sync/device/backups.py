"""A running device takes a backup at each of its targets whenever the configured frequency says that one is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edda_sync.device.happening import Happening
from edda_sync.words import limits
from edda_sync.words.config import BackupFrequency
from edda_sync.words.errors import EddaError, UsageError

if TYPE_CHECKING:
    from edda_sync.backup.target import Target
    from edda_sync.engine.backed_up import BackedUp
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.standing import Remembered


def has_schedule(store: StorageEngine) -> bool:
    """Tell whether the configuration says that backups are taken by themselves."""
    return store.config.backup_config.frequency != BackupFrequency.NEVER


class Backups:
    """
    Takes backups when they are due. Run :meth:`go_on` for as long as the device runs.

    Args:
        store: The store. It is used on other threads, while the device goes on.
        tell: Is told that a backup was made, or that it could not be (``trouble``), in words.
        targets: Returns the targets of the store; those that ``edda backup target`` lists by default.
        now: The present moment, with a time zone.
        sleep: Waits for so many seconds.
        remembered: Returns when each peer was last proved equal, as the running device knows it; by default what the store
            has saved, which is some time behind.
    """

    def __init__(
        self,
        store: StorageEngine,
        tell: Callable[[Happening], object],
        targets: Callable[[StorageEngine], Sequence[Target]] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        remembered: Callable[[], Mapping[str, Remembered] | None] = lambda: None,
    ) -> None:
        self._store, self._tell, self._now, self._sleep = store, tell, now, sleep
        self._targets, self._remembered = targets or _known_targets, remembered
        self._started = now()
        self._is_ending = False
        self._failed: dict[str, datetime] = {}  # when a backup at a target last failed
        self._due_since: dict[str, datetime] = {}  # since when one at a target is due and waits for other devices

    async def go_on(self) -> None:
        """Look again and again, without end, whether a backup is due, and take it."""
        while True:
            await self._sleep(limits.BACKUP_LOOKED_AT_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Take the backups that are due now. One that fails is told, and tried again after a while."""
        try:
            targets = await asyncio.to_thread(self._targets, self._store)
        except EddaError as error:
            self._tell(Happening("trouble", text=f"No backup can be taken: {error}"))
            return
        for target in targets:
            if self._has_failed(target.name):
                continue
            try:
                is_due = self._is_due(target.name) or self._is_to_be_converged(target.name)
            except (
                EddaError
            ) as error:  # such as a disk that cannot be read now; without this, no backup would ever follow
                self._has_not_made(target.name, error)
                continue
            if is_due:
                await self._take(target)

    def _is_due(self, target: str) -> bool:
        """Tell whether a backup is due, and has waited long enough for the other devices."""
        from edda_sync.backup import schedule
        from edda_sync.engine import standing

        now, config = self._now(), self._store.config.backup_config
        noted = self._noted(target)
        due = schedule.due(
            config.frequency,
            datetime.fromtimestamp(noted.checked_ms / 1_000, UTC) if noted.checked_ms else None,
            now,
            started=self._started,
            zone=None,
            share=schedule.share_of(self._store.identity.device),
        )
        if due is None or due > now:
            return False
        since = self._due_since.setdefault(target, now)
        return now - since >= config.wait_converged or not standing.outstanding(self._store, self._remembered())

    def _is_to_be_converged(self, target: str) -> bool:
        """Tell whether the last backup is not enough, since devices were not proved equal to it that are so by now."""
        from edda_sync.engine import standing

        if not self._store.config.backup_config.require_converged:
            return False
        noted = self._noted(target)
        made_ago = self._now() - datetime.fromtimestamp(noted.made_ms / 1_000, UTC)
        if not noted.outstanding or timedelta(0) <= made_ago < timedelta(seconds=limits.BACKUP_AGAIN_S):
            return False
        return not standing.outstanding(self._store, self._remembered())

    def _noted(self, target: str) -> BackedUp:
        from edda_sync.engine import backed_up

        with self._store.store.read() as reader:
            return backed_up.of(reader, target)

    def _has_failed(self, target: str) -> bool:
        failed = self._failed.get(target)
        return failed is not None and self._now() - failed < timedelta(seconds=limits.BACKUP_AGAIN_S)

    def _has_not_made(self, target: str, error: EddaError) -> None:
        """Tell why there is no backup at a target, and let a while pass before it is tried again."""
        self._failed[target] = self._now()
        self._tell(Happening("trouble", text=f"No backup at {target}: {error}"))

    async def _take(self, target: Target) -> None:
        from edda_sync.backup.manager import BackupManager

        def go_on(_doing: str) -> None:
            if self._is_ending:
                raise UsageError(
                    "The device ends, and with it the backup that it was making; the next one goes on there."
                )

        def work() -> str:
            made = BackupManager(self._store, target, self._remembered).back_up(go_on)
            if not made.is_new:
                return ""
            said = f"Backup {made.manifest.number} at {target.name} is made and proved."
            if lacking := made.manifest.outstanding:
                said += f" It may lack the latest of {', '.join(each.name for each in lacking)}"
                again = self._store.config.backup_config.require_converged
                said += "; another one follows once they are proved equal." if again else "."
            return said

        try:
            said = await asyncio.to_thread(work)
        except asyncio.CancelledError:  # the thread cannot be cancelled, and would keep the process from ending
            self._is_ending = True
            raise
        except EddaError as error:
            self._has_not_made(target.name, error)
        else:
            self._failed.pop(target.name, None)
            self._due_since.pop(target.name, None)
            if said:
                self._tell(Happening("backup", text=said))


def _known_targets(store: StorageEngine) -> Sequence[Target]:
    from edda_sync.backup.targets.opening import named

    return named(store.home, store.config)
