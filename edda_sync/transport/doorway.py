"""
The doorway of an open port: the callers that have not yet proved who they are, and the room that they may take.

A stranger can open sockets as fast as the network allows. So a new caller is never refused: if there is no more room, the
caller that has stood there longest goes, first of all one from the same network as the new caller. An honest caller proves
itself within a fraction of a second, and needs to stay only so long.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from edda_sync.transport.sockets import tune
from edda_sync.words.limits import CALLERS_OF_A_NETWORK_MAX, CALLERS_UNPROVED_MAX

_TAKEN_AT_ONCE: Final = 16  # callers
_TURNED_AWAY_AT_ONCE: Final = 32  # callers
_SWEPT_AFTER: Final = 64  # callers: asyncio's TLS leaves cycles with large buffers behind, which would wait for long
_SWEEPING_SHARE: Final = 0.1  # of all time, at most
_UNSWEPT_MAX: Final = 256  # callers: these are not waited with, because each may have left 256 KB behind


class Doorway:
    """
    The callers of one port that have not yet proved who they are. Listen with :meth:`door`, and call :meth:`proved`.

    Args:
        opened: Tells whether callers are taken at present.
        now: Monotonic time in seconds.
        sweep: Frees the memory of connections that have ended.
    """

    def __init__(
        self,
        opened: Callable[[], bool] = lambda: True,
        *,
        now: Callable[[], float] = time.monotonic,
        sweep: Callable[[], object] = gc.collect,
    ) -> None:
        self._opened, self._now, self._sweep = opened, now, sweep
        self._callers: dict[
            int, tuple[socket.socket, str]
        ] = {}  # by file descriptor, oldest first: the socket, its network
        self._leaving: list[socket.socket] = []
        self._unswept = 0
        self._sweep_due_s = 0.0

    def __len__(self) -> int:
        """Return how many callers stand here."""
        self._callers = {number: caller for number, caller in self._callers.items() if caller[0].fileno() >= 0}
        return len(self._callers)

    def door(self, listening: socket.socket) -> socket.socket:
        """Return a second handle on a listening socket, for the server: its callers come through this doorway."""
        return _Door(listening, self._admit)

    def proved(self, number: int) -> None:
        """Forget the caller with this file descriptor, which has proved who it is: nobody takes its place."""
        self._callers.pop(number, None)

    async def clear(self) -> None:
        """Hang up on everybody who stands here, and wait until all are gone."""
        for number in list(self._callers):
            self._turn_away(number)
        while self._leaving:  # each is closed once the loop has seen its end, which gives no signal
            self._leaving = [each for each in self._leaving if each.fileno() >= 0]
            await asyncio.sleep(0)

    def _admit(self, caller: socket.socket, address: str) -> bool:
        if not self._opened() or _has_left(caller):
            return False
        self._make_room(network := network_of(address))
        tune(caller)
        self._callers[caller.fileno()] = caller, network
        self._clean_up()
        return True

    def _make_room(self, network: str) -> None:
        total = len(self)  # also drops those that have gone
        counts = Counter(each for _, each in self._callers.values())
        crowd = network if counts[network] >= CALLERS_OF_A_NETWORK_MAX else ""
        if not crowd and total >= CALLERS_UNPROVED_MAX:
            crowd = max(counts, key=counts.__getitem__)  # of several, that of the oldest caller
        if crowd:
            self._turn_away(next(number for number, (_, each) in self._callers.items() if each == crowd))

    def _turn_away(self, number: int) -> None:
        caller, _ = self._callers.pop(number)
        with contextlib.suppress(OSError):  # it may have closed itself
            caller.shutdown(socket.SHUT_RDWR)
        self._leaving = [each for each in self._leaving if each.fileno() >= 0] + [caller]

    def _clean_up(self) -> None:
        """Free memory from time to time, and spend little on it, however many call."""
        self._unswept += 1
        began_s = self._now()
        is_due = self._unswept >= _SWEPT_AFTER and began_s >= self._sweep_due_s
        if is_due or self._unswept >= _UNSWEPT_MAX:
            self._unswept = 0
            self._sweep()
            ended_s = self._now()
            self._sweep_due_s = ended_s + (ended_s - began_s) / _SWEEPING_SHARE


class _Door(socket.socket):
    """A second handle on a listening socket, which hangs up on callers that are not admitted."""

    def __init__(self, listening: socket.socket, admit: Callable[[socket.socket, str], bool]) -> None:
        super().__init__(listening.family, listening.type, listening.proto, listening.dup().detach())
        self._admit = admit
        self._taken = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self._taken = (self._taken + 1) % _TAKEN_AT_ONCE
        if not self._taken:
            raise BlockingIOError  # for the event loop: enough for now, whoever was turned away has to be closed first
        for _ in range(_TURNED_AWAY_AT_ONCE):
            caller, address = super().accept()
            if self._admit(caller, address[0]):
                return caller, address
            caller.close()
        raise ConnectionAbortedError  # for the event loop: go on listening, after whatever else is to be done


def _has_left(caller: socket.socket) -> bool:
    """Return whether a caller has already gone, as in a flood of callers that say nothing; TLS would take memory for it."""
    caller.setblocking(False)
    try:
        return caller.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def network_of(address: str) -> str:
    """
    Return the network that shares one budget: an IPv4 address, or the 64 leading bits of an IPv6 address.

    All machines of a cable share the bits of link-local addresses, so there each address counts for itself.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return address if parsed.is_link_local else str(ipaddress.ip_network((parsed, 64), strict=False))
