"""
How likely others are to reach this machine by one of its interfaces: the addresses that people see, and those that are
dialled, come in this order.

Linux describes its interfaces in ``/sys/class/net``. Where there is no such folder, only the way out of the network counts.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection
from enum import IntEnum
from pathlib import Path

_NOWHERE = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)  # for documentation only (RFC 5737, RFC 3849)
_ETHERNET = "1"  # ARPHRD_ETHER of linux/if_arp.h; Wi-Fi has it, too


class Rank(IntEnum):
    """What an interface is, the likeliest first."""

    WAY_OUT = 0  # the default route goes by it
    PHYSICAL = 1
    OTHER = 2  # such as the inner end of a container's cable, or a VLAN
    TUNNEL = 3  # only those at its other end come by it
    INNER = 4  # a bridge for containers, a port of one, or an interface without any cable


def way_out() -> frozenset[str]:
    """Return the addresses from which this machine would call far away. Nothing is sent."""
    found = set()
    for family, nowhere in _NOWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((nowhere, 9))
            found.add(probe.getsockname()[0])
    return frozenset(found)


def rank(name: str, addresses: Collection[str], out: Collection[str]) -> Rank:
    """
    Return the rank of an interface.

    Args:
        name: Its name.
        addresses: Its addresses.
        out: The addresses of :func:`way_out`.
    """
    known = Path("/sys/class/net") / name
    if (known / "tun_flags").exists() or _read(known / "type") not in ("", _ETHERNET):
        return Rank.TUNNEL  # also if all traffic leaves by it: those on the LAN do not come that way
    if not frozenset(out).isdisjoint(addresses):
        return Rank.WAY_OUT
    if (known / "device").exists():
        return Rank.PHYSICAL
    if (known / "bridge").exists() or (known / "brport").exists() or _read(known / "operstate") == "unknown":
        return Rank.INNER
    return Rank.OTHER


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
