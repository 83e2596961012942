"""
A stream of whole frames on one TLS connection, on which only the inviter shows a certificate.

Before each frame comes its length: four bytes, big-endian.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.transport.sockets import connected
from edda_sync.transport.tls import unverified
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import NotReachableError, PairingError, RemoteProtocolError
from edda_sync.words.limits import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, PACKET_BYTES_SMALL, PAIRING_FRAME_BYTES_MAX

HEAD_BYTES = 4


class Stream:
    """A TLS connection that carries frames. When the connection fails, an ``OSError`` is raised."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def host(self) -> str:
        """The address of the other end, without a port; ``::`` if it had gone before anybody asked."""
        name: tuple[str, ...] | None = self._writer.get_extra_info("peername")
        return name[0] if name else "::"

    @property
    def number(self) -> int:
        """The file descriptor of its socket; -1 if that is closed."""
        number: int = self._writer.get_extra_info("socket").fileno()
        return number

    async def send(self, frame: bytes) -> None:
        """Send a frame, and wait until there is room for the next one."""
        self._writer.write(len(frame).to_bytes(HEAD_BYTES, "big") + frame)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await self._writer.drain()

    async def receive(self, timeout_s: float) -> bytes:
        """
        Return the next frame.

        Args:
            timeout_s: The time limit in seconds for the whole frame.

        Raises:
            OSError: The connection ended, or the frame did not come in time.
            RemoteProtocolError: The frame is larger than ``PAIRING_FRAME_BYTES_MAX``.
        """
        try:
            async with asyncio.timeout(timeout_s):
                size = int.from_bytes(await self._reader.readexactly(HEAD_BYTES), "big")
                if size > PAIRING_FRAME_BYTES_MAX:
                    raise RemoteProtocolError(f"a pairing frame of {size:,} bytes")
                return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the connection ended") from error

    async def close(self, goodbye: bytes | None = None) -> None:
        """Send a last frame, if there is one, and close the connection, which may already have ended."""
        with contextlib.suppress(OSError):
            if goodbye is not None:
                await self.send(goodbye)
            self._writer.close()
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
            return
        with contextlib.suppress(AttributeError):  # CPython up to 3.11.3 raises it if the link is lost
            self._writer.transport.abort()


async def dial(host: str, port: int) -> tuple[Stream, bytes]:
    """Return a stream to an inviter, and the inviter's certificate."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            # A welcome of some KB must get through at once, on whatever network.
            stream = await connected(host, port, PACKET_BYTES_SMALL)
            reader, writer = await asyncio.open_connection(
                sock=stream, ssl=unverified(), server_hostname="", ssl_shutdown_timeout=CLOSE_TIMEOUT_S
            )
    except (ConnectionError, ssl.SSLError) as error:
        raise PairingError(SENTENCES["closed"]) from error
    except OSError as error:
        raise NotReachableError(host_port(host, port), error.strerror or "no answer in time", invites=True) from error
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert certificate is not None, "without one there is no handshake, since a TLS 1.3 server must show it"
    return Stream(reader, writer), certificate
