from __future__ import annotations

import asyncio
import socket

import pytest

from edda_sync.transport.identity import Identity
from edda_sync.transport.pairing.ends import join
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.words.errors import (
    NotReachableError,
    RemoteProtocolError,
)
from edda_sync.words.limits import PAIRING_FRAME_BYTES_MAX
from tests.transport.pairing.inviting import CODE, HOST, RECORD, failed_joining, server_context


async def test_joining_at_an_address_without_a_listener_says_that_no_invitation_is_open() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    assert await failed_joining(CODE, port) == SENTENCES["closed"]


async def test_joining_at_another_service_says_that_it_is_no_invitation() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, HOST, 0)
    try:
        assert await failed_joining(CODE, server.sockets[0].getsockname()[1]) == SENTENCES["closed"]
    finally:
        server.close()


async def test_joining_at_a_name_that_does_not_exist_says_that_nobody_answered() -> None:
    with pytest.raises(NotReachableError) as caught:
        await join(CODE, RECORD, "no-such-host.invalid", 1)
    assert caught.value.address == "no-such-host.invalid:1"
    assert "is `edda invite` open there" in str(caught.value)
    assert "this did not use up the code" in str(caught.value)
    assert "edda up" not in str(caught.value)


async def test_an_inviter_that_sends_an_oversize_frame_broke_the_protocol() -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((PAIRING_FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, HOST, 0, ssl=server_context(Identity.create()))
    try:
        with pytest.raises(RemoteProtocolError, match=f"{PAIRING_FRAME_BYTES_MAX + 1:,} bytes"):
            await join(CODE, RECORD, HOST, server.sockets[0].getsockname()[1])
    finally:
        server.close()
