"""
A LAN for real processes: network namespaces, each with one cable to a bridge, made with iproute2.

    with Lan(3) as (laptop, phone, tablet):
        subprocess.Popen([*phone.enter, "edda", "up"])
        phone.pull()          # as if its plug were pulled
        phone.plug()

The bridge has a namespace of its own, so nothing of this machine's network is touched, and names meet nowhere.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Final

_NUMBERS: Final = itertools.count()
_BRIDGE: Final = "bridge"
INTERFACE: Final = "eth0"


@functools.cache
def fault() -> str:
    """Return why there can be no LAN of namespaces here; empty when there can."""
    if shutil.which("ip") is None:
        return "the command ip (iproute2) is not installed"
    try:
        with Lan(1):
            return ""
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not possible here: {error.stderr.strip()}"


class Place:
    """
    Where a device can be: a network namespace with one interface.

    Attributes:
        address: Its IPv4 address.
        enter: What makes a command run there, put before it.
    """

    def __init__(self, namespace: str, hub: str, number: int) -> None:
        self.namespace = namespace
        self.address = f"10.77.0.{number + 1}"
        self.enter = ("ip", "netns", "exec", namespace)
        self._hub, self._port = hub, f"port{number}"

    def pull(self) -> None:
        """Switch the interface off, as a person or a sleeping machine does: the device sees it go."""
        _ip("-n", self.namespace, "link", "set", INTERFACE, "down")

    def plug(self) -> None:
        """Switch the interface on again."""
        _ip("-n", self.namespace, "link", "set", INTERFACE, "up")

    def switch_off_loopback(self) -> None:
        """Take even the interface to itself away."""
        _ip("-n", self.namespace, "link", "set", "lo", "down")

    def unplug_far_end(self) -> None:
        """Switch the bridge's port off: the device's interface stays up, and loses its carrier."""
        _ip("-n", self._hub, "link", "set", self._port, "down")

    def plug_far_end(self) -> None:
        """Switch the bridge's port on again."""
        _ip("-n", self._hub, "link", "set", self._port, "up")

    def silence(self) -> None:
        """Let nothing pass any more between the port and the bridge: no interface shows a thing."""
        _ip("-n", self._hub, "link", "set", self._port, "nomaster")

    def unsilence(self) -> None:
        """Let everything pass again."""
        _ip("-n", self._hub, "link", "set", self._port, "master", _BRIDGE)


class Lan:
    """
    Namespaces joined by a bridge; a context manager that yields the places.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        stem = f"edda{os.getpid()}x{next(_NUMBERS)}"
        self._hub = f"{stem}hub"
        self.places = [Place(f"{stem}n{number}", self._hub, number) for number in range(count)]

    def __enter__(self) -> list[Place]:
        try:
            _ip("netns", "add", self._hub)
            _ip("-n", self._hub, "link", "add", _BRIDGE, "type", "bridge")
            _ip("-n", self._hub, "link", "set", _BRIDGE, "up")
            for place in self.places:
                self._join(place)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.places

    def _join(self, place: Place) -> None:
        _ip("netns", "add", place.namespace)
        cable = ("type", "veth", "peer", "name", INTERFACE, "netns", place.namespace)
        _ip("-n", self._hub, "link", "add", place._port, *cable)
        _ip("-n", self._hub, "link", "set", place._port, "master", _BRIDGE, "up")
        _ip("-n", place.namespace, "address", "add", f"{place.address}/24", "dev", INTERFACE)
        _ip("-n", place.namespace, "link", "set", "lo", "up")
        _ip("-n", place.namespace, "link", "set", INTERFACE, "up")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for namespace in [*(place.namespace for place in self.places), self._hub]:
            with contextlib.suppress(subprocess.CalledProcessError):  # it was never made
                for process in _ip("netns", "pids", namespace).split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(process), signal.SIGKILL)  # of our own namespace, so our own
                _ip("netns", "delete", namespace)


def _ip(*arguments: str) -> str:
    command: Sequence[str] = ("ip", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
