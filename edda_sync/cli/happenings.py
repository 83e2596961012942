"""What ``edda up`` prints about events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edda_sync.cli.common import count
from edda_sync.cli.log import Line, Log
from edda_sync.words import limits

if TYPE_CHECKING:
    from edda_sync.device.device import Device, Happening

LINE_EVERY_S: Final = 1.0  # a peer that types gets one line in this time
SETTLED_S: Final = 2 * limits.RECONNECT_DELAY_S_MAX  # a link that lasts longer is not one of those that end at once


class _Round:
    """
    A trouble with a peer that comes again and again, with the links that it ends. One round of it is not told twice.

    Attributes:
        trouble: What was told.
        held: What happened since the trouble last came. It is told only if the trouble does not come again.
        timer: Tells that the last link stays.
    """

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        self.held: list[Line] = []
        self.was_lost = False
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Forget what happened in the last round."""
        self.held, self.was_lost = [], False
        self.end()

    def end(self) -> None:
        """Stop waiting for the link to stay."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Lines:
    """
    Prints a line for each event. Frequent events of a peer are collected for a second. A trouble that repeats, with links
    that come and go in between, is printed once, and again when it changes or is over.

    Args:
        log: Prints them.
        tell: Is told each line, too.
    """

    def __init__(self, log: Log | None = None, tell: Callable[[str], object] = lambda _text: None) -> None:
        self.device: Device
        self._log, self._tell = log or Log(), tell
        self._early: list[Happening] | None = []  # what happened before the banner
        self._applied: dict[str, int] = {}
        self._equal: set[str] = set()
        self._equal_at: dict[str, int] = {}  # how many changes each linked peer was last proved equal with
        self._rounds: dict[str, _Round] = {}
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
        for each in self._rounds.values():
            each.end()

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
        if happening.what == "lost":
            self._equal_at.pop(peer, None)
        name = self.device.name_of(peer)
        text = {
            "found": f"found {name} at {happening.text}",
            "connected": f"connected to {name} ({happening.text})",
            "lost": f"lost {name} ({happening.text})" if happening.text else f"lost {name}",
            "joined": f"{name} joined the workspace",
            "files": f"{count(happening.count, 'attached file')} came ({happening.text})",
            "backup": happening.text,
            "trouble": f"{name}: {happening.text}" if peer else happening.text,
        }[happening.what]
        line = Line(text, happening.what, self._fields(peer, detail=happening.text), happening.what == "trouble")
        if not self._is_again(happening, line):
            self._print(line)

    def _fields(self, peer: str, **more: object) -> dict[str, object]:
        """Return what a program is told of an event of a peer, or of this device."""
        named = {"device": peer, "name": self.device.name_of(peer)} if peer else {}
        return {**named, **{key: value for key, value in more.items() if value}}

    def _is_again(self, happening: Happening, line: Line) -> bool:
        """Tell whether an event belongs to a trouble that was told and may be coming again; it is held back then."""
        peer, known = happening.device, self._rounds.get(happening.device)
        if not peer or happening.what in ("found", "joined"):
            return False
        if happening.what == "trouble":
            if known is None or known.trouble != happening.text:
                self._settled(peer)
                self._rounds[peer] = _Round(happening.text)
                return False
            known.begin()
            return True
        if known is None:
            return False
        if happening.what == "connected" and known.was_lost:  # it was lost without that trouble
            self._settled(peer)
            return False
        known.held.append(line)
        known.end()
        if happening.what == "lost":
            known.was_lost = True
        known.timer = asyncio.get_running_loop().call_later(SETTLED_S, self._settled, peer)
        return True

    def _settled(self, peer: str) -> None:
        """Print what was held back, because the trouble has not come again."""
        known = self._rounds.pop(peer, None)
        if known is not None:
            known.end()
            for line in known.held:
                self._print(line)

    def _gather(self, happening: Happening) -> None:
        peer = happening.device
        if happening.what == "applied":
            self._applied[peer] = self._applied.get(peer, 0) + happening.count
        elif self._equal_at.get(peer) == happening.count and peer not in self._applied:
            return  # only the link is another one
        else:
            self._equal_at[peer] = happening.count
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
        if not parts:
            return
        self._last[peer] = time.monotonic()
        text = f"{self.device.name_of(peer)}: {', '.join(parts)}"
        line = Line(text, "equal" if equal else "applied", self._fields(peer, changes=applied))
        if not applied and peer in self._rounds:
            self._rounds[peer].held.append(line)
        else:
            self._print(line)

    def _print(self, line: Line) -> None:
        self._log.happened(line)
        self._tell(line.text)
