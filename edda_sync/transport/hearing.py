"""
Whether multicast passes on an interface: this machine asks a question there that nobody answers, and listens for it.

A system gives its own multicast back to itself as if it had come by the interface, through the same filters. So what keeps
others from being heard is noticed, except for what is outside of this machine, such as a Wi-Fi that keeps its guests apart.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import struct
import time
from typing import Final

from edda_sync.transport.interfaces import Interface
from edda_sync.words.limits import HEARD_AGAIN_S

_PORT: Final = 5353  # of multicast DNS (RFC 6762)
_GROUPS: Final = {socket.AF_INET: "224.0.0.251", socket.AF_INET6: "ff02::fb"}
_QUESTION: Final = struct.pack("!6H", 0, 0, 1, 0, 0, 0)  # the header of a DNS message with one question
_PTR_IN: Final = struct.pack("!2H", 12, 1)
_TRIES: Final = 3
_IP_MULTICAST_ALL: Final = 49  # linux/in.h: hear only what comes by the interface that was joined


def fault(interface: Interface) -> str:
    """Return why multicast does not pass on an interface, for a person; empty if it does."""
    plain = sorted(each for each in interface.addresses if ":" not in each)
    family = socket.AF_INET if plain else socket.AF_INET6
    place = plain[0] if plain else str(interface.index)
    asked = _question()
    try:
        with _listening(family, place) as ears, _speaking(family, place) as mouth:
            for _ in range(_TRIES):
                mouth.sendto(asked, (_GROUPS[family], _PORT))
                if _heard(ears, asked, time.monotonic() + HEARD_AGAIN_S):
                    return ""
    except OSError as error:
        return _why(error)
    return "what this machine sends to all does not come back to it: UDP port 5353 is blocked"


def _question() -> bytes:
    labels = (secrets.token_hex(8).encode(), b"_edda-check", b"_tcp", b"local")
    return _QUESTION + b"".join(bytes([len(each)]) + each for each in labels) + b"\0" + _PTR_IN


def _listening(family: socket.AddressFamily, place: str) -> socket.socket:
    ears = socket.socket(family, socket.SOCK_DGRAM)
    try:
        ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET:
            with contextlib.suppress(OSError):
                ears.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            ears.bind(("", _PORT))
            joined = socket.inet_aton(_GROUPS[family]) + socket.inet_aton(place)
            ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        else:
            ears.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            ears.bind(("", _PORT))
            group = socket.inet_pton(family, _GROUPS[family]) + struct.pack("@I", int(place))
            ears.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    except BaseException:
        ears.close()
        raise
    return ears


def _speaking(family: socket.AddressFamily, place: str) -> socket.socket:
    mouth = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(place))
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    else:
        mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, int(place))
        mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
    return mouth


def _heard(ears: socket.socket, asked: bytes, end: float) -> bool:
    """Tell whether the question comes; whatever else is said on the network is passed over."""
    while (left := end - time.monotonic()) > 0:
        ears.settimeout(left)
        with contextlib.suppress(TimeoutError):
            if ears.recv(65_535) == asked:
                return True
    return False


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program keeps UDP port 5353 for itself"
        case errno.EPERM | errno.EACCES:
            return "this machine may not send to UDP port 5353: a firewall forbids it"
        case errno.ENETUNREACH | errno.ENODEV | errno.EADDRNOTAVAIL:
            return "the interface does not take part in multicast"
    return os.strerror(error.errno) if error.errno else str(error)
