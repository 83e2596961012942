"""Sockets: how one listens, and the options that every open one gets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys

from edda_sync.words.errors import UsageError
from edda_sync.words.limits import RETRANSMIT_MS_MAX, UNACKNOWLEDGED_MS_MAX

_TCP_RTO_MAX_MS = 44  # linux/tcp.h; the standard library does not name it yet


def tune(stream: socket.socket) -> None:
    """Send small frames at once, and notice a cut cable sooner than TCP, which takes a quarter of an hour."""
    with contextlib.suppress(OSError):  # a socket that has just died reports this when it is used
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux (RFC 5482)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)
        if sys.platform == "linux":  # since 6.15; older ones refuse it, and find out within 6 s of a silent cut
            stream.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, RETRANSMIT_MS_MAX)


def limit_packets(stream: socket.socket, size: int) -> None:
    """
    Limit the packets of a connection that is still to be made, either way, or of all that come to a listening socket.

    It has no effect on Linux once a connection is made. Where the system refuses it, as macOS does, it finds out by itself
    which packets do not get through.

    Args:
        stream: The socket.
        size: Bytes of content in a packet; 0 for no limit.
    """
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)


async def connected(host: str, port: int, packet_bytes: int) -> socket.socket:
    """
    Return a connection whose packets are limited; the caller closes it.

    Args:
        host: Name or address; a link-local IPv6 address carries its scope.
        port: TCP port.
        packet_bytes: As for :func:`limit_packets`.

    Raises:
        OSError: Nothing answers there; of several addresses, the last one says why.
    """
    loop = asyncio.get_running_loop()
    failure = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        stream = socket.socket(family, kind, protocol)
        try:
            stream.setblocking(False)
            limit_packets(stream, packet_bytes)
            await loop.sock_connect(stream, address)
        except OSError as error:
            stream.close()
            failure = error
        except BaseException:
            stream.close()
            raise
        else:
            return stream
    raise failure


async def listening(host: str | None, port: int) -> socket.socket:
    """
    Return a listening socket; the caller closes it.

    Args:
        host: A name or address of this device; None for all addresses, IPv4 and IPv6 with the same port.
        port: TCP port; 0 lets the system choose.

    Raises:
        UsageError: The port is taken or not allowed, or the host is no address of this device.
    """
    try:
        if host is None and socket.has_dualstack_ipv6():
            with contextlib.suppress(OSError):  # there is no IPv6; a port that is taken fails below as well
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        family = socket.AF_INET if host is None else socket.AF_UNSPEC
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        return socket.create_server(found[0][4], family=found[0][0])
    except socket.gaierror as error:
        raise UsageError(f"{host} is no address of this device; listen on another one.") from error
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                why = f"Port {port} is in use by another program; choose another one with --port."
            case errno.EACCES:
                why = f"Port {port} may not be opened by this user; choose one above 1023 with --port."
            case errno.EADDRNOTAVAIL:
                why = f"{host} is no address of this device; listen on another one."
            case _:
                why = f"Port {port} cannot be opened ({error.strerror}); choose another one with --port."
        raise UsageError(why) from error
