"""The network interfaces of this machine as they are now, and the addresses at which others can reach it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ifaddr
from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.words.limits import ADDRESSES_MAX

LOOPBACK = "127.0.0.1"

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Interface:
    """
    A network interface as it is now.

    Attributes:
        addresses: Those that can be used, without scopes.
        networks: The networks of its addresses, such as ``192.168.1.0/24``.
    """

    name: str
    index: int
    up: bool
    addresses: frozenset[str]
    networks: frozenset[str]


def interfaces() -> frozenset[Interface]:
    """
    Return the interfaces of this machine; compare two calls to see whether the network has changed.

    Raises:
        OSError: The system did not return them.
    """
    tentative = _tentative()
    found = set()
    for adapter in ifaddr.get_adapters():
        bits = {ip.ip if isinstance(ip.ip, str) else ip.ip[0]: ip.network_prefix for ip in adapter.ips}
        own = [ipaddress.ip_interface(f"{address}/{length}") for address, length in bits.items()]
        addresses = frozenset(str(each.ip) for each in own) - tentative
        networks = frozenset(str(each.network) for each in own)
        found.add(Interface(adapter.name, adapter.index or 0, _carries(adapter.name), addresses, networks))
    return frozenset(found)


def has_network() -> bool:
    """Return whether this machine has an address on any interface but its loopback."""
    return any(
        not ipaddress.ip_address(each).is_loopback
        for interface in interfaces()
        if interface.up
        for each in interface.addresses
    )


def _carries(name: str) -> bool:
    """Tell whether packets pass. Loopback and tunnels are "unknown"; without such files it is assumed."""
    try:
        return (Path("/sys/class/net") / name / "operstate").read_text().strip() in ("up", "unknown")
    except OSError:
        return True


def _tentative() -> frozenset[str]:
    """Return the IPv6 addresses that Linux still checks for duplicates (RFC 4862), which no socket can use yet."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return frozenset()
    unusable = 0x40 | 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
    fields = (line.split() for line in lines)
    return frozenset(
        str(ipaddress.IPv6Address(int(address, 16)))
        for address, _, _, _, flags, _ in fields
        if int(flags, 16) & unusable
    )


def _preference(address: str) -> tuple[bool, bool, str]:
    """Return a sort key: IPv4 first, because it works as soon as a link is up; IPv6 that needs a scope last."""
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6, parsed.is_link_local, address


def usable(present: Iterable[Interface]) -> list[str]:
    """Return the addresses at which others can reach this device, best first; loopback if there are no others."""
    addresses = {address for interface in present if interface.up for address in interface.addresses}
    outward = [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
    return sorted(outward, key=_preference)[:ADDRESSES_MAX] or [LOOPBACK]


def endpoints_of(info: AsyncServiceInfo, present: Iterable[Interface]) -> list[Endpoint]:
    """
    Return the addresses of an announcement that are in a network of this machine, best first.

    Anybody can announce any address, so an announcement never makes this machine call beyond its own networks; nor itself,
    unless it has no other network than its loopback.

    An IPv6 link-local address can be used only together with the interface by which it came. If zeroconf does not know that
    interface (the address came by IPv4, or with ``%0``), every interface with such addresses is a candidate.
    """
    networks = _reachable(present)
    scopes = sorted({str(i.index) for i in present if i.up and any(map(_is_scoped, i.addresses))})
    hosts: dict[str, tuple[bool, bool, str]] = {}
    for scoped in info.parsed_scoped_addresses():
        address, _, scope = scoped.partition("%")
        parsed = ipaddress.ip_address(address)
        if parsed.is_multicast or parsed.is_unspecified or not any(parsed in network for network in networks):
            continue
        known = [scope] if scope not in ("", "0") else scopes
        for host in [f"{address}%{each}" for each in known] if _is_scoped(address) else [address]:
            hosts[host] = _preference(address)
    return [(host, info.port or 0) for host in sorted(hosts, key=hosts.__getitem__)[:ADDRESSES_MAX]]


def _reachable(present: Iterable[Interface]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = [
        ipaddress.ip_network(network) for interface in present if interface.up for network in interface.networks
    ]
    outward = [network for network in networks if not network.is_loopback]
    beyond = any(not network.is_link_local for network in outward)
    return outward if beyond else networks


def _is_scoped(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6 and parsed.is_link_local
