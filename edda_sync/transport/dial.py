"""Dialling: call a device at an address, or ask which device is there. The rules are in ``link``."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException
from websockets.http11 import Response

from edda_sync.transport.clock import said
from edda_sync.transport.identity import Identity
from edda_sync.transport.link import BOTH_ENDS, PATH, SUBPROTOCOL, Calling, Link
from edda_sync.transport.sockets import connected, tune
from edda_sync.transport.tls import certificate_of, mutual, unverified
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import NotAMemberError, NotReachableError, RemoteError, RemoteMismatchError, shown
from edda_sync.words.limits import OPEN_TIMEOUT_S


class _Connect(connect):
    """A call that follows no HTTP redirect; a redirect is an error, like any other wrong answer."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def dial(
    identity: Identity,
    peer: str,
    certificate: bytes,
    host: str,
    port: int,
    timeout_s: float = OPEN_TIMEOUT_S,
    *,
    path: str = PATH,
    packet_bytes: int = 0,
) -> Link:
    """
    Call a device at an address; then iterate over the link, and close it at the end.

    Args:
        identity: This device.
        peer: The id of the device that must answer.
        certificate: Its pinned certificate, DER; no other certificate is accepted.
        host: Name or address; a link-local IPv6 address carries its scope (``fe80::1%eth0``).
        port: TCP port.
        timeout_s: The time limit in seconds for everything from looking up the name to the peer's first message.
        path: ``link.PATH``, or ``link.COPY_PATH``.
        packet_bytes: How many bytes of content a packet may have, either way; 0 for no limit.

    Raises:
        NotReachableError: Nothing answered in time, or what answered is not a device.
        NotAMemberError: Another device answered, or the peer does not know this one.
        RemoteMismatchError: The peer speaks another version.
    """
    address = host_port(host, port)
    context = mutual(identity, ssl.PROTOCOL_TLS_CLIENT, [certificate])
    try:
        async with asyncio.timeout(timeout_s):
            to = {"sock": await connected(host, port, packet_bytes)} if packet_bytes else {"host": host, "port": port}
            connection = await _Connect(
                f"wss://edda{path}",
                ssl=context,
                server_hostname="",  # so that nothing about us is sent in the clear
                proxy=None,
                create_connection=Calling,
                user_agent_header=None,
                additional_headers={"Date": said()},
                open_timeout=None,
                **to,
                **BOTH_ENDS,
            )
    except (OSError, UnicodeError, WebSocketException) as error:
        raise _refusal(error, peer, address) from error
    refusal: RemoteError | None = None
    if certificate_of(connection.transport) != certificate:
        refusal = NotAMemberError(peer)
    elif connection.subprotocol != SUBPROTOCOL:
        refusal = RemoteMismatchError("it speaks another version of the protocol: update the older edda", peer)
    if refusal is not None:
        connection.transport.abort()
        await connection.wait_closed()
        raise refusal
    tune(connection.transport.get_extra_info("socket"))
    return Link(connection, peer, address, dialled=True)


async def peek(host: str, port: int, timeout_s: float = OPEN_TIMEOUT_S) -> bytes:
    """
    Return the certificate (DER) that is shown at an address. It proves nothing until the device is dialled.

    Args:
        host, port: The address.
        timeout_s: The time limit in seconds.

    Raises:
        NotReachableError: Nothing answered in time, or what answered does not speak TLS 1.3.
    """
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=unverified(), server_hostname="")
    except (OSError, UnicodeError) as error:
        raise _refusal(error, "", host_port(host, port)) from error
    certificate = certificate_of(writer.transport)
    writer.transport.abort()
    if not certificate:
        raise NotReachableError(host_port(host, port), "what answers there is no edda device")
    return certificate


def _refusal(error: Exception, peer: str, address: str) -> RemoteError:
    """Return the error that a failed call means."""
    match error:
        case ssl.SSLCertVerificationError():
            return NotAMemberError(peer)
        case InvalidStatus(response=Response(status_code=403)):
            return NotAMemberError(peer, by_peer=True)
        case InvalidStatus(response=Response(status_code=503)):
            return NotReachableError(address, "it is going away or its members are changing")
        case ConnectionClosed() | InvalidMessage(__cause__=EOFError()):
            # Rule 3: the peer has proved itself, and hung up on our certificate.
            return NotAMemberError(peer, by_peer=True)
        case WebSocketException():
            said = shown(str(error))
            return RemoteMismatchError(
                f"it speaks another version of the protocol ({said}): update the older edda", peer
            )
        case TimeoutError():
            return NotReachableError(address, "it took too long")
        case ssl.SSLEOFError() | ConnectionResetError():
            return NotReachableError(address, "it hung up")
        case ssl.SSLError():
            return NotReachableError(address, "what answers there is no edda device")
        case socket.gaierror(strerror=reason):
            return NotReachableError(address, str(reason))
        case OSError(errno=int(number)):
            return NotReachableError(address, os.strerror(number))
    return NotReachableError(address, str(error))
