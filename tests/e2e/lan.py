"""
A LAN for real processes: network namespaces, each with one cable to a bridge, made with iproute2.

    with Lan(3) as (laptop, phone, tablet):
        subprocess.Popen([*phone.enter, "edda", "up"])
        phone.pull()          # as if its plug were pulled
        phone.plug()
        phone.spoil(loss_percent=15, delay_ms=100, jitter_ms=50)      # its cable is bad from now on
        phone.mend()

The bridge has a namespace of its own, so this machine's network is not touched, and names never collide.

A cable is spoiled by the kernel (``tc netem``: outward at the device's interface, inward at the bridge's port), or by a
:class:`Wire` between the port and the bridge, which needs no netem.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
from types import TracebackType
from typing import Final, Literal, Protocol

from tests.e2e.wire import Faults, Way, Wire

_NUMBERS: Final = itertools.count()
BRIDGE: Final = "bridge"
NETWORK: Final = "10.77.0"
INTERFACE: Final = "eth0"

Spoiler = Literal["netem", "wire"]


@functools.cache
def fault() -> str:
    """Return why a LAN of namespaces is not possible here; empty if it is."""
    if shutil.which("ip") is None:
        return "the command ip (iproute2) is not installed"
    try:
        with Lan(1):
            return ""
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not possible here: {error.stderr.strip()}"


@functools.cache
def netem_fault() -> str:
    """Return why the kernel cannot spoil a cable here; empty if it can."""
    if reason := fault():
        return reason
    if shutil.which("tc") is None:
        return "the command tc (iproute2) is not installed"
    with Lan(1) as (place,):
        try:
            place.spoil("netem", loss_percent=1)
        except subprocess.CalledProcessError as error:
            return f"tc netem is not possible here (a kernel without sch_netem?): {error.stderr.strip()}"
    return ""


@functools.cache
def wire_fault() -> str:
    """Return why no :class:`Wire` can be put into a cable here; empty if one can."""
    return fault() or ("" if os.access("/dev/net/tun", os.R_OK | os.W_OK) else "/dev/net/tun cannot be opened here")


class _Spoiled(Protocol):
    """A cause of a bad cable; the cable is good again once this is closed."""

    def spoil(self, faults: Faults, way: Way) -> None: ...

    def lost(self) -> int: ...

    def close(self) -> None: ...


class Place:
    """
    Where a device can be: a network namespace with an interface, and a cable from there to a bridge.

    Args:
        namespace: Its name.
        hub: The namespace of the bridge.
        number: Tells its cable from others of that bridge's namespace.
        bridge: The bridge.
        network: Its IPv4 network, of 24 bits; without one it has no addresses but IPv6 link-local ones.
        interface: The interface's name.
        routes: Where packets to other networks go: destinations, and the router's address.

    Attributes:
        address: Its IPv4 address.
        enter: The words before a command that make it run there.
    """

    def __init__(
        self,
        namespace: str,
        hub: str,
        number: int,
        *,
        bridge: str = BRIDGE,
        network: str | None = NETWORK,
        interface: str = INTERFACE,
        routes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.namespace = namespace
        self.address = f"{network}.{number + 1}" if network else ""
        self.enter = ("ip", "netns", "exec", namespace)
        self._hub, self._number, self._home = hub, number, bridge
        self._port, self._bridge = f"port{number}", bridge
        self._interface, self._routes = interface, routes
        self._moves = 0
        self._spoiled: _Spoiled | None = None

    def join(self) -> None:
        """Lay the cable; the namespace and the bridge are there."""
        cable = ("type", "veth", "peer", "name", self._interface, "netns", self.namespace)
        ip("-n", self._hub, "link", "add", self._port, *cable)
        ip("-n", self._hub, "link", "set", self._port, "master", self._bridge, "up")
        if self.address:
            ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", self._interface)
        self.plug()

    def pull(self) -> None:
        """Switch the interface off, as a person or a sleeping machine does: the device sees it go."""
        ip("-n", self.namespace, "link", "set", self._interface, "down")

    def plug(self) -> None:
        """Switch the interface on again."""
        ip("-n", self.namespace, "link", "set", self._interface, "up")
        for destination, router in self._routes:  # the kernel removes them with the interface or the address
            ip("-n", self.namespace, "route", "replace", destination, "via", router)

    def move(self) -> None:
        """Give it another address, as a router that starts anew may do; without IPv4, another hardware address."""
        self._moves += 1
        if not self.address:
            ip("-n", self.namespace, "link", "set", self._interface, "down")
            own = f"02:00:00:{self._moves:02x}:00:{self._number:02x}"
            ip("-n", self.namespace, "link", "set", self._interface, "address", own)
        else:
            ip("-n", self.namespace, "address", "delete", f"{self.address}/24", "dev", self._interface)
            network, _, _ = self.address.rpartition(".")
            self.address = f"{network}.{self._number + 1 + 10 * self._moves}"
            ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", self._interface)
        self.plug()

    def switch_off_loopback(self) -> None:
        """Remove the loopback interface too."""
        ip("-n", self.namespace, "link", "set", "lo", "down")

    def unplug_far_end(self) -> None:
        """Switch the bridge's port off: the device's interface stays up, and loses its carrier."""
        ip("-n", self._hub, "link", "set", self._port, "down")

    def plug_far_end(self) -> None:
        """Switch the bridge's port on again."""
        ip("-n", self._hub, "link", "set", self._port, "up")

    def silence(self) -> None:
        """Let nothing pass between the port and the bridge any more; the interfaces still look well."""
        ip("-n", self._hub, "link", "set", self._port, "nomaster")

    def unsilence(self) -> None:
        """Let everything pass again."""
        ip("-n", self._hub, "link", "set", self._port, "master", self._bridge)

    def spoil(
        self,
        by: Spoiler = "wire",
        way: Way = "both",
        *,
        loss_percent: float = 0,
        delay_ms: float = 0,
        jitter_ms: float = 0,
        reorder_percent: float = 0,
        duplicate_percent: float = 0,
        rate_kbit: float = 0,
        longest_bytes: int = 0,
        seed: int = 0,
    ) -> None:
        """
        Make the cable bad, or bad in another way; :meth:`mend` it at the end.

        Args:
            by: The kernel's netem, or a wire of our own; the first one stays until the cable is mended.
            way: Which frames this applies to from now on: those from the device ("out"), those to it ("in"), or both.
            seed: Repeats a wire's choices.
        """
        if self._spoiled is None:
            ends: dict[Way, tuple[str, str]] = {"out": (self.namespace, self._interface), "in": (self._hub, self._port)}
            self._spoiled = _Netem(ends) if by == "netem" else self._put_wire_in(seed)
        self._spoiled.spoil(
            Faults(loss_percent, delay_ms, jitter_ms, reorder_percent, duplicate_percent, rate_kbit, longest_bytes),
            way,
        )

    def lost(self) -> int:
        """Return how many frames the bad cable has lost so far."""
        assert self._spoiled is not None, "spoil() comes first"
        return self._spoiled.lost()

    def mend(self) -> None:
        """Make the cable good again; does nothing if it is. Frames under way are lost."""
        if self._spoiled is None:
            return
        if self._bridge != self._home:
            former, self._bridge = self._bridge, self._home
            self.unsilence()
            ip("-n", self._hub, "link", "delete", former)
        self._spoiled.close()
        self._spoiled = None

    def _put_wire_in(self, seed: int) -> Wire:
        """Give the port a bridge of its own, with a wire between that one and the shared bridge."""
        self._bridge = f"own{self._number}"
        near, far = f"near{self._number}", f"far{self._number}"
        add_bridge(self._hub, self._bridge)
        wire = Wire(("ip", "netns", "exec", self._hub), near, far, seed)
        ip("-n", self._hub, "link", "set", near, "master", self._bridge)
        ip("-n", self._hub, "link", "set", far, "master", self._home)
        self.unsilence()
        return wire


class _Netem:
    """The kernel spoils what each end of the cable sends."""

    def __init__(self, ends: dict[Way, tuple[str, str]]) -> None:
        self._ends = ends

    def spoil(self, faults: Faults, way: Way) -> None:
        for each, (namespace, interface) in self._ends.items():
            if way in ("both", each):
                _run("tc", "-n", namespace, "qdisc", "replace", "dev", interface, "root", "netem", *faults.netem())

    def lost(self) -> int:
        return sum(
            qdisc["drops"]
            for namespace, interface in self._ends.values()
            for qdisc in json.loads(_run("tc", "-n", namespace, "-s", "-j", "qdisc", "show", "dev", interface))
        )

    def close(self) -> None:
        for namespace, interface in self._ends.values():
            with contextlib.suppress(subprocess.CalledProcessError):  # this direction was never spoiled
                _run("tc", "-n", namespace, "qdisc", "delete", "dev", interface, "root")


class Lan:
    """
    Namespaces joined by a bridge; a context manager that yields the places.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._stem = f"edda{os.getpid()}x{next(_NUMBERS)}"
        self._namespaces: list[str] = []
        self._count = count
        self.places: list[Place] = []

    def __enter__(self) -> list[Place]:
        try:
            self.build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.places

    def build(self) -> None:
        """Make the namespaces, and join them."""
        hub = self.namespace("hub")
        add_bridge(hub, BRIDGE)
        self.places = [Place(self.namespace(f"n{number}"), hub, number) for number in range(self._count)]
        for place in self.places:
            place.join()

    def namespace(self, name: str) -> str:
        """Make a namespace, which ends with the LAN; return its name."""
        made = f"{self._stem}{name}"
        ip("netns", "add", made)
        self._namespaces.append(made)
        ip("-n", made, "link", "set", "lo", "up")
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place in self.places:
            with contextlib.suppress(subprocess.CalledProcessError):  # the LAN was never whole
                place.mend()
        for namespace in reversed(self._namespaces):
            with contextlib.suppress(subprocess.CalledProcessError):  # it was never made
                for process in ip("netns", "pids", namespace).split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(process), signal.SIGKILL)  # it is in our own namespace, so it is ours
                ip("netns", "delete", namespace)


def add_bridge(namespace: str, name: str) -> None:
    """Make a bridge, and switch it on."""
    ip("-n", namespace, "link", "add", name, "type", "bridge")
    ip("-n", namespace, "link", "set", name, "up")


def ip(*arguments: str) -> str:
    """Run iproute2's command; return what it prints."""
    return _run("ip", *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
