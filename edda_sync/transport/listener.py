"""The listener accepts connections from members only, while members come and go. Its rules are in ``link``."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from edda_sync.transport.doorway import Doorway
from edda_sync.transport.identity import Identity
from edda_sync.transport.link import BOTH_ENDS, COPY_PATH, PATH, Called, Link
from edda_sync.transport.sockets import limit_packets, listening
from edda_sync.transport.tls import certificate_of, mutual
from edda_sync.words.addresses import host_port
from edda_sync.words.callbacks import log
from edda_sync.words.errors import RemoteError
from edda_sync.words.limits import CALLERS_QUEUED_MAX, OPEN_TIMEOUT_S
from edda_sync.words.reasons import Reason

LOG = logging.getLogger("edda_sync.transport")


class Listener:
    """
    Accepts members: use ``async with Listener(...) as listener``, then tell others ``listener.port``.

    Call :meth:`refresh` after every change of membership. Leaving the context closes the port and every link, and waits
    until every ``on_link`` has returned.

    Args:
        identity: This device.
        members: Returns the present members' certificates (DER) by device id; this device's own is ignored.
        on_link: Runs for each accepted link. It should return when the link ends; the link ends when it returns.
        host: Address to listen on; None for all, IPv4 and IPv6.
        port: TCP port; 0 lets the system choose.
        open_timeout_s: How long a caller may take to prove who it is, in seconds.
        on_copy: Runs, like ``on_link``, for a caller that proves to have this device's own key: a copy of its store, which
            comes by ``link.COPY_PATH``. None refuses it.

    Raises:
        UsageError: On entering: the port is taken, or the host is no address of this device.
    """

    def __init__(
        self,
        identity: Identity,
        members: Callable[[], Mapping[str, bytes]],
        on_link: Callable[[Link], Awaitable[None]],
        host: str | None = None,
        port: int = 0,
        *,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        on_copy: Callable[[Link], Awaitable[None]] | None = None,
    ) -> None:
        self.port = port
        self._identity, self._members, self._on_link, self._on_copy = identity, members, on_link, on_copy
        self._host, self._open_timeout_s = host, open_timeout_s
        self._socket: socket.socket  # holds the port; a door beside it accepts the callers
        self._server: Server | None = None
        self._former: set[asyncio.Task[None]] = set()  # servers of earlier contexts that still have links
        self._pins: dict[bytes, str] = {}  # certificate -> device
        self._links: dict[Link, bytes] = {}  # link -> the certificate that it was proved with
        self._doorway = Doorway(lambda: not self._closed)
        self._turn = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._socket = await listening(self._host, self.port)
        self.port = self._socket.getsockname()[1]
        try:
            await self.refresh()
        except BaseException:
            self._socket.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._turn:
            self._closed = True
            self._retire()
            leaving = asyncio.create_task(self._doorway.clear())
            await self._close_links(self._links, CloseCode.GOING_AWAY, Reason.GOING_AWAY)
            await asyncio.gather(leaving, *self._former)
            self._socket.close()

    async def refresh(self) -> None:
        """Use the present members. The port stays open; links of devices that are no longer members are closed."""
        async with self._turn:
            if self._closed:
                return
            own = self._identity.device
            pins = {certificate: device for device, certificate in self._members().items() if device != own}
            if self._on_copy is not None:
                pins[self._identity.certificate] = own
            context = mutual(self._identity, ssl.PROTOCOL_TLS_SERVER, pins)
            self._pins = pins
            self._retire()
            self._server = await serve(
                self._welcome,
                sock=self._doorway.door(self._socket),
                ssl=context,
                process_request=self._gate,
                backlog=CALLERS_QUEUED_MAX,
                origins=[None],
                create_connection=Called,
                server_header=None,
                open_timeout=self._open_timeout_s,
                **BOTH_ENDS,
            )
            revoked = [link for link, certificate in self._links.items() if certificate not in self._pins]
            await self._close_links(revoked, CloseCode.POLICY_VIOLATION, Reason.NO_LONGER)

    def limit_packets(self, size: int) -> None:
        """Limit the packets of the links that come from now on to so many bytes of content; 0 for no limit."""
        limit_packets(self._socket, size)

    def refuse_callers(self) -> None:
        """Accept no more callers. Open links stay open."""
        self._closed = True

    def _retire(self) -> None:
        """Accept no more callers with the present context; open links stay open."""
        if self._server is not None:
            self._server.close(close_connections=False)
            task = asyncio.create_task(self._server.wait_closed())
            self._former.add(task)
            task.add_done_callback(self._former.discard)
            self._server = None

    async def _close_links(self, links: Iterable[Link], code: CloseCode, reason: Reason) -> None:
        await asyncio.gather(*[link.end(code, reason) for link in links])

    async def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, before the WebSocket handshake, a caller that only the check of the chain let through."""
        if self._closed:
            return connection.respond(503, "")
        if certificate_of(connection.transport) not in self._pins:
            return connection.respond(403, "")
        is_copy = certificate_of(connection.transport) == self._identity.certificate
        if request.path != (COPY_PATH if is_copy else PATH) or "Origin" in request.headers:
            return connection.respond(404, "")
        self._doorway.proved(connection.transport.get_extra_info("socket").fileno())
        return None

    async def _welcome(self, connection: ServerConnection) -> None:
        certificate = certificate_of(connection.transport)
        peer = self._pins.get(certificate)
        if peer is None or self._closed:  # something changed since the check, while our answer was sent
            await connection.close(CloseCode.GOING_AWAY, Reason.GOING_AWAY)
            return
        host, port = socket.getnameinfo(connection.remote_address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        on_link = self._on_link if peer != self._identity.device or self._on_copy is None else self._on_copy
        link = Link(connection, peer, host_port(host.removeprefix("::ffff:"), port), dialled=False)
        self._links[link] = certificate
        try:
            await on_link(link)
        except RemoteError as error:
            log(LOG, logging.DEBUG, str(error))
        except Exception as error:  # noqa: BLE001 - a bug on this side ends the link
            log(LOG, logging.ERROR, f"The link to {peer} failed on this side.", error)
            await link.end(CloseCode.INTERNAL_ERROR, Reason.DONE)
        finally:
            del self._links[link]
