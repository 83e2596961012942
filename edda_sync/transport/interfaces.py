"""The network interfaces of this machine as they are now, and the addresses at which others can reach it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import ifaddr
from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.transport.ranks import Rank, rank, way_out
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
        rank: How likely others reach this machine by it; it may change while the network stays the same.
    """

    name: str
    index: int
    up: bool
    addresses: frozenset[str]
    networks: frozenset[str]
    rank: Rank = field(default=Rank.OTHER, compare=False)


def interfaces() -> frozenset[Interface]:
    """
    Return the interfaces of this machine; compare two calls to see whether the network has changed.

    Raises:
        OSError: The system did not return them.
    """
    tentative, out = _tentative(), way_out()
    found = set()
    for adapter in ifaddr.get_adapters():
        bits = {ip.ip if isinstance(ip.ip, str) else ip.ip[0]: ip.network_prefix for ip in adapter.ips}
        own = [ipaddress.ip_interface(f"{address}/{length}") for address, length in bits.items()]
        addresses = frozenset(str(each.ip) for each in own) - tentative
        networks = frozenset(str(each.network) for each in own)
        its_rank = rank(adapter.name, addresses, out)
        found.add(Interface(adapter.name, adapter.index or 0, _carries(adapter.name), addresses, networks, its_rank))
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


_Preference = tuple[bool, int, int, bytes]


def _preference(address: str, by: Rank) -> _Preference:
    """Return a sort key: link-local addresses last; then by rank; then IPv4 first, which works as soon as a link is up."""
    parsed = ipaddress.ip_address(address)
    return parsed.is_link_local, by, parsed.version, parsed.packed


def usable(present: Iterable[Interface]) -> list[str]:
    """Return the addresses at which others can reach this device, best first; loopback if there are no others."""
    ranked = [(_preference(address, each.rank), address) for each in present if each.up for address in each.addresses]
    outward = [address for _, address in sorted(ranked) if not ipaddress.ip_address(address).is_loopback]
    return list(dict.fromkeys(outward))[:ADDRESSES_MAX] or [LOOPBACK]


def told(present: Iterable[Interface]) -> list[str]:
    """
    Return the addresses at which others can reach this device, best first, as a person types them; perhaps none.

    A link-local IPv6 address has its zone, and is left out if the interface has another address: who reaches the one reaches
    the other, and can type it more easily.
    """
    found: list[tuple[_Preference, str]] = []
    for interface in (each for each in present if each.up):
        outward = [each for each in interface.addresses if not ipaddress.ip_address(each).is_loopback]
        plain = [(each, each) for each in outward if not _is_scoped(each)]
        shown = plain or [(each, f"{each}%{interface.name}") for each in outward]
        found += [(_preference(address, interface.rank), text) for address, text in shown]
    return list(dict.fromkeys(text for _, text in sorted(found)))


def hosts_of(host: str, present: Iterable[Interface]) -> list[str]:
    """
    Return the hosts to dial for one that a person named; usually itself.

    The zone of a link-local IPv6 address says by which interface to call. Where it was read, on the other device, it is the
    name of that device's interface. So if it is missing, or no interface of this machine, every interface is a candidate.
    """
    address, _, zone = host.partition("%")
    try:
        if not _is_scoped(address):
            return [host]
    except ValueError:  # a name
        return [host]
    able = [each for each in present if each.up and any(map(_is_scoped, each.addresses))]
    if any(zone in (each.name, str(each.index)) for each in able):
        return [host]
    return [f"{address}%{each.index}" for each in sorted(able, key=lambda each: (each.rank, each.index))] or [host]


def endpoints_of(info: AsyncServiceInfo, present: Iterable[Interface]) -> list[Endpoint]:
    """
    Return the addresses of an announcement that are in a network of this machine, best first.

    Anybody can announce any address, so an announcement never makes this machine call beyond its own networks. It makes it
    call itself, by its loopback, only if there is no other network. What is an address of this machine, too, comes last:
    many machines have a bridge with one and the same address. Otherwise the networks count by the rank of this machine's
    interface in them.

    An IPv6 link-local address can be used only together with the interface by which it came. If zeroconf does not know that
    interface (the address came by IPv4, or with ``%0``), every interface with such addresses is a candidate.
    """
    present = list(present)
    networks = _reachable(present)
    own = {address for interface in present for address in interface.addresses}
    scopes = sorted({str(i.index) for i in present if i.up and any(map(_is_scoped, i.addresses))})
    hosts: dict[str, tuple[bool, _Preference]] = {}
    for scoped in info.parsed_scoped_addresses():
        address, _, scope = scoped.partition("%")
        parsed = ipaddress.ip_address(address)
        ranks = [rank for network, rank in networks if parsed in network]
        if parsed.is_multicast or parsed.is_unspecified or not ranks:
            continue
        known = [scope] if scope not in ("", "0") else scopes
        for host in [f"{address}%{each}" for each in known] if _is_scoped(address) else [address]:
            hosts[host] = address in own, _preference(address, min(ranks))
    return [(host, info.port or 0) for host in sorted(hosts, key=hosts.__getitem__)[:ADDRESSES_MAX]]


def _reachable(present: Iterable[Interface]) -> list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, Rank]]:
    networks = [
        (ipaddress.ip_network(network), interface.rank)
        for interface in present
        if interface.up
        for network in interface.networks
    ]
    outward = [each for each in networks if not each[0].is_loopback]
    beyond = any(not network.is_link_local for network, _ in outward)
    return outward if beyond else networks


def _is_scoped(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6 and parsed.is_link_local
