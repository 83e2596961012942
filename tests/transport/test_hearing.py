"""Whether multicast passes, by real sockets on real interfaces; ``tests/e2e`` puts firewalls in between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from edda_sync.transport import hearing
from tests.transport.announcing import PATIENCE_S, an_interface, ip, loopback

HEARD = """
from edda_sync.transport import hearing
from edda_sync.transport.interfaces import interfaces
print(*(f"cable: {hearing.fault(each)}" for each in interfaces() if each.name == "cable"), sep="|", end="")
"""

KEPT = f"""
import socket
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind(("", 5353))
{HEARD.replace("cable", "lo")}
"""


def test_a_machine_hears_itself_on_its_loopback(air: None) -> None:
    (lo,) = loopback()
    assert hearing.fault(lo) == ""


def test_an_interface_that_is_not_there_takes_no_part() -> None:
    assert hearing.fault(an_interface(7, "10.99.99.99")) != ""


def test_a_port_that_another_program_keeps_for_itself_is_named(namespaces: Callable[[], str]) -> None:
    inside = namespaces()
    ip("-n", inside, "link", "set", "lo", "up")
    command = ["ip", "netns", "exec", inside, sys.executable, "-c", KEPT]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
    assert told == "lo: another program keeps UDP port 5353 for itself"


@pytest.mark.parametrize("address", ["10.77.0.1/24", "fe80::77/64"], ids=["IPv4", "only IPv6, link-local"])
def test_a_machine_hears_itself_on_a_cable_unless_the_interface_takes_no_part(
    namespaces: Callable[[], str], address: str
) -> None:
    inside, outside = namespaces(), namespaces()
    ip("link", "add", "cable", "netns", inside, "type", "veth", "peer", "name", "cable", "netns", outside)
    ip("netns", "exec", inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/cable/addr_gen_mode")
    ip("-n", inside, "address", "add", address, "dev", "cable", *(["nodad"] if ":" in address else []))
    for namespace in (inside, outside):
        ip("-n", namespace, "link", "set", "cable", "up")

    def heard() -> str:
        command = ["ip", "netns", "exec", inside, sys.executable, "-c", HEARD]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout

    assert heard() == "cable: "
    ip("-n", inside, "link", "set", "cable", "down")
    assert heard() == ("" if ":" in address else "cable: the interface does not take part in multicast")
