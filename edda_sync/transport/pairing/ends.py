"""
The two ends of pairing over the LAN, with a code that one person reads to another, and no server.

They hold the TLS connection and no logic of their own: :func:`invite` and :func:`join`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from edda_sync.transport.identity import Identity
from edda_sync.transport.pairing.code import parse_code
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import Send, State, Welcomed
from edda_sync.transport.pairing.queue import Queue
from edda_sync.transport.pairing.stream import Stream, dial
from edda_sync.transport.sockets import listening
from edda_sync.transport.tls import showing
from edda_sync.words.errors import PairingError, RemoteError
from edda_sync.words.limits import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, PAIRING_REPLY_TIMEOUT_S, PAIRING_WINDOW_S

Admit = Callable[[bytes], Awaitable[bytes]]


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
    Let one device in: open a listener, hear the callers one after another, and close it again.

    Args:
        identity: This device; its certificate is what the code vouches for.
        code: What :func:`make_code` made.
        admit: Called once with the record of a device that knew the code; makes it a member and returns its welcome.
            An error that it raises is raised here, and the joiner gets nothing.
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
    queue = Queue(inviter)
    server = await asyncio.start_server(
        queue.called,
        sock=await listening(host, port),
        ssl=showing(identity),
        ssl_handshake_timeout=OPEN_TIMEOUT_S,
        ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
    )
    try:
        opened(server.sockets[0].getsockname()[1])
        stream, record = await queue.first_proved(window_s)
        await _let_in(inviter, stream, await admit(record))
        return record
    finally:
        server.close()
        await queue.close()


async def join(code: str, record: bytes, host: str, port: int) -> bytes:
    """
    Join the workspace of a device that invites, and confirm that the welcome has arrived.

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
        RemoteProtocolError: The device that answered broke the protocol.
        RemoteMismatchError: The inviter speaks another version.
    """
    password = parse_code(code).password()
    stream, certificate = await dial(host, port)
    joiner = Joiner(password, record, certificate, secrets.token_bytes)
    effects = joiner.start()
    try:
        while True:
            for effect in effects:
                if isinstance(effect, Send):
                    await stream.send(effect.frame)
                elif isinstance(effect, Welcomed):
                    return effect.welcome
            # Once both have proved themselves, the inviter's person or disk may take its time.
            patience_s = PAIRING_WINDOW_S if joiner.state is State.ADMITTED else PAIRING_REPLY_TIMEOUT_S
            effects = joiner.receive(await stream.receive(patience_s))
    except OSError as error:
        raise PairingError(SENTENCES["closed" if joiner.state is State.ASKED else "broken"]) from error
    finally:
        await stream.close()


async def _let_in(inviter: Inviter, stream: Stream, welcome: bytes) -> None:
    effects = inviter.welcome(welcome)
    try:
        for effect in effects:
            if isinstance(effect, Send):
                await stream.send(effect.frame)
        inviter.receive(await stream.receive(OPEN_TIMEOUT_S), asyncio.get_running_loop().time())
    except (OSError, RemoteError) as error:
        inviter.dropped()
        raise PairingError(SENTENCES["broken"]) from error
