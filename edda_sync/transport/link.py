"""
Links: whole binary frames between two devices that have proved who they are. What the frames say is not known here.

A link is a WebSocket inside TLS 1.3. Both ends show their certificate, and the members' certificates are the only trust
anchors, so a stranger ends in the TLS layer and never reaches the HTTP parser. Rules that ``dial`` and ``listener`` keep:

1. The chain check alone is not enough (a pinned certificate with CA:TRUE could sign another): the exact certificate is
   looked up afterwards, on both sides.
2. A TLS context only ever gains certificates, and a resumed session skips the check: a change of members makes a new
   context, and no tickets are given.
3. In TLS 1.3 a client is done before the server has judged its certificate. It counts as connected only after the
   server's first message, which is the HTTP 101; a hang-up in between means that we are no member there.
4. No browser can get in: an ``Origin`` is refused, and so is every path but ours.
5. Somebody who has not proved who they are holds a socket, for a few seconds, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.typing import Subprotocol

from edda_sync.words.errors import (
    LimitError,
    LinkClosedError,
    NotAMemberError,
    RemoteError,
    RemoteProtocolError,
    shown,
)
from edda_sync.words.limits import (
    CLOSE_TIMEOUT_S,
    FRAME_BYTES_MAX,
    LINK_FRAMES_QUEUED_MAX,
    PING_INTERVAL_S,
    PROTOCOL_VERSION,
)

PATH = f"/edda/{PROTOCOL_VERSION}"
SUBPROTOCOL = Subprotocol(f"edda.{PROTOCOL_VERSION}")
CLOSE_REASON_BYTES_MAX = 123  # RFC 6455: a control frame holds 125 bytes, two of them the code

# websockets logs every failed handshake as an error with a traceback; that a stranger calls is no event here.
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

BOTH_ENDS: dict[str, Any] = {
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
    """A connection that notes when anything came from its peer, even a piece of a frame, in the loop's seconds."""

    heard_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard_s = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.heard_s = self.loop.time()
        super().data_received(data)


class Calling(_Hearing, ClientConnection):
    """The connection of the side that dialled."""


class Called(_Hearing, ServerConnection):
    """The connection of the side that listened."""


class Link:
    """
    One open connection to a proved peer; ``dial`` and ``listener`` make it.

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

    def send_now(self, frame: bytes) -> bool:
        """Hand one frame to the peer, if the link is open and nothing waits before it; tell whether that was done."""
        connection = self._connection
        if len(frame) > FRAME_BYTES_MAX or connection.state is not State.OPEN:
            return False  # :meth:`send` says why
        if connection.transport.get_write_buffer_size():
            return False
        connection.protocol.send_binary(frame)
        connection.send_data()
        return True

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
        Return the next frame, whole.

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
            await self.end(CloseCode.UNSUPPORTED_DATA, "text")
            raise RemoteProtocolError("text where bytes are due", self.peer)
        return frame

    async def close(self, reason: str = "") -> None:
        """
        Say goodbye and free the socket; harmless on a link that has ended.

        Args:
            reason: What the peer's log should say; cut to 123 bytes.
        """
        await self.end(CloseCode.NORMAL_CLOSURE, reason)

    @property
    def reason(self) -> str:
        """Why the link was closed, as the side that did it said; empty while it is open."""
        return self._connection.close_reason or ""

    async def probe(self, timeout_s: float) -> bool:
        """
        Return whether the peer answers a ping; ask after a sleep or a change of network, and close the link if not.

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

    async def end(self, code: CloseCode, reason: str) -> None:
        """Close with this code of RFC 6455, where :meth:`close` says no more than goodbye."""
        self._closing = True
        cut = reason.encode()[:CLOSE_REASON_BYTES_MAX].decode(errors="ignore")
        try:
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await self._connection.close(code, cut)
        except TimeoutError:  # the goodbye waits behind frames that the peer does not read
            self._connection.transport.abort()
            await self._connection.wait_closed()

    def _ended(self, closed: ConnectionClosed) -> RemoteError:
        """Return why the link ended and by whose fault: the first of the two close frames says it."""
        ours = closed.sent is not None and not closed.rcvd_then_sent
        first = closed.sent if ours else closed.rcvd
        if first is None:
            return LinkClosedError(self.peer, "it broke")
        if first.code == CloseCode.POLICY_VIOLATION:
            return NotAMemberError(self.peer, by_peer=not ours)
        if ours and first.code in _BROKEN_RULES:
            return RemoteProtocolError(first.reason, self.peer)
        return LinkClosedError(self.peer, first.reason if ours else f"it said {shown(first.reason)}")
