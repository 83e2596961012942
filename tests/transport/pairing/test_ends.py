from __future__ import annotations

import asyncio
import socket
from typing import Literal

import pytest

from edda_sync.transport.identity import Identity
from edda_sync.transport.pairing.ends import invite, join
from edda_sync.transport.pairing.frames import SENTENCES, Reason
from edda_sync.words.errors import (
    InvalidValueError,
    StorageError,
    UsageError,
)
from tests.transport.pairing.inviting import (
    CODE,
    HOST,
    PATIENCE_S,
    RECORD,
    WRONG,
    failed_inviting,
    failed_joining,
    inviting,
    server_context,
    trusting,
)


async def test_a_device_that_knows_the_code_gets_the_welcome_made_for_its_record() -> None:
    async with inviting() as invitation:
        assert await join(CODE, RECORD, HOST, invitation.port) == (b"welcome, laptop", b"come in, laptop")
        assert await invitation.task == RECORD
        assert invitation.asked == invitation.admitted == [RECORD]


async def test_the_listener_is_closed_when_the_invitation_has_ended() -> None:
    async with inviting() as invitation:
        await join(CODE, RECORD, HOST, invitation.port)
        await invitation.task
        assert await failed_joining(CODE, invitation.port) == SENTENCES["closed"]


async def test_a_wrong_code_ends_the_invitation_and_both_people_hear_why() -> None:
    async with inviting() as invitation:
        assert await failed_joining(WRONG, invitation.port) == SENTENCES["wrong"]
        assert await failed_inviting(invitation) == SENTENCES["wrong"]
        assert invitation.asked == []
        assert await failed_joining(CODE, invitation.port) == SENTENCES["closed"]


async def test_several_invitations_and_joiners_at_once_do_not_mix() -> None:
    codes = [f"{index:02d}-0000-{index:04d}" for index in range(4)]

    async def pair(code: str) -> tuple[bytes, bytes]:
        async with inviting(code=code) as invitation:
            welcome = await join(code, code.encode(), HOST, invitation.port)
            assert await invitation.task == code.encode()
            return welcome

    assert await asyncio.gather(*map(pair, codes)) == [
        (b"welcome, " + code.encode(), b"come in, " + code.encode()) for code in codes
    ]


async def test_an_invitation_ends_when_its_window_passes_and_nobody_came() -> None:
    async with inviting(window_s=0.0) as invitation:
        assert await failed_inviting(invitation) == SENTENCES["expired"]


async def _fail(_: bytes) -> bytes:
    raise StorageError("the disk is gone")


@pytest.mark.parametrize(("failing", "reason"), [("offer", "broken"), ("admit", "unsure")])
async def test_an_error_while_somebody_is_let_in_comes_out_and_the_joiner_is_told_what_it_can_know(
    failing: Literal["offer", "admit"], reason: Reason
) -> None:
    async with inviting(_fail) if failing == "offer" else inviting(admit=_fail) as invitation:
        assert await failed_joining(CODE, invitation.port) == SENTENCES[reason]
        with pytest.raises(StorageError, match="the disk is gone"):
            await invitation.task


async def test_a_joiner_that_is_lost_before_its_receipt_fails_the_invitation_and_is_not_let_in() -> None:
    joining: list[asyncio.Task[tuple[bytes, bytes]]] = []

    async def offer(record: bytes) -> bytes:
        joining[0].cancel()
        await asyncio.wait(joining)
        return record

    async with inviting(offer) as invitation:
        joining.append(asyncio.create_task(join(CODE, RECORD, HOST, invitation.port)))
        assert await failed_inviting(invitation) == SENTENCES["broken"]
        assert invitation.asked == [RECORD]
        assert invitation.admitted == []


async def test_a_joiner_that_is_lost_after_its_receipt_was_let_in_and_the_invitation_says_so() -> None:
    joining: list[asyncio.Task[tuple[bytes, bytes]]] = []

    async def admit(record: bytes) -> bytes:
        joining[0].cancel()
        await asyncio.wait(joining)
        return record

    async with inviting(admit=admit) as invitation:
        joining.append(asyncio.create_task(join(CODE, RECORD, HOST, invitation.port)))
        assert await invitation.task == RECORD
        assert invitation.admitted == [RECORD]


async def test_a_joiner_whose_inviter_is_lost_after_its_receipt_cannot_know_whether_it_was_let_in() -> None:
    inviter: list[asyncio.Task[bytes]] = []

    async def admit(record: bytes) -> bytes:
        inviter[0].cancel()
        await asyncio.Event().wait()
        return record

    async with inviting(admit=admit) as invitation:
        inviter.append(invitation.task)
        assert await failed_joining(CODE, invitation.port) == SENTENCES["unsure"]


async def test_somebody_in_the_middle_who_ends_tls_with_his_own_certificate_learns_nothing() -> None:
    middle = Identity.create()
    async with inviting() as invitation:
        seen: list[bytes] = []

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inward = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
            try:
                await asyncio.gather(copy(reader, inward[1], seen), copy(inward[0], writer, seen))
            finally:
                inward[1].transport.abort()
                writer.transport.abort()

        server = await asyncio.start_server(relay, HOST, 0, ssl=server_context(middle))
        try:
            assert await failed_joining(CODE, server.sockets[0].getsockname()[1]) == SENTENCES["wrong"]
            assert await failed_inviting(invitation) == SENTENCES["wrong"]
        finally:
            server.close()
        assert invitation.asked == []
        assert RECORD not in b"".join(seen)
        assert seen


async def test_an_invalid_code_contacts_nobody() -> None:
    with pytest.raises(InvalidValueError):
        await join("12-34", RECORD, HOST, 1)


async def test_a_port_in_use_is_for_the_caller_to_change() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} is in use"):
            await invite(Identity.create(), CODE, same, same, host=HOST, port=port, opened=lambda _: None)


async def test_without_a_host_ipv4_and_ipv6_share_one_port() -> None:
    for host in ("127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])):
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(invite(Identity.create(), CODE, same, same, opened=port.set_result))
        async with asyncio.timeout(PATIENCE_S):
            assert await join(CODE, RECORD, host, await port) == (RECORD, RECORD)
            await task


async def same(record: bytes) -> bytes:
    return record


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]) -> None:
    while data := await reader.read(4096):
        seen.append(data)
        writer.write(data)
