from __future__ import annotations

import asyncio

import pytest

from edda_sync.transport.pairing import joiner
from edda_sync.transport.pairing.ends import join
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.words.limits import CALLERS_OF_A_NETWORK_MAX
from tests.transport.pairing.inviting import (
    CODE,
    HOST,
    RECORD,
    failed_inviting,
    failed_joining,
    inviting,
    sentence,
    trusting,
)


async def test_one_of_two_devices_with_the_code_is_let_in_and_the_other_hears_that_it_was_used() -> None:
    admitting = asyncio.Event()

    async def admit(record: bytes) -> bytes:
        await admitting.wait()
        return record

    async with inviting(admit) as invitation:
        first, second = (asyncio.create_task(join(CODE, record, HOST, invitation.port)) for record in (b"one", b"two"))
        (loser,), _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        admitting.set()
        winner = first if loser is second else second
        assert [(await winner)[0]] == invitation.asked == invitation.admitted == [await invitation.task]
        assert sentence(loser.exception() or AssertionError()) == SENTENCES["used"]


async def test_a_silent_connection_does_not_spend_the_code_and_delays_nobody() -> None:
    async with inviting() as invitation:
        silent = [await asyncio.open_connection(HOST, invitation.port) for _ in range(3)]
        silent_tls = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        try:
            assert await join(CODE, RECORD, HOST, invitation.port) == (b"welcome, laptop", b"come in, laptop")
            assert await invitation.task == RECORD
        finally:
            for _, writer in (*silent, silent_tls):
                writer.transport.abort()


async def test_a_silent_connection_is_closed_after_a_while_and_the_code_stays_open() -> None:
    async with inviting() as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        assert await reader.read() == b""  # after OPEN_TIMEOUT_S
        writer.transport.abort()
        assert await join(CODE, RECORD, HOST, invitation.port) == (b"welcome, laptop", b"come in, laptop")


@pytest.mark.parametrize("said", [b"\0\0\0\x01\xc0", b"\0\1\0\1", b"\0\0"], ids=["garbage", "too long", "cut short"])
async def test_a_connection_that_talks_nonsense_is_closed_and_does_not_spend_the_code(said: bytes) -> None:
    async with inviting() as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        writer.write(said)
        if said == b"\0\0":
            writer.transport.abort()
        else:
            assert await reader.read() == b""
            writer.transport.abort()
        assert await join(CODE, RECORD, HOST, invitation.port) == (b"welcome, laptop", b"come in, laptop")


async def test_a_caller_that_waits_in_line_when_the_window_passes_hears_that_the_code_has_expired() -> None:
    async with inviting(window_s=0.5) as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        goodbye = await reader.read()
        writer.transport.abort()
        assert goodbye.endswith(b"\xa7expired")
        assert await failed_inviting(invitation) == SENTENCES["expired"]


async def test_taking_an_invitation_back_tells_the_waiting_callers() -> None:
    async with inviting() as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        writer.write(b"\0")  # inside TLS, so that the connection is in line and not in its handshake
        await writer.drain()
        invitation.task.cancel()
        goodbye = await reader.read()
        writer.transport.abort()
        assert goodbye == b"" or goodbye.endswith(b"\xa6closed")
        with pytest.raises(asyncio.CancelledError):
            await invitation.task


async def test_of_too_many_callers_in_line_the_first_is_hung_up_on() -> None:
    async with inviting() as invitation:
        opened = [
            await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
            for _ in range(CALLERS_OF_A_NETWORK_MAX + 1)
        ]
        try:
            reads = [asyncio.create_task(reader.read()) for reader, _ in opened]
            done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            assert [reads.index(task) for task in done] == [0]
        finally:
            for task in reads:
                task.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
            for _, writer in opened:
                writer.transport.abort()


async def test_a_joiner_of_another_version_hears_so_and_the_code_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async with inviting() as invitation:
        with monkeypatch.context() as patch:
            patch.setattr(joiner, "PAIRING_VERSION", 3)
            assert await failed_joining(CODE, invitation.port) == SENTENCES["version"]
        assert await join(CODE, RECORD, HOST, invitation.port) == (b"welcome, laptop", b"come in, laptop")
