"""
The network of a plan (``tests/e2e/drawn.py``), made of namespaces: switches, a router, a container's bridge.

    with Joined(plan) as places:      # where each device is
        joined.deafen()

All is done by the kernel: nftables hides addresses, loses multicast and keeps silent about packets that are too large.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from functools import partial
from typing import Final

from tests.e2e import lan
from tests.e2e.drawn import DEVICES, Event, Plan
from tests.e2e.lan import BRIDGE, INTERFACE, NETWORK, Lan, Place, add_bridge, ip

SECOND, INNER = "second", "inner"  # further bridges
SECOND_NETWORK, INNER_NETWORK, DOCKER_NETWORK = "10.79.0", "10.78.0", "172.17.0"
DOCKER: Final = "docker0"
UPWARD, DOWNWARD = "wan0", "lan0"  # the router's interfaces
ROUTER: Final = 99  # its number: its address ends with the next one
NARROW_BYTES: Final = 1_300  # the largest packet that the narrow router lets pass
_HIDING: Final = """
table ip hidden {
  chain out {
    type nat hook postrouting priority 100
    oifname %s masquerade
  }
}
"""
_SILENT: Final = """
table inet silent {
  chain out {
    type filter hook output priority 0
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
"""
_DEAF: Final = """
table bridge deaf {
  chain over {
    type filter hook forward priority 0
    ether type { ip, ip6 } udp dport 5353 drop
  }
  chain into {
    type filter hook input priority 0
    ether type { ip, ip6 } udp dport 5353 drop
  }
}
"""
_HEARING: Final = "delete table bridge deaf\n"


@functools.cache
def fault() -> str:
    """Return why such networks are not possible here; empty if they are."""
    if reason := lan.wire_fault():
        return reason
    if shutil.which("nft") is None:
        return "the command nft (nftables) is not installed"
    with Lan(1) as (place,):
        try:
            _filter(place.namespace, _DEAF + _HIDING % INTERFACE + _SILENT)
        except subprocess.CalledProcessError as error:
            return f"nftables does not do it here: {error.stderr.strip()}"
    return ""


class Joined(Lan):
    """
    Three places joined as a plan says; a context manager that yields them.

    Attributes:
        cables: All cables of each place.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(DEVICES)
        self._plan = plan
        self._hub = self._router = ""
        self._upward: Place
        self._switches: list[str] = []  # namespaces of bridges
        self.cables: list[list[Place]] = []

    def build(self) -> None:
        """Make the namespaces, and join them."""
        self._hub = self.namespace("hub")
        self._switches.append(self._hub)
        add_bridge(self._hub, BRIDGE)
        inside = {"nat": self._behind_router, "routed": self._behind_router, "container": self._contained}
        make = inside.get(self._plan.shape)
        if make is None:
            self.places = [self._place(number) for number in range(DEVICES)]
        else:
            outside = [self._place(number) for number in range(1, DEVICES)]
            self.places = [make(outside), *outside]
        self.cables = [[place] for place in self.places]
        if self._plan.shape == "two switches":
            add_bridge(self._hub, SECOND)
            for number, place in enumerate(self.places):
                other = Place(
                    place.namespace, self._hub, DEVICES + number,
                    bridge=SECOND, network=SECOND_NETWORK, interface="eth1",
                )  # fmt: skip
                other.join()
                self.cables[number].append(other)

    def _place(self, number: int) -> Place:
        routes = ((f"{INNER_NETWORK}.0/24", f"{NETWORK}.{ROUTER + 1}"),) if self._plan.shape == "routed" else ()
        network = None if self._plan.shape == "scoped" else NETWORK
        place = Place(self.namespace(f"n{number}"), self._hub, number, network=network, routes=routes)
        place.join()
        return place

    def _behind_router(self, _outside: list[Place]) -> Place:
        """Make a second switch, behind a router, and a place there."""
        add_bridge(self._hub, INNER)
        self._router = self.namespace("router")
        self._upward = Place(self._router, self._hub, ROUTER, interface=UPWARD)
        inner = partial(Place, hub=self._hub, bridge=INNER, network=INNER_NETWORK)
        downward = inner(self._router, number=ROUTER + 1, interface=DOWNWARD)
        for port in (self._upward, downward):
            port.join()
        _forward(self._router)
        if self._plan.shape == "nat":
            _filter(self._router, _HIDING % UPWARD)
        if self._plan.is_narrow:
            _filter(self._router, _SILENT)
            for interface in (UPWARD, DOWNWARD):
                ip("-n", self._router, "link", "set", interface, "mtu", str(NARROW_BYTES))
        place = inner(self.namespace("n0"), number=0, routes=(("default", downward.address),))
        place.join()
        return place

    def _contained(self, outside: list[Place]) -> Place:
        """Make a container on the first other place's machine; the second one has a bridge for containers, too."""
        for place in outside:
            add_bridge(place.namespace, DOCKER)
            ip("-n", place.namespace, "address", "add", f"{DOCKER_NETWORK}.1/16", "dev", DOCKER)
        host = outside[0].namespace
        _forward(host)
        _filter(host, _HIDING % INTERFACE)
        self._switches.append(host)
        routes = (("default", f"{DOCKER_NETWORK}.1"),)
        place = Place(self.namespace("n0"), host, 1, bridge=DOCKER, network=DOCKER_NETWORK, routes=routes)
        place.join()
        return place

    # --- what happens -------------------------------------------------------------------------------------------------

    def begin(self, event: Event) -> None:
        """Let what happens to a network begin."""
        place = self.cables[event.who][event.cable]
        match event.what:
            case "pull":
                place.pull()
            case "carrier":
                place.unplug_far_end()
            case "silence":
                place.silence()
            case "readdress":
                place.pull()
            case "deaf":
                for switch in self._switches:
                    _filter(switch, _DEAF)
            case "router":
                self._upward.pull()

    def end(self, event: Event) -> None:
        """Let it be over."""
        place = self.cables[event.who][event.cable]
        match event.what:
            case "pull":
                place.plug()
            case "carrier":
                place.plug_far_end()
            case "silence":
                place.unsilence()
            case "readdress":
                place.move()
            case "deaf":
                for switch in self._switches:
                    _filter(switch, _HEARING)
            case "router" if self._plan.shape == "nat":
                self._upward.move()  # what it hid is forgotten: packets of open connections are lost
            case "router":
                self._upward.plug()


def _forward(namespace: str) -> None:
    """Let a namespace pass packets on; what stays on one of its bridges is none of its firewall's business."""
    _set(namespace, "net.ipv4.ip_forward=1")
    with contextlib.suppress(subprocess.CalledProcessError):  # this kernel does not filter there
        _set(namespace, "net.bridge.bridge-nf-call-iptables=0")


def _set(namespace: str, setting: str) -> None:
    command = ("ip", "netns", "exec", namespace, "sysctl", "-qw", setting)
    subprocess.run(command, capture_output=True, text=True, check=True)


def _filter(namespace: str, rules: str) -> None:
    """Give rules to nftables."""
    command = ("ip", "netns", "exec", namespace, "nft", "-f", "-")
    subprocess.run(command, input=rules, capture_output=True, text=True, check=True)
