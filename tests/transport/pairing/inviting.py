"""Helpers for tests of pairing over real TLS: an open invitation, and joiners that fail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from edda_sync.transport.identity import Identity, load_into
from edda_sync.transport.pairing.ends import invite, join
from edda_sync.words.errors import (
    PairingError,
)

HOST = "127.0.0.1"
CODE = "12-3456-7890"
WRONG = "12-3456-7891"
RECORD = b"laptop"
PATIENCE_S = 90.0  # far more than anything here takes, so that a hanging test ends


@dataclass
class Invitation:
    """A running :func:`invite`, its port, the records that asked to be let in, and those that were."""

    identity: Identity
    port: int
    asked: list[bytes]
    admitted: list[bytes]
    task: asyncio.Task[bytes]


@asynccontextmanager
async def inviting(
    offer: Callable[[bytes], Awaitable[bytes]] | None = None,
    window_s: float = 60.0,
    code: str = CODE,
    admit: Callable[[bytes], Awaitable[bytes]] | None = None,
) -> AsyncIterator[Invitation]:
    identity = Identity.create()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asked: list[bytes] = []
    admitted: list[bytes] = []

    async def noting(record: bytes) -> bytes:
        asked.append(record)
        return await offer(record) if offer else b"welcome, " + record

    async def admitting(record: bytes) -> bytes:
        admitted.append(record)
        return await admit(record) if admit else b"come in, " + record

    task = asyncio.create_task(
        invite(identity, code, noting, admitting, host=HOST, opened=port.set_result, window_s=window_s), name="invite"
    )
    async with asyncio.timeout(PATIENCE_S):
        either: set[asyncio.Future[Any]] = {task, port}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield Invitation(identity, await port, asked, admitted, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def sentence(error: BaseException) -> str:
    assert isinstance(error, PairingError)
    return error.reason


async def failed_joining(code: str, port: int) -> str:
    with pytest.raises(PairingError) as caught:
        await join(code, RECORD, HOST, port)
    return sentence(caught.value)


async def failed_inviting(invitation: Invitation) -> str:
    with pytest.raises(PairingError) as caught:
        await invitation.task
    return sentence(caught.value)


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, identity)
    return context
