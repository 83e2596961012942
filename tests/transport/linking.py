"""Helpers for tests of links: four devices, a watched listener, and callers that follow our rules or do not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from edda_sync.transport.dial import dial
from edda_sync.transport.identity import Identity, load_into
from edda_sync.transport.link import PATH, SUBPROTOCOL, Link
from edda_sync.transport.listener import Listener
from edda_sync.words.errors import (
    EddaError,
)

T = TypeVar("T")
ADA, BOB, EVE, DAN = (Identity.from_private(bytes([number]) * 32) for number in (1, 2, 3, 4))
REQUEST = (
    f"GET {PATH} HTTP/1.1\r\nHost: edda\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
)


class Inflow(asyncio.Queue[T]):
    """A queue whose reader fails, rather than hangs, when nothing comes."""

    async def get(self) -> T:
        async with asyncio.timeout(90):
            return await super().get()


class Inbox:
    """The listening side's view: its links, the frames that arrive over them, and how they end."""

    def __init__(self) -> None:
        self.links: Inflow[Link] = Inflow()
        self.frames: Inflow[bytes] = Inflow()
        self.ends: Inflow[EddaError | None] = Inflow()

    async def __call__(self, link: Link) -> None:
        self.links.put_nowait(link)
        try:
            async for frame in link:
                self.frames.put_nowait(frame)
        except EddaError as error:
            self.ends.put_nowait(error)
            raise
        self.ends.put_nowait(None)


class WatchedListener(Listener):
    """A listener that counts the HTTP requests that reach it."""

    requests = 0

    async def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests += 1
        return await super()._gate(connection, request)


def members(*people: Identity) -> dict[str, bytes]:
    return {person.device: person.certificate for person in people}


@asynccontextmanager
async def listening(
    inbox: Inbox, *people: Identity, identity: Identity = ADA, **options: Any
) -> AsyncIterator[WatchedListener]:
    """A listener of ADA's, on the IPv4 loopback, that lets these members in."""
    options = {"host": "127.0.0.1"} | options
    async with WatchedListener(identity, lambda: members(*people), inbox, **options) as listener:
        yield listener


async def call(
    stack: AsyncExitStack, identity: Identity, port: int, host: str = "127.0.0.1", peer: Identity = ADA
) -> Link:
    link = await dial(identity, peer.device, peer.certificate, host, port)
    stack.push_async_callback(link.close)
    return link


def raw_context(identity: Identity | None) -> ssl.SSLContext:
    """TLS for a caller that breaks our rules: it trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        load_into(context, identity)
    return context


async def request_by_hand(port: int, identity: Identity | None, request: str = REQUEST) -> bytes:
    """Send an HTTP request by hand; the first line of the answer, or nothing if the other side hung up instead."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=raw_context(identity), server_hostname="")
    except OSError:
        return b""
    try:
        writer.write(request.encode())
        await writer.drain()
        return await reader.readline()
    except OSError:
        return b""
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def rogue(identity: Identity, port: int) -> AsyncIterator[ClientConnection]:
    """A member that speaks WebSocket but not our protocol."""
    async with connect(
        f"wss://127.0.0.1:{port}{PATH}",
        ssl=raw_context(identity),
        subprotocols=[SUBPROTOCOL],
        compression=None,
        proxy=None,
    ) as connection:
        yield connection
