"""
The two ends of pairing on the LAN, with a code that one person reads to another, and without a server.

:func:`invite` and :func:`join` hold the TLS connection, and have no logic of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from edda_sync.transport.doorway import Doorway
from edda_sync.transport.identity import Identity
from edda_sync.transport.pairing.code import parse_code
from edda_sync.transport.pairing.frames import SENTENCES, Reason
from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.joiner import Joiner
from edda_sync.transport.pairing.machine import Effect, Entered, Send, State
from edda_sync.transport.pairing.queue import Queue
from edda_sync.transport.pairing.stream import Stream, dial
from edda_sync.transport.sockets import limit_packets, listening
from edda_sync.transport.tls import showing
from edda_sync.words.errors import PairingError, RemoteError
from edda_sync.words.limits import (
    CALLERS_QUEUED_MAX,
    CLOSE_TIMEOUT_S,
    OPEN_TIMEOUT_S,
    PACKET_BYTES_SMALL,
    PAIRING_REPLY_TIMEOUT_S,
    PAIRING_WINDOW_S,
)

Answer = Callable[[bytes], Awaitable[bytes]]


async def invite(
    identity: Identity,
    code: str,
    offer: Answer,
    admit: Answer,
    *,
    host: str | None = None,
    port: int = 0,
    opened: Callable[[int], None],
    window_s: float = PAIRING_WINDOW_S,
) -> bytes:
    """
    Invite one device: open a port, hear the callers one after another, and close the port again.

    Args:
        identity: The inviting device; the code vouches for its certificate.
        code: The code from :func:`make_code`.
        offer: Called once with the record of a device that knew the code; returns its welcome, without any secret. Its error
            is raised here, and the joiner gets nothing.
        admit: Called with the same record once the device has confirmed the welcome; makes it a member, and returns the rest
            that it needs. Its error is raised here, and the joiner cannot know whether it was let in.
        host: Address to listen on; None for all addresses of this machine.
        port: Port to listen on; 0 for any free one.
        opened: Called once with the port, when it is open: announce it and show the code.
        window_s: How long the code is valid, in seconds.

    Returns:
        The record of the device that is a member now. It had confirmed its welcome; if it was lost after that, it becomes a
        member again, and no second one, with a new code.

    Raises:
        PairingError: A caller had a wrong code, nobody came in time, or the joiner was lost; make a new code.
        UsageError: The port cannot be opened.
    """
    loop = asyncio.get_running_loop()
    password = parse_code(code).password()
    inviter = Inviter(password, identity.certificate, secrets.token_bytes, now=loop.time(), window_s=window_s)
    doorway = Doorway()
    queue = Queue(inviter, doorway)
    held = await listening(host, port)
    limit_packets(held, PACKET_BYTES_SMALL)
    server = await asyncio.start_server(
        queue.called,
        sock=doorway.door(held),
        backlog=CALLERS_QUEUED_MAX,
        ssl=showing(identity),
        ssl_handshake_timeout=OPEN_TIMEOUT_S,
        ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
    )
    try:
        opened(server.sockets[0].getsockname()[1])
        stream, record = await queue.first_proved(window_s)
        await _confirmed(inviter, stream, await offer(record))
        await _let_in(inviter, stream, record, admit)
        return record
    finally:
        server.close()
        held.close()
        await queue.close()
        await doorway.clear()


async def join(code: str, record: bytes, host: str, port: int) -> tuple[bytes, bytes]:
    """
    Join the workspace of an inviting device.

    Args:
        code: The code, as a person typed it.
        record: This device's record, for ``offer`` and ``admit`` at the other end.
        host: The inviter's address, from discovery or a person.
        port: The inviter's port.

    Returns:
        What ``offer`` and ``admit`` returned there.

    Raises:
        InvalidValueError: The code has a wrong form; no device was asked.
        PairingError: The code was wrong, used or expired, no invitation is open there, or the inviter was lost.
        NotReachableError: Nothing answered there.
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
                elif isinstance(effect, Entered):
                    return effect.welcome, effect.admission
            # Once both have proved themselves, the inviter's person or disk may take a while.
            is_trusted = joiner.state in (State.KNOWN, State.HOLDING)
            patience_s = PAIRING_WINDOW_S if is_trusted else PAIRING_REPLY_TIMEOUT_S
            effects = joiner.receive(await stream.receive(patience_s))
    except OSError as error:
        raise PairingError(SENTENCES[_LOST_WHEN.get(joiner.state, "broken")]) from error
    finally:
        await stream.close()


_LOST_WHEN: Final[Mapping[State, Reason]] = {State.ASKED: "closed", State.HOLDING: "unsure"}


async def _confirmed(inviter: Inviter, stream: Stream, welcome: bytes) -> None:
    """Send the welcome, and wait until the joiner has it."""
    effects = inviter.welcome(welcome)
    try:
        await _send(stream, effects)
        inviter.receive(await stream.receive(OPEN_TIMEOUT_S), asyncio.get_running_loop().time())
    except (OSError, RemoteError) as error:
        inviter.dropped()
        raise PairingError(SENTENCES["broken"]) from error


async def _let_in(inviter: Inviter, stream: Stream, record: bytes, admit: Answer) -> None:
    """Make the joiner a member, and tell it. If that does not reach it any more, it asks again with a new code."""
    try:
        admission = await admit(record)
    except BaseException:
        inviter.dropped()
        raise
    with contextlib.suppress(OSError):
        await _send(stream, inviter.admitted(admission))


async def _send(stream: Stream, effects: Iterable[Effect]) -> None:
    for effect in effects:
        if isinstance(effect, Send):
            await stream.send(effect.frame)
