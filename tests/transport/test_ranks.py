"""Which address comes first, in real network namespaces with cables, bridges and tunnels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from edda_sync.transport.ranks import Rank, rank, way_out
from tests.transport.announcing import PATIENCE_S, ip

SHOWN = """
import fcntl, json, os, struct, subprocess, sys
tunnel = sys.argv[1:]
if tunnel:
    held = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(held, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x0001 | 0x1000))  # TUNSETIFF, a tunnel of IP packets
    for command in tunnel:
        subprocess.run(command.split(), check=True)
from edda_sync.transport.interfaces import interfaces, told
present = interfaces()
print(json.dumps([told(present), {each.name: each.rank.name for each in present}]))
"""
TUNNEL = ("ip address add 10.8.0.6/24 dev tun0", "ip link set tun0 up")
ALL_BY_TUNNEL = (*TUNNEL, "ip route add default dev tun0 metric 1")


def shown(namespace: str, *tunnel: str) -> tuple[list[str], dict[str, str]]:
    """What a device there shows, and the rank of each interface."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", SHOWN, *tunnel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    addresses, ranks = json.loads(done.stdout)
    return addresses, ranks


def cable(namespace: str, other: str, name: str, *addresses: str) -> None:
    """An interface with a carrier."""
    ip("link", "add", name, "netns", namespace, "type", "veth", "peer", "name", name, "netns", other)
    for address in addresses:
        ip("-n", namespace, "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    ip("-n", namespace, "link", "set", name, "up")
    ip("-n", other, "link", "set", name, "up")


def quiet(namespace: str) -> None:
    """No addresses but those that are given."""
    command = "echo 1 > /proc/sys/net/ipv6/conf/default/addr_gen_mode"
    ip("netns", "exec", namespace, "sh", "-c", command)


def until_told(namespace: str, name: str, *states: str) -> None:
    """Wait until the kernel says that an interface is in one of these states, which it does within a second or two."""
    command = ["ip", "-n", namespace, "link", "show", name]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
        if any(state in told for state in states):
            return
        assert time.monotonic() < deadline, told


@pytest.fixture
def machine(namespaces: Callable[[], str]) -> str:
    """A machine on a LAN, with containers on a bridge, whose addresses come first as texts."""
    inside, outside = namespaces(), namespaces()
    quiet(inside)
    cable(inside, outside, "eth0", "192.168.1.20/24", "fe80::20/64")
    cable(inside, outside, "veth7", "fe80::7/64")
    ip("-n", inside, "link", "add", "docker0", "type", "bridge", "forward_delay", "0")
    ip("-n", inside, "address", "add", "172.17.0.1/16", "dev", "docker0")
    ip("-n", inside, "link", "set", "docker0", "up")
    ip("-n", inside, "link", "set", "veth7", "master", "docker0")
    ip("-n", inside, "link", "set", "lo", "up")
    until_told(inside, "docker0", "state UP")
    return inside


def test_the_address_on_the_lan_comes_before_those_of_a_bridge_and_a_tunnel(machine: str) -> None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here")
    addresses, ranks = shown(machine, *TUNNEL)
    assert addresses == ["192.168.1.20", "10.8.0.6", "172.17.0.1", "fe80::7%veth7"]
    assert ranks == {"eth0": "OTHER", "tun0": "TUNNEL", "docker0": "INNER", "veth7": "INNER", "lo": ranks["lo"]}


@pytest.mark.parametrize("tunnel", [(), TUNNEL, ALL_BY_TUNNEL], ids=["no tunnel", "tunnel", "all leaves by the tunnel"])
def test_the_address_by_which_packets_leave_the_network_comes_first_but_never_a_tunnel(
    machine: str, tunnel: tuple[str, ...]
) -> None:
    ip("-n", machine, "route", "add", "default", "via", "192.168.1.1", "metric", "100")
    addresses, ranks = shown(machine, *tunnel)
    assert addresses[0] == "192.168.1.20"
    assert sorted(addresses[1:]) == sorted(["172.17.0.1", "fe80::7%veth7", *(["10.8.0.6"] if tunnel else [])])
    assert ranks["eth0"] == ("OTHER" if tunnel == ALL_BY_TUNNEL else "WAY_OUT")


def test_the_second_of_two_cables_comes_first_if_the_way_out_is_there(namespaces: Callable[[], str]) -> None:
    inside, outside = namespaces(), namespaces()
    quiet(inside)
    cable(inside, outside, "eth0", "10.0.0.9/24")
    cable(inside, outside, "eth1", "192.168.1.20/24", "fd00::20/64")
    assert shown(inside)[0] == ["10.0.0.9", "192.168.1.20", "fd00::20"]
    ip("-n", inside, "route", "add", "default", "via", "192.168.1.1")
    assert shown(inside)[0] == ["192.168.1.20", "fd00::20", "10.0.0.9"]
    ip("-n", outside, "link", "set", "eth1", "down")  # its carrier is lost, which the kernel tells within a second
    until_told(inside, "eth1", "state LOWERLAYERDOWN", "state DOWN")
    assert shown(inside)[0] == ["10.0.0.9"]


def test_a_machine_with_nothing_but_link_local_addresses_shows_them_with_their_zone(
    namespaces: Callable[[], str],
) -> None:
    inside, outside = namespaces(), namespaces()
    quiet(inside)
    ip("-n", inside, "link", "set", "lo", "up")
    assert shown(inside)[0] == []
    cable(inside, outside, "eth0", "fe80::20/64")
    cable(inside, outside, "eth1", "169.254.7.7/16", "fe80::21/64")
    assert shown(inside)[0] == ["169.254.7.7", "fe80::20%eth0"]


def test_a_rank_of_an_interface_that_the_system_does_not_describe_is_known_only_by_the_way_out() -> None:
    assert rank("no such interface", {"192.168.1.20"}, set()) is Rank.OTHER
    assert rank("no such interface", {"192.168.1.20"}, {"192.168.1.20"}) is Rank.WAY_OUT


def test_asking_for_the_way_out_leaves_nothing_open_and_needs_no_network() -> None:
    assert all(isinstance(each, str) for each in way_out())
