"""
Pairing: a new device joins over the LAN with a code that one person reads to another, and no server.

A code is ``NN-DDDD-DDDD``. The first two digits are announced in clear, so that a joiner finds the right inviter among
several; the other eight are the secret. What is said, and against whom it holds, is in ``handshake``; here are codes,
and the two ends of the TLS connection with no logic of their own: :func:`invite` and :func:`join`.

On the stream each frame follows its length, four bytes, big-endian.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from edda_sync.transport.handshake import SENTENCES, Inviter, Joiner, Send, State, Verified, Welcomed, refusal
from edda_sync.transport.identity import Identity, load_into
from edda_sync.words.errors import (
    InvalidValueError,
    NotReachableError,
    PairingError,
    RemoteError,
    RemoteProtocolError,
    UsageError,
)
from edda_sync.words.limits import (
    CLOSE_TIMEOUT_S,
    LINKS_UNPROVED_MAX,
    OPEN_TIMEOUT_S,
    PAIRING_ANSWER_S,
    PAIRING_FRAME_BYTES_MAX,
    PAIRING_REPLY_TIMEOUT_S,
    PAIRING_WINDOW_S,
)

NAMEPLATE_DIGITS = 2
SECRET_DIGITS = 8
HEAD_BYTES = 4

Admit = Callable[[bytes], Awaitable[bytes]]


# --- codes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Code:
    """What a person reads out: where to knock, and what proves that it is they."""

    nameplate: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.nameplate}-{self.secret[:4]}-{self.secret[4:]}"

    def password(self) -> bytes:
        """What SPAKE2 takes."""
        return (self.nameplate + self.secret).encode("ascii")


def make_code(random_bytes: Callable[[int], bytes]) -> str:
    """
    A new code, ``NN-DDDD-DDDD``; show it, and pass it to :func:`invite`.

    Args:
        random_bytes: A secure source: takes a count and returns that many bytes.
    """
    digits = NAMEPLATE_DIGITS + SECRET_DIGITS
    number = int.from_bytes(random_bytes(16), "big") % 10**digits  # 128 bits for 34: the bias is below 2^-94
    return str(parse_code(f"{number:0{digits}d}"))


def parse_code(text: str) -> Code:
    """
    Read a code as people type it: with spaces and dashes of any kind, or none, and in the digits of any script.

    Raises:
        InvalidValueError: These are not ten digits.
    """
    kept = [character for character in text if unicodedata.category(character) not in ("Pd", "Zs", "Cc", "Cf")]
    digits = "".join(str(unicodedata.decimal(character, "?")) for character in kept)
    if len(digits) != NAMEPLATE_DIGITS + SECRET_DIGITS or "?" in digits:
        raise InvalidValueError("code", "must be ten digits, like 12-3456-7890")
    return Code(digits[:NAMEPLATE_DIGITS], digits[NAMEPLATE_DIGITS:])


# --- the two ends -----------------------------------------------------------------------------------------------------


async def invite(
    identity: Identity,
    code: str,
    admit: Admit,
    *,
    host: str | None = None,
    port: int = 0,
    opened: Callable[[int], None],
    window_s: float = PAIRING_WINDOW_S,
) -> bytes:
    """
    Let one device in: open a listener, hear who knocks, one after another, and close it again.

    Args:
        identity: This device; its certificate is what the code vouches for.
        code: What :func:`make_code` made.
        admit: Called once with the record of a device that knew the code; makes it a member and returns its welcome.
            What it raises is raised here, and the joiner goes away empty-handed.
        host: Address to listen at; every address of this machine when None.
        port: Port to listen at; any free one when 0.
        opened: Called once with the port, when it is open: announce it and show the code.
        window_s: How long the code is good for, in seconds.

    Returns:
        The record of the device that is now a member and has its welcome.

    Raises:
        PairingError: Somebody knew the wrong code, nobody came in time, or the joiner was lost; make a new code.
        UsageError: The port cannot be opened.
    """
    loop = asyncio.get_running_loop()
    password = parse_code(code).password()
    inviter = Inviter(password, identity.certificate, secrets.token_bytes, now=loop.time(), window_s=window_s)
    door = _Door(inviter)
    server = await asyncio.start_server(
        door.knocked,
        sock=_listening(host, port),
        ssl=_context(identity),
        ssl_handshake_timeout=OPEN_TIMEOUT_S,
        ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
    )
    try:
        opened(server.sockets[0].getsockname()[1])
        link, record = await door.first_proved(window_s)
        await _let_in(inviter, link, await admit(record))
        return record
    finally:
        server.close()
        await door.close()


async def join(code: str, record: bytes, host: str, port: int) -> bytes:
    """
    Be let in by a device that invites, and tell it that the welcome has arrived.

    Args:
        code: What a person typed.
        record: Who this device is, for ``admit`` at the other end.
        host: Where the inviter listens, as discovery or a person says.
        port: The same.

    Returns:
        The welcome: what ``admit`` returned there.

    Raises:
        InvalidValueError: That cannot be a code; nobody was asked.
        PairingError: The code was wrong, used or expired, no invitation is open there, or the inviter was lost.
        NotReachableError: Nobody answered there.
        RemoteProtocolError: Whoever answered broke the protocol.
        RemoteMismatchError: The inviter speaks another version.
    """
    password = parse_code(code).password()
    link, certificate = await _dialled(host, port)
    joiner = Joiner(password, record, certificate, secrets.token_bytes)
    effects = joiner.start()
    try:
        while True:
            for effect in effects:
                if isinstance(effect, Send):
                    await link.send(effect.frame)
                elif isinstance(effect, Welcomed):
                    return effect.welcome
            # Once both have proved themselves, the inviter's person or disk may take its time.
            patience_s = PAIRING_WINDOW_S if joiner.state is State.ADMITTED else PAIRING_REPLY_TIMEOUT_S
            effects = joiner.receive(await link.receive(patience_s))
    except OSError as error:
        raise PairingError(SENTENCES["closed" if joiner.state is State.ASKED else "broken"]) from error
    finally:
        await link.close()


# --- the listener -----------------------------------------------------------------------------------------------------


class _Door:
    """Who knocks waits in line; the first that proves itself is handed over, or a wrong guess ends it all."""

    def __init__(self, inviter: Inviter) -> None:
        self._inviter = inviter
        self._turn = asyncio.Lock()
        self._waiting: dict[_Link, asyncio.Task[None]] = {}
        self._proved: asyncio.Future[tuple[_Link, bytes]] = asyncio.get_running_loop().create_future()

    def knocked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a new connection, as ``start_server`` hands it over."""
        if len(self._waiting) >= LINKS_UNPROVED_MAX:
            writer.transport.abort()
            return
        link = _Link(reader, writer)
        self._waiting[link] = asyncio.create_task(self._hear(link))

    async def first_proved(self, window_s: float) -> tuple[_Link, bytes]:
        await asyncio.wait({self._proved}, timeout=window_s)
        if not self._proved.done():
            self._inviter.time_up()
            if self._inviter.state is State.EXPIRED:
                raise PairingError(SENTENCES["expired"])
        return await self._proved

    async def close(self) -> None:
        """Let go of the one that proved itself, and tell those who still wait why they are turned away."""
        if self._proved.done() and not self._proved.cancelled() and self._proved.exception() is None:
            await self._proved.result()[0].close()
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ends = {
            State.EXPIRED: SENTENCES["expired"],
            State.OPEN: SENTENCES["closed"],
            State.ANSWERED: SENTENCES["closed"],
        }
        goodbye = refusal(PairingError(ends.get(self._inviter.state, SENTENCES["used"])))
        await asyncio.gather(*(link.close(goodbye) for link in self._waiting))

    async def _hear(self, link: _Link) -> None:
        goodbye = None
        try:
            hello = await link.receive(OPEN_TIMEOUT_S)  # who says nothing has not begun, and holds nobody up
            async with self._turn:
                if self._proved.done():
                    raise PairingError(SENTENCES["used"])
                record = await self._attempt(link, hello)
            self._waiting.pop(link)
            self._proved.set_result((link, record))
            return
        except PairingError as error:
            goodbye = refusal(error)
            if not self._proved.done():
                self._proved.set_exception(error)
        except (OSError, RemoteError):
            pass  # this connection's end only: the code had not been tried
        self._waiting.pop(link)
        await link.close(goodbye)

    async def _attempt(self, link: _Link, hello: bytes) -> bytes:
        try:
            await self._step(link, hello)
            return await self._step(link, await link.receive(OPEN_TIMEOUT_S))
        except (OSError, RemoteError) as error:
            self._inviter.dropped()
            if self._inviter.state is State.SPENT:
                raise PairingError(SENTENCES["broken"]) from error
            raise

    async def _step(self, link: _Link, frame: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        due = loop.time() + PAIRING_ANSWER_S
        try:
            effects = self._inviter.receive(frame, loop.time())
        finally:
            await asyncio.sleep(due - loop.time())
        record = b""
        for effect in effects:
            if isinstance(effect, Send):
                await link.send(effect.frame)
            elif isinstance(effect, Verified):
                record = effect.record
        return record


async def _let_in(inviter: Inviter, link: _Link, welcome: bytes) -> None:
    effects = inviter.welcome(welcome)
    try:
        for effect in effects:
            if isinstance(effect, Send):
                await link.send(effect.frame)
        inviter.receive(await link.receive(OPEN_TIMEOUT_S), asyncio.get_running_loop().time())
    except (OSError, RemoteError) as error:
        inviter.dropped()
        raise PairingError(SENTENCES["broken"]) from error


# --- the stream -------------------------------------------------------------------------------------------------------


class _Link:
    """One TLS connection that carries frames; whatever goes wrong with it is an ``OSError``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, frame: bytes) -> None:
        self._writer.write(len(frame).to_bytes(HEAD_BYTES, "big") + frame)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await self._writer.drain()

    async def receive(self, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                size = int.from_bytes(await self._reader.readexactly(HEAD_BYTES), "big")
                if size > PAIRING_FRAME_BYTES_MAX:
                    raise RemoteProtocolError(f"a pairing frame of {size:,} bytes")
                return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the connection ended") from error

    async def close(self, goodbye: bytes | None = None) -> None:
        with contextlib.suppress(OSError):
            if goodbye is not None:
                await self.send(goodbye)
            self._writer.close()
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
            return
        with contextlib.suppress(AttributeError):  # CPython up to 3.11.3: a link that is lost has nothing to abort
            self._writer.transport.abort()


def _context(identity: Identity | None) -> ssl.SSLContext:
    """TLS 1.3 in which only the inviter shows a certificate; None is the joiner, and the handshake says what it saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if identity is None else ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        context.num_tickets = 0
        load_into(context, identity)
    return context


def _listening(host: str | None, port: int) -> socket.socket:
    """One listening socket, so that IPv4 and IPv6 have the same port."""
    try:
        if host is None and socket.has_dualstack_ipv6():
            with contextlib.suppress(OSError):  # no IPv6 here after all; a port that is taken fails below as well
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        family = socket.AF_INET6 if host is not None and ":" in host else socket.AF_INET
        return socket.create_server((host or "", port), family=family)
    except OSError as error:
        raise UsageError(f"Port {port} cannot be opened ({error.strerror}); choose another.") from error


async def _dialled(host: str, port: int) -> tuple[_Link, bytes]:
    """Connect, and return the link and the certificate that the other end showed."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=_context(None), server_hostname="", ssl_shutdown_timeout=CLOSE_TIMEOUT_S
            )
    except (ConnectionError, ssl.SSLError) as error:
        raise PairingError(SENTENCES["closed"]) from error
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise NotReachableError(place, error.strerror or "no answer in time", invites=True) from error
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert certificate is not None, "without one there is no handshake, since a TLS 1.3 server must show it"
    return _Link(reader, writer), certificate
