"""What ``edda up`` prints about events."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from edda_sync.cli import streams
from edda_sync.cli.common import count, drop_stdout, note, safe_line, say

if TYPE_CHECKING:
    from edda_sync.device.device import Device, Happening

LINE_EVERY_S: Final = 1.0  # a peer that types gets one line in this time


class Lines:
    """Prints a line for each event. Frequent events of a peer are collected for a second."""

    def __init__(self) -> None:
        self.device: Device
        self._early: list[Happening] | None = []  # what happened before the banner
        self._applied: dict[str, int] = {}
        self._equal: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._last: dict[str, float] = {}

    def start(self) -> None:
        """Print what has happened so far, and print new events at once."""
        early, self._early = self._early or [], None
        for each in early:
            self.happened(each)

    def end(self) -> None:
        """Print what is still collected."""
        for peer in list(self._timers):
            self._flush(peer)

    def happened(self, happening: Happening) -> None:
        """Handle one event."""
        if self._early is not None:
            self._early.append(happening)
            return
        peer = happening.device
        if happening.what in ("applied", "equal"):
            self._gather(happening)
            return
        self._flush(peer)
        name = self.device.name_of(peer)
        self._print(
            {
                "found": f"found {name} at {happening.text}",
                "connected": f"connected to {name} ({happening.text})",
                "lost": f"lost {name}",
                "joined": f"{name} joined the workspace",
                "trouble": f"{name}: {happening.text}" if peer else happening.text,
            }[happening.what]
        )

    def _gather(self, happening: Happening) -> None:
        peer = happening.device
        if happening.what == "applied":
            self._applied[peer] = self._applied.get(peer, 0) + happening.count
        else:
            self._equal.add(peer)
        wait = self._last.get(peer, 0.0) + LINE_EVERY_S - time.monotonic()
        if happening.what == "equal" and wait <= 0:
            self._flush(peer)
        elif peer not in self._timers:
            self._timers[peer] = asyncio.get_running_loop().call_later(max(wait, LINE_EVERY_S), self._flush, peer)

    def _flush(self, peer: str) -> None:
        timer = self._timers.pop(peer, None)
        if timer is not None:
            timer.cancel()
        applied, equal = self._applied.pop(peer, 0), peer in self._equal
        self._equal.discard(peer)
        parts = [f"{count(applied, 'change')} applied"] if applied else []
        if equal:
            parts.append("proved equal")
        if parts:
            self._last[peer] = time.monotonic()
            self._print(f"{self.device.name_of(peer)}: {', '.join(parts)}")

    def _print(self, text: str) -> None:
        try:
            say(safe_line(text), lead=time.strftime("%H:%M:%S"))
        except OSError as error:  # a closed pipe is no reason to stop syncing
            drop_stdout()
            note(_unprinted(error.strerror or str(error)))
        else:
            self.check_printed()

    def check_printed(self) -> None:
        """Say once if the output is closed, or is a log on a full disk."""
        if why := streams.unshown():
            note(_unprinted(why))


def _unprinted(why: str) -> str:
    return f"What happens cannot be printed any more ({why}); the device goes on."
