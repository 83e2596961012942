"""
What starts and watches this process, such as systemd, is told when the device is ready, what it does, and that it ends.

Source: sd_notify(3) and sd_watchdog_enabled(3): datagrams of ``NAME=value`` lines to the socket in NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHED: Final = "WATCHDOG_PID"


class Notifier:
    """
    Tells what watches this process. Without one, nothing is sent.

    Args:
        environment: The variables of this process. Those that name the watcher are taken out, since they are meant for this
            process and for no child of it.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop(_SOCKET, "")
        watched, period = environment.pop(_WATCHED, ""), environment.pop(_WATCHDOG, "")
        is_ours = not watched or watched == str(os.getpid())
        self._alive_every_s = int(period) / 2_000_000 if period.isdecimal() and is_ours and self._address else 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_watched(self) -> bool:
        """Whether anything asked to be told."""
        return bool(self._address)

    def status(self, text: str) -> None:
        """Tell in one line what the device is doing."""
        self._send(f"STATUS={' '.join(text.split())}")

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """
        Tell that the device is ready, and at the end of a ``with`` block that it ends. In between, tell as often as asked
        that its event loop runs: where that hangs, the watcher starts the process anew.

        Args:
            text: What the device is doing, in one line.
        """
        self._send("READY=1")
        self.status(text)
        self._be_alive()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._send("STOPPING=1")

    def _be_alive(self) -> None:
        if self._alive_every_s:
            self._send("WATCHDOG=1")
            self._timer = asyncio.get_running_loop().call_later(self._alive_every_s, self._be_alive)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # An address that begins with @ stands for one that begins with NUL, in Linux's namespace without files.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sending:
            sending.sendto(message.encode(errors="replace"), os.fsencode(address))
