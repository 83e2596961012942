"""
Links: whole binary frames between two devices that have proved who they are. A link does not know what the frames say.

A link is a WebSocket inside TLS 1.3. Both ends show their certificate, and the members' certificates are the only trust
anchors, so a stranger gets no further than the TLS layer, and never reaches the HTTP parser. ``dial`` and ``listener`` keep
these rules:

1. The check of the chain is not enough, because a pinned certificate with CA:TRUE could sign another one. So both sides also
   look up the exact certificate.
2. A TLS context only ever gains certificates, and a resumed session skips the check. So a change of members makes a new
   context, and no tickets are given.
3. In TLS 1.3 a client is done before the server has checked its certificate. So it counts as connected only after the
   server's first message, the HTTP 101. If the server hangs up before, this device is no member there.
4. No browser can connect: requests with an ``Origin`` are refused, and so is every path except ours.
5. A caller that has not proved who it is holds one socket for a few seconds, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.typing import Subprotocol

from edda_sync.transport.clock import ahead_s
from edda_sync.words.errors import (
    LimitError,
    LinkClosedError,
    NotAMemberError,
    RemoteError,
    RemoteProtocolError,
)
from edda_sync.words.limits import (
    CLOSE_TIMEOUT_S,
    FRAME_BYTES_MAX,
    LINK_FRAMES_QUEUED_MAX,
    PING_INTERVAL_S,
    PROTOCOL_VERSION,
)
from edda_sync.words.reasons import Reason, told_here, told_there

PATH = f"/edda/{PROTOCOL_VERSION}"
COPY_PATH = (
    f"{PATH}/copy"  # for a copy of this store: the only path for a caller with this device's own key, and for no other
)
SUBPROTOCOL = Subprotocol(f"edda.{PROTOCOL_VERSION}")

# websockets logs every failed handshake as an error with a traceback; here, a stranger's call is nothing special.
_QUIET = logging.getLogger("edda_sync.transport.websockets")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_QUIET.setLevel(logging.CRITICAL)

# What the peer did wrong, if we end the link with one of these codes.
_BROKEN_RULES = (
    CloseCode.PROTOCOL_ERROR,
    CloseCode.UNSUPPORTED_DATA,
    CloseCode.INVALID_DATA,
    CloseCode.MESSAGE_TOO_BIG,
)

# What an end without a reason of ours means to a person, by its code.
_CODES: Mapping[int, str] = {
    CloseCode.ABNORMAL_CLOSURE: "it broke; it is called again",
    CloseCode.INTERNAL_ERROR: "one of the two failed, which is a bug; what `edda up` logs there says more",
    CloseCode.POLICY_VIOLATION: told_there(Reason.NO_LONGER),
}

BOTH_ENDS: dict[str, Any] = {
    "subprotocols": [SUBPROTOCOL],
    "compression": None,  # batches are already compressed, and a compressed message can expand without limit
    "max_size": FRAME_BYTES_MAX,
    "max_queue": LINK_FRAMES_QUEUED_MAX,
    "ping_interval": None,  # see Link._watch
    "close_timeout": CLOSE_TIMEOUT_S,
    "ssl_shutdown_timeout": CLOSE_TIMEOUT_S,
    "logger": _QUIET,
}


class _Hearing(Connection):
    """
    A connection that notes what is known of its network.

    Attributes:
        heard_s: When the peer last sent anything, even a part of a frame, in the loop's seconds.
        has_stalled: Whether it ended because sent bytes were not acknowledged in time.
    """

    heard_s = 0.0
    has_stalled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.heard_s = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.heard_s = self.loop.time()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_stalled = isinstance(exc, TimeoutError)
        super().connection_lost(exc)


class Calling(_Hearing, ClientConnection):
    """The connection of the side that dialled."""


class Called(_Hearing, ServerConnection):
    """The connection of the side that listened."""


class Link:
    """
    An open connection to a proved peer; ``dial`` and ``listener`` make it.

    Iterate over it for the arriving frames, in one task only, and without long pauses: a link whose frames wait for two ping
    intervals is considered dead, and closed. The iteration ends when either side has said goodbye.

    Attributes:
        peer: The id of the other device, as proved by the handshake.
        address: Its address, ``HOST:PORT``, for a person.
        dialled: Whether this side dialled.
        clock_s: By how many seconds the peer's clock was ahead of this one's; None if it did not say its time.
    """

    def __init__(self, connection: Connection, peer: str, address: str, *, dialled: bool) -> None:
        assert isinstance(connection, _Hearing), "the calls below make no other"
        self.peer, self.address, self.dialled = peer, address, dialled
        handshake = connection.response if dialled else connection.request
        self.clock_s = None if handshake is None else ahead_s(handshake.headers)
        self._connection: _Hearing = connection
        self._closing = False
        self._said: Reason | None = None  # why this side ended it, if it did
        self._watching = asyncio.create_task(self._watch())  # ends with the connection

    def send_now(self, frame: bytes) -> bool:
        """Send a frame, if the link is open and no other frame waits; tell whether it was sent."""
        connection = self._connection
        if len(frame) > FRAME_BYTES_MAX or connection.state is not State.OPEN:
            return False  # :meth:`send` raises the reason
        if connection.transport.get_write_buffer_size():
            return False
        connection.protocol.send_binary(frame)
        connection.send_data()
        return True

    async def send(self, frame: bytes) -> None:
        """
        Send a frame; return when there is room for the next one.

        Args:
            frame: At most ``FRAME_BYTES_MAX`` bytes.

        Raises:
            LimitError: The frame is larger; nothing was sent.
            RemoteError: The link has ended. Only the peer's acknowledgements say whether earlier frames arrived.
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
        Return the next frame.

        Raises:
            StopAsyncIteration: Either side said goodbye.
            RemoteProtocolError: The peer broke the protocol: a frame that is too large, a text frame, or no WebSocket frame.
            NotAMemberError: One of the two is no longer a member.
            LinkClosedError: The link broke.
        """
        try:
            frame = await self._connection.recv()
            while self._closing:  # frames that arrive after our goodbye are dropped
                frame = await self._connection.recv()
        except ConnectionClosed as closed:
            ended = self._ended(closed)
            unanswered = self._closing and isinstance(ended, LinkClosedError)  # our goodbye counts without an answer
            if unanswered or isinstance(closed, ConnectionClosedOK):
                raise StopAsyncIteration from None
            raise ended from closed
        if isinstance(frame, str):
            await self.end(CloseCode.UNSUPPORTED_DATA, Reason.TEXT)
            raise RemoteProtocolError("text where bytes are due", self.peer)
        return frame

    async def close(self, reason: Reason = Reason.DONE) -> None:
        """Say goodbye and close the socket, for a reason; nothing happens if the link has already ended."""
        await self.end(CloseCode.NORMAL_CLOSURE, reason)

    @property
    def reason(self) -> str:
        """The reason why the link was closed, as given by the side that closed it; empty while it is open."""
        return self._connection.close_reason or ""

    @property
    def has_stalled(self) -> bool:
        """Whether the link ended because bytes that were sent were not acknowledged in time."""
        return self._connection.has_stalled

    @property
    def ending(self) -> str:
        """How the link ended, and what there is to do, in a few words for a person."""
        if self._said is not None:
            return told_here(self._said)
        if self.has_stalled:
            return "what was sent did not arrive; it is called again"
        code = self._connection.close_code
        if code in _BROKEN_RULES and self.reason != Reason.TEXT:
            return "one of the two sent what the other cannot read; update the older edda of the two"
        return _CODES.get(code or 0) or told_there(self.reason)

    async def probe(self, timeout_s: float) -> bool:
        """
        Tell whether the peer answers a ping. Ask after a sleep or a change of network, and close the link if it does not.

        Args:
            timeout_s: The time limit in seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._connection.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    async def _watch(self) -> None:
        """
        Ping the peer at each interval; drop the link when nothing has come from it for two intervals.

        Any byte counts, because on a slow network an answer may wait for minutes behind the frames before it.
        """
        connection, now = self._connection, asyncio.get_running_loop().time
        ended = asyncio.ensure_future(connection.wait_closed())
        while (left_s := connection.heard_s + 2 * PING_INTERVAL_S - now()) > 0:
            await asyncio.wait([ended], timeout=min(left_s, PING_INTERVAL_S))
            if ended.done():
                return
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):  # a frame that waits for room blocks it
                    await connection.ping()
        self._said = self._said or Reason.SILENT
        connection.transport.abort()

    async def end(self, code: CloseCode, reason: Reason) -> None:
        """Close with this code of RFC 6455; :meth:`close` is for an ordinary goodbye."""
        if (
            self._connection.state is State.OPEN
        ):  # otherwise the peer was first, and what it said before is still to be read
            self._closing = True
            if reason is not Reason.DONE:  # the peer may have said more than that
                self._said = self._said or reason
        try:
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await self._connection.close(code, reason.value)
        except TimeoutError:  # the goodbye waits behind frames that the peer does not read
            self._connection.transport.abort()
            await self._connection.wait_closed()

    def _ended(self, closed: ConnectionClosed) -> RemoteError:
        """Return the error for the end of a link; the first of the two close frames says whose fault it was."""
        ours = closed.sent is not None and not closed.rcvd_then_sent
        first = closed.sent if ours else closed.rcvd
        if first is None:
            return LinkClosedError(self.peer, self.ending)
        if first.code == CloseCode.POLICY_VIOLATION:
            return NotAMemberError(self.peer, by_peer=not ours)
        if ours and first.code in _BROKEN_RULES:
            return RemoteProtocolError(first.reason, self.peer)
        return LinkClosedError(self.peer, self.ending)
