"""The first sync of a device that has just joined: its progress, and whether its inviter is still there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from edda_sync.cli.common import can_redraw, note, safe_line

if TYPE_CHECKING:
    from edda_sync.device.device import Device

LOST_S_MAX: Final = 10.0  # the first sync waits this long for an inviter that has gone
STEP_S: Final = 0.2


async def until_equal(device: Device, peer: str) -> bool:
    """
    Wait until the inviter is proved equal, or cannot be, with a progress bar; return False if the inviter has gone.

    It cannot be where one of the two runs an older version, which cannot read all that both hold.
    """
    equal = asyncio.ensure_future(device.equal({peer}))
    seen, said = time.monotonic(), ""
    try:
        with _Bar() as bar:
            while not (await asyncio.wait({equal}, timeout=STEP_S))[0]:
                if device.fault not in ("", said):  # nothing arrives until this is mended
                    said = device.fault
                    note(safe_line(said))
                talk = device.progress.get(peer)
                now = time.monotonic()
                if talk is not None and talk.cannot_prove:
                    return True
                if talk is not None:
                    seen = now
                    bar.show(talk.behind + talk.ahead, talk.rcvd_bytes + talk.sent_bytes)
                elif now - seen > LOST_S_MAX:
                    note("The other device has gone before the first sync was done; `edda up` or `edda sync` goes on.")
                    return False
        await equal
        return True
    finally:
        equal.cancel()


class _Bar:
    """The progress of a sync: a bar on a terminal, or a line at intervals."""

    def __init__(self) -> None:
        self._total = 0
        self._next = time.monotonic() + 1.0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Bar:
        if can_redraw():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("Syncing"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=None, detail="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, missing: int, carried_bytes: int) -> None:
        """Show how many changes are still missing on both sides, and how many bytes were transferred."""
        self._total = max(self._total, missing)
        detail = f"{self._total - missing:,} of {self._total:,} changes, {carried_bytes / 1e6:,.1f} MB"
        if self._bar is not None:
            self._bar.update(self._task, total=self._total or None, completed=self._total - missing, detail=detail)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + 5.0
            note(f"Syncing: {detail}.")
