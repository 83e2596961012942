"""
Links: whole binary frames between two devices that have proved who they are. What the frames say is not known here.

A link is a WebSocket inside TLS 1.3. Both ends show their certificate, and the members' certificates are the only trust
anchors, so a stranger ends in the TLS layer and never reaches the HTTP parser. Rules that the calls below keep:

1. The chain check alone is not enough (a pinned certificate with CA:TRUE could sign another): the exact certificate is
   looked up afterwards, on both sides.
2. A TLS context only ever gains certificates, and a resumed session skips the check: a change of members makes a new
   context, and no tickets are given.
3. In TLS 1.3 a client is done before the server has judged its certificate. It counts as connected only after the
   server's first message, which is the HTTP 101; a hang-up in between means that we are no member there.
4. No browser can get in: an ``Origin`` is refused, and so is every path but ours.
5. Whoever has not proved who they are holds a socket, for a few seconds, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from edda_sync.transport.identity import Identity, load_into
from edda_sync.words.errors import (
    LimitError,
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
    RemoteError,
    RemoteMismatchError,
    RemoteProtocolError,
    UsageError,
    shown,
)
from edda_sync.words.limits import (
    CLOSE_TIMEOUT_S,
    FRAME_BYTES_MAX,
    LINK_FRAMES_QUEUED_MAX,
    LINKS_UNPROVED_MAX,
    OPEN_TIMEOUT_S,
    PING_INTERVAL_S,
    PROTOCOL_VERSION,
    RETRANSMIT_MS_MAX,
    UNACKNOWLEDGED_MS_MAX,
)

PATH = f"/edda/{PROTOCOL_VERSION}"
SUBPROTOCOL = Subprotocol(f"edda.{PROTOCOL_VERSION}")
_TCP_RTO_MAX_MS = 44  # linux/tcp.h; the standard library does not name it yet
CLOSE_REASON_BYTES_MAX = 123  # RFC 6455: a control frame holds 125 bytes, two of them the code

LOG = logging.getLogger("edda_sync.transport")
# websockets logs every failed handshake as an error with a traceback: here a stranger's knock is no event at all.
_QUIET = logging.getLogger("edda_sync.transport.websockets")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_QUIET.setLevel(logging.CRITICAL)

# What the peer did when it is we who end the link with one of these codes.
_BROKEN_RULES = (
    CloseCode.PROTOCOL_ERROR,
    CloseCode.UNSUPPORTED_DATA,
    CloseCode.INVALID_DATA,
    CloseCode.MESSAGE_TOO_BIG,
)

_BOTH_ENDS: dict[str, Any] = {
    "subprotocols": [SUBPROTOCOL],
    "compression": None,  # batches are compressed already, and a compressed message can be a bomb
    "max_size": FRAME_BYTES_MAX,
    "max_queue": LINK_FRAMES_QUEUED_MAX,
    "ping_interval": None,  # see Link._watch
    "close_timeout": CLOSE_TIMEOUT_S,
    "ssl_shutdown_timeout": CLOSE_TIMEOUT_S,
    "logger": _QUIET,
}


class _Hearing(Connection):
    """A connection that knows when, in the loop's seconds, anything came from its peer: even a piece of a frame."""

    heard_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard_s = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.heard_s = self.loop.time()
        super().data_received(data)


class _Calling(_Hearing, ClientConnection):
    pass


class _Called(_Hearing, ServerConnection):
    pass


class Link:
    """
    One open way to a proved peer; :func:`dial` and :class:`Listener` make it.

    Iterate over it for the frames that arrive, in one task only, and keep taking them: a link whose frames wait for two
    ping intervals looks dead and is closed. Iteration ends when either side has said goodbye.

    Attributes:
        peer: Device id of the other end, as proved by the handshake.
        address: Where it is, ``HOST:PORT``, for a person to read.
        dialled: Whether this side made the call.
    """

    def __init__(self, connection: Connection, peer: str, address: str, *, dialled: bool) -> None:
        assert isinstance(connection, _Hearing), "the calls below make no other"
        self.peer, self.address, self.dialled = peer, address, dialled
        self._connection = connection
        self._closing = False
        self._watching = asyncio.create_task(self._watch())  # ends with the connection

    async def send(self, frame: bytes) -> None:
        """
        Hand one frame to the peer; returns when there is room for the next.

        Args:
            frame: At most ``FRAME_BYTES_MAX`` bytes.

        Raises:
            LimitError: The frame is larger; nothing was sent.
            RemoteError: The link has ended. Whether earlier frames arrived is for the peer's acknowledgements to say.
        """
        if len(frame) > FRAME_BYTES_MAX:
            raise LimitError("a frame in bytes", len(frame), FRAME_BYTES_MAX)
        try:
            await self._connection.send(frame)
        except ConnectionClosed as closed:
            raise self._ended(closed) from closed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """
        The next frame, whole.

        Raises:
            StopAsyncIteration: Either side said goodbye.
            RemoteProtocolError: The peer broke the protocol: too large a frame, text, or no WebSocket frame at all.
            NotAMemberError: One of the two is a member no more.
            LinkClosedError: The link broke.
        """
        try:
            frame = await self._connection.recv()
            while self._closing:  # what arrives after our goodbye is not delivered
                frame = await self._connection.recv()
        except ConnectionClosed as closed:
            ended = self._ended(closed)
            unanswered = self._closing and isinstance(ended, LinkClosedError)  # our goodbye is one all the same
            if unanswered or isinstance(closed, ConnectionClosedOK):
                raise StopAsyncIteration from None
            raise ended from closed
        if isinstance(frame, str):
            await self._close(CloseCode.UNSUPPORTED_DATA, "text")
            raise RemoteProtocolError("text where bytes are due", self.peer)
        return frame

    async def close(self, reason: str = "") -> None:
        """
        Say goodbye and free the socket; harmless on a link that has ended.

        Args:
            reason: What the peer's log should say; cut to 123 bytes.
        """
        await self._close(CloseCode.NORMAL_CLOSURE, reason)

    @property
    def reason(self) -> str:
        """Why the link was closed, as the side that did it said; empty while it is open."""
        return self._connection.close_reason or ""

    async def probe(self, timeout_s: float) -> bool:
        """
        Whether the peer answers a ping; ask after a sleep or a change of network, and close the link if not.

        Args:
            timeout_s: How long to wait for the answer, in seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._connection.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    async def _watch(self) -> None:
        """
        Ping the peer at each interval; drop the link once nothing has come from it for two.

        Any byte is a sign of life: over a slow network an answer waits for minutes behind the frames before it.
        """
        connection, now = self._connection, asyncio.get_running_loop().time
        ended = asyncio.ensure_future(connection.wait_closed())
        while (left_s := connection.heard_s + 2 * PING_INTERVAL_S - now()) > 0:
            await asyncio.wait([ended], timeout=min(left_s, PING_INTERVAL_S))
            if ended.done():
                return
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):  # a frame that waits for room is in its way, and asks too
                    await connection.ping()
        connection.transport.abort()

    async def _close(self, code: CloseCode, reason: str) -> None:
        self._closing = True
        cut = reason.encode()[:CLOSE_REASON_BYTES_MAX].decode(errors="ignore")
        await self._connection.close(code, cut)

    def _ended(self, closed: ConnectionClosed) -> RemoteError:
        """Whose fault the end of the link was: the first of the two close frames says it."""
        ours = closed.sent is not None and not closed.rcvd_then_sent
        first = closed.sent if ours else closed.rcvd
        if first is None:
            return LinkClosedError(self.peer, "it broke")
        if first.code == CloseCode.POLICY_VIOLATION:
            return NotAMemberError(self.peer, by_peer=not ours)
        if ours and first.code in _BROKEN_RULES:
            return RemoteProtocolError(first.reason, self.peer)
        return LinkClosedError(self.peer, first.reason if ours else f"it said {shown(first.reason)}")


class Listener:
    """
    Lets members in: ``async with Listener(...) as listener``, then tell others ``listener.port``.

    Call :meth:`refresh` after every change of membership. Leaving the block closes the port and every link, and waits
    until every ``on_link`` has returned.

    Args:
        identity: This device.
        members: Gives the certificates (DER) of the members by device id, as they are now; our own is passed over.
        on_link: Runs for each link that is let in. It should return when the link ends; the link ends when it returns.
        host: Address to listen on; every one, IPv4 and IPv6, when None.
        port: TCP port; 0 lets the system choose.
        open_timeout_s: How long a caller may take to prove who it is, in seconds.

    Raises:
        UsageError: On entering: the port is taken, or the host is none of this device's.
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
    ) -> None:
        self.port = port
        self._identity, self._members, self._on_link = identity, members, on_link
        self._host, self._open_timeout_s = host, open_timeout_s
        self._socket: socket.socket  # holds the port; callers come in through a _Doorway beside it
        self._server: Server | None = None
        self._former: set[asyncio.Task[None]] = set()  # servers of earlier contexts that still carry links
        self._pins: dict[bytes, str] = {}  # certificate -> device
        self._links: dict[Link, bytes] = {}  # link -> the certificate that it was proved with
        self._unproved: dict[int, socket.socket] = {}  # by file descriptor
        self._turn = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._socket = await _listening(self._host, self.port)
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
            for visitor in self._unproved.values():
                with contextlib.suppress(OSError):  # it may have gone by itself
                    visitor.shutdown(socket.SHUT_RDWR)
            await self._close_links(self._links, CloseCode.GOING_AWAY, "going away")
            await asyncio.gather(*self._former)
            while self._count_unproved():  # noqa: ASYNC110  each closes once the loop has seen its end, and tells nobody
                await asyncio.sleep(0)
            self._socket.close()

    async def refresh(self) -> None:
        """Take the members as they are now: the port stays, links of those who are members no more are closed."""
        async with self._turn:
            if self._closed:
                return
            own = self._identity.device
            pins = {certificate: device for device, certificate in self._members().items() if device != own}
            context = _context(self._identity, ssl.PROTOCOL_TLS_SERVER, pins)
            self._pins = pins
            self._retire()
            self._server = await serve(
                self._welcome,
                sock=_Doorway(self._socket, self._admit),
                ssl=context,
                process_request=self._gate,
                origins=[None],
                create_connection=_Called,
                server_header=None,
                open_timeout=self._open_timeout_s,
                **_BOTH_ENDS,
            )
            revoked = [link for link, certificate in self._links.items() if certificate not in self._pins]
            await self._close_links(revoked, CloseCode.POLICY_VIOLATION, "no longer a member")

    def _retire(self) -> None:
        """Let nobody in any more under the present context; links that are open live on."""
        if self._server is not None:
            self._server.close(close_connections=False)
            task = asyncio.create_task(self._server.wait_closed())
            self._former.add(task)
            task.add_done_callback(self._former.discard)
            self._server = None

    async def _close_links(self, links: Iterable[Link], code: CloseCode, reason: str) -> None:
        await asyncio.gather(*[link._close(code, reason) for link in links])

    def _admit(self, visitor: socket.socket) -> bool:
        """Whether one more unproved socket may stay."""
        if self._closed or self._count_unproved() >= LINKS_UNPROVED_MAX:
            return False
        _tune(visitor)
        self._unproved[visitor.fileno()] = visitor
        return True

    def _count_unproved(self) -> int:
        self._unproved = {number: visitor for number, visitor in self._unproved.items() if visitor.fileno() >= 0}
        return len(self._unproved)

    async def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, before the WebSocket handshake, whom the chain check alone let through."""
        if self._closed:
            return connection.respond(503, "")
        if _certificate_of(connection) not in self._pins:
            return connection.respond(403, "")
        if request.path != PATH or "Origin" in request.headers:
            return connection.respond(404, "")
        self._unproved.pop(connection.transport.get_extra_info("socket").fileno(), None)
        return None

    async def _welcome(self, connection: ServerConnection) -> None:
        certificate = _certificate_of(connection)
        peer = self._pins.get(certificate)
        if peer is None or self._closed:  # since the gate: our answer to the caller took its time
            await connection.close(CloseCode.GOING_AWAY, "going away")
            return
        host, port = socket.getnameinfo(connection.remote_address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        link = Link(connection, peer, _address(host.removeprefix("::ffff:"), port), dialled=False)
        self._links[link] = certificate
        try:
            await self._on_link(link)
        except RemoteError as error:
            LOG.debug("%s", error)
        except Exception:
            LOG.exception("The link to %s failed on this side.", peer)
            await link._close(CloseCode.INTERNAL_ERROR, "")
        finally:
            del self._links[link]


class _Doorway(socket.socket):
    """A second handle on a listening socket that shuts out callers whom ``admit`` refuses."""

    def __init__(self, listening: socket.socket, admit: Callable[[socket.socket], bool]) -> None:
        super().__init__(listening.family, listening.type, listening.proto, listening.dup().detach())
        self._admit = admit

    def accept(self) -> tuple[socket.socket, Any]:
        visitor, address = super().accept()
        if self._admit(visitor):
            return visitor, address
        visitor.close()
        raise ConnectionAbortedError  # to the event loop: this caller has gone, go on listening


class _Connect(connect):
    """A call that goes where we sent it: a peer's HTTP redirect is an error like any other answer."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def dial(
    identity: Identity, peer: str, certificate: bytes, host: str, port: int, timeout_s: float = OPEN_TIMEOUT_S
) -> Link:
    """
    Call a device at an address; then iterate over the link, and close it in the end.

    Args:
        identity: This device.
        peer: Device id of the one who must answer.
        certificate: Its pinned certificate, DER; nobody else's is accepted.
        host: Name or address; a link-local IPv6 address carries its scope (``fe80::1%eth0``).
        port: TCP port.
        timeout_s: For everything, from the look-up of the name to the peer's welcome, in seconds.

    Raises:
        NotReachableError: Nobody answered in time, or nothing that is a device.
        NotAMemberError: Another device answered, or the peer does not know this one.
        RemoteMismatchError: The peer speaks another version.
    """
    address = _address(host, port)
    context = _context(identity, ssl.PROTOCOL_TLS_CLIENT, [certificate])
    try:
        connection = await _Connect(
            f"wss://edda{PATH}",
            host=host,
            port=port,
            ssl=context,
            server_hostname="",  # says nothing about us in the clear
            proxy=None,
            create_connection=_Calling,
            user_agent_header=None,
            open_timeout=timeout_s,
            **_BOTH_ENDS,
        )
    except (OSError, UnicodeError, WebSocketException) as error:
        raise _refusal(error, peer, address) from error
    refusal: RemoteError | None = None
    if _certificate_of(connection) != certificate:
        refusal = NotAMemberError(peer)
    elif connection.subprotocol != SUBPROTOCOL:
        refusal = RemoteMismatchError("it speaks another version of the protocol", peer)
    if refusal is not None:
        connection.transport.abort()
        await connection.wait_closed()
        raise refusal
    _tune(connection.transport.get_extra_info("socket"))
    return Link(connection, peer, address, dialled=True)


async def peek(host: str, port: int, timeout_s: float = OPEN_TIMEOUT_S) -> bytes:
    """
    Ask who is at an address: return the certificate (DER) that is shown there. It proves nothing until it is dialled.

    Args:
        host, port: The address.
        timeout_s: For all of it, in seconds.

    Raises:
        NotReachableError: Nobody answered in time, or nothing that speaks TLS 1.3.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname="")
    except (OSError, UnicodeError) as error:
        raise _refusal(error, "", _address(host, port)) from error
    certificate: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    if certificate is None:
        raise NotReachableError(_address(host, port), "what answers there is no edda device")
    return certificate


def _refusal(error: Exception, peer: str, address: str) -> RemoteError:
    """What a failed call means."""
    match error:
        case ssl.SSLCertVerificationError():
            return NotAMemberError(peer)
        case InvalidStatus(response=Response(status_code=403)):
            return NotAMemberError(peer, by_peer=True)
        case InvalidStatus(response=Response(status_code=503)):
            return NotReachableError(address, "it is going away or its members are changing")
        case ConnectionClosed() | InvalidMessage(__cause__=EOFError()):
            return NotAMemberError(
                peer, by_peer=True
            )  # rule 3: the peer has proved itself, and hung up on our certificate
        case WebSocketException():
            return RemoteMismatchError(f"it speaks another version of the protocol ({shown(str(error))})", peer)
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


def _context(identity: Identity, side: int, pinned: Iterable[bytes]) -> ssl.SSLContext:
    """TLS for one side: we show our certificate, and of others exactly the pinned ones are trusted."""
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a device is its key, wherever it is
    context.verify_mode = ssl.CERT_REQUIRED
    load_into(context, identity)
    anchors = b"".join(pinned)
    if anchors:  # OpenSSL takes no empty list; without anchors nobody is trusted, as it should be
        context.load_verify_locations(cadata=anchors)
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def _certificate_of(connection: Connection) -> bytes:
    """The certificate that the other end proved to hold the key of, DER."""
    tls: ssl.SSLObject = connection.transport.get_extra_info("ssl_object")
    return tls.getpeercert(binary_form=True) or b""


def _tune(stream: socket.socket) -> None:
    """Send small frames at once, and notice a cut cable before TCP's own quarter of an hour."""
    with contextlib.suppress(OSError):  # a socket that has just died says so when it is used
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux (RFC 5482)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)
        if (
            sys.platform == "linux"
        ):  # since 6.15; older ones refuse it, and find out up to six seconds after a silent cut
            stream.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, RETRANSMIT_MS_MAX)


def _address(host: str, port: int | str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _listening(host: str | None, port: int) -> socket.socket:
    """A listening socket: on one address of a host, or on every address of this device."""
    try:
        if host is None and socket.has_dualstack_ipv6():
            with contextlib.suppress(OSError):  # no IPv6 here after all; a port that is taken fails below as well
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
                raise
        raise UsageError(why) from error
