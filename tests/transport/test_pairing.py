from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.transport.handshake import SENTENCES
from edda_sync.transport.identity import Identity, load_into
from edda_sync.transport.pairing import Code, invite, join, make_code, parse_code
from edda_sync.words.errors import (
    InvalidValueError,
    NotReachableError,
    PairingError,
    RemoteProtocolError,
    StorageError,
    UsageError,
)
from edda_sync.words.limits import LINKS_UNPROVED_MAX, PAIRING_FRAME_BYTES_MAX

HOST = "127.0.0.1"
CODE = "12-3456-7890"
WRONG = "12-3456-7891"
RECORD = b"laptop"
PATIENCE_S = 20.0  # far above what anything here takes: a test that hangs ends


# --- codes ------------------------------------------------------------------------------------------------------------


def test_a_code_is_two_digits_and_twice_four() -> None:
    code = make_code(secrets.token_bytes)
    assert [len(part) for part in code.split("-")] == [2, 4, 4]
    assert code.replace("-", "").isdecimal()


@given(st.binary(min_size=16, max_size=16))
def test_every_code_that_is_made_reads_back(drawn: bytes) -> None:
    code = make_code(lambda count: drawn[:count])
    assert str(parse_code(code)) == code
    assert code.replace("-", "") == f"{int.from_bytes(drawn, 'big') % 10**10:010d}"


@pytest.mark.parametrize(
    "typed",
    [
        "12-3456-7890",
        "1234567890",
        " 12 3456 7890\n",
        "12–3456—7890",  # what a telephone's keyboard makes of two dashes
        "12\u00a03456\u20117890",  # copied from a web page
        "١٢-٣٤٥٦-٧٨٩٠",
        "１２-３４５６-７８９０",
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert parse_code(typed) == Code("12", "34567890")


@pytest.mark.parametrize(
    "typed", ["", "12-3456-789", "12-3456-78901", "12-3456-789x", "12.3456.7890", "½2-3456-7890", "🙂"]
)
def test_what_cannot_be_a_code_is_refused_with_the_shape_of_one(typed: str) -> None:
    with pytest.raises(InvalidValueError, match="ten digits, like 12-3456-7890"):
        parse_code(typed)


def test_a_code_that_is_logged_shows_its_nameplate_only() -> None:
    assert repr(parse_code(CODE)) == "Code(nameplate='12')"


# --- the two ends over real TLS ---------------------------------------------------------------------------------------


@dataclass
class Invitation:
    """A running :func:`invite`, its port, and the records that asked to be let in."""

    identity: Identity
    port: int
    asked: list[bytes]
    task: asyncio.Task[bytes]


@asynccontextmanager
async def inviting(
    admit: Callable[[bytes], Awaitable[bytes]] | None = None, window_s: float = 60.0, code: str = CODE
) -> AsyncIterator[Invitation]:
    identity = Identity.create()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asked: list[bytes] = []

    async def noting(record: bytes) -> bytes:
        asked.append(record)
        return await admit(record) if admit else b"welcome, " + record

    task = asyncio.create_task(
        invite(identity, code, noting, host=HOST, opened=port.set_result, window_s=window_s), name="invite"
    )
    async with asyncio.timeout(PATIENCE_S):
        either: set[asyncio.Future[Any]] = {task, port}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield Invitation(identity, await port, asked, task)
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


async def test_a_device_that_knows_the_code_gets_the_welcome_made_for_its_record() -> None:
    async with inviting() as invitation:
        assert await join(CODE, RECORD, HOST, invitation.port) == b"welcome, laptop"
        assert await invitation.task == RECORD
        assert invitation.asked == [RECORD]


async def test_the_listener_is_gone_when_the_invitation_has_ended() -> None:
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


async def test_of_two_devices_with_the_code_one_is_let_in_and_the_other_hears_that_it_was_used() -> None:
    admitting = asyncio.Event()

    async def admit(record: bytes) -> bytes:
        await admitting.wait()
        return record

    async with inviting(admit) as invitation:
        first, second = (asyncio.create_task(join(CODE, record, HOST, invitation.port)) for record in (b"one", b"two"))
        (loser,), _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        admitting.set()
        winner = first if loser is second else second
        assert [await winner] == invitation.asked == [await invitation.task]
        assert sentence(loser.exception() or AssertionError()) == SENTENCES["used"]


async def test_several_invitations_and_joiners_at_once_do_not_mix() -> None:
    codes = [f"{index:02d}-0000-{index:04d}" for index in range(4)]

    async def pair(code: str) -> bytes:
        async with inviting(code=code) as invitation:
            welcome = await join(code, code.encode(), HOST, invitation.port)
            assert await invitation.task == code.encode()
            return welcome

    assert await asyncio.gather(*map(pair, codes)) == [b"welcome, " + code.encode() for code in codes]


async def test_nobody_comes_before_the_window_has_passed() -> None:
    async with inviting(window_s=0.0) as invitation:
        assert await failed_inviting(invitation) == SENTENCES["expired"]


async def test_a_connection_that_says_nothing_neither_burns_the_code_nor_holds_others_up() -> None:
    async with inviting() as invitation:
        silent = [await asyncio.open_connection(HOST, invitation.port) for _ in range(3)]
        silent_tls = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        try:
            assert await join(CODE, RECORD, HOST, invitation.port) == b"welcome, laptop"
            assert await invitation.task == RECORD
        finally:
            for _, writer in (*silent, silent_tls):
                writer.transport.abort()


async def test_a_connection_that_says_nothing_is_closed_after_a_while_and_the_code_stays_open() -> None:
    async with inviting() as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        assert await reader.read() == b""  # after OPEN_TIMEOUT_S
        writer.transport.abort()
        assert await join(CODE, RECORD, HOST, invitation.port) == b"welcome, laptop"


@pytest.mark.parametrize("said", [b"\0\0\0\x01\xc0", b"\0\1\0\1", b"\0\0"], ids=["garbage", "too long", "cut short"])
async def test_a_connection_that_talks_nonsense_is_closed_and_does_not_burn_the_code(said: bytes) -> None:
    async with inviting() as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        writer.write(said)
        if said == b"\0\0":
            writer.transport.abort()
        else:
            assert await reader.read() == b""
            writer.transport.abort()
        assert await join(CODE, RECORD, HOST, invitation.port) == b"welcome, laptop"


async def test_one_who_waits_in_line_when_the_window_passes_hears_that_the_code_has_expired() -> None:
    async with inviting(window_s=0.5) as invitation:
        reader, writer = await asyncio.open_connection(HOST, invitation.port, ssl=trusting())
        goodbye = await reader.read()
        writer.transport.abort()
        assert goodbye.endswith(b"\xa7expired")
        assert await failed_inviting(invitation) == SENTENCES["expired"]


async def test_what_admitting_raises_comes_out_and_the_joiner_goes_away_with_nothing() -> None:
    async def admit(_: bytes) -> bytes:
        raise StorageError("the disk is gone")

    async with inviting(admit) as invitation:
        assert await failed_joining(CODE, invitation.port) == SENTENCES["broken"]
        with pytest.raises(StorageError, match="the disk is gone"):
            await invitation.task


async def test_a_joiner_that_is_lost_before_its_receipt_fails_the_invitation() -> None:
    joining: list[asyncio.Task[bytes]] = []

    async def admit(record: bytes) -> bytes:
        joining[0].cancel()
        await asyncio.wait(joining)
        return record

    async with inviting(admit) as invitation:
        joining.append(asyncio.create_task(join(CODE, RECORD, HOST, invitation.port)))
        assert await failed_inviting(invitation) == SENTENCES["broken"]


async def test_an_invitation_that_is_taken_back_tells_who_waits_in_line() -> None:
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


async def test_somebody_in_the_middle_who_ends_tls_with_an_own_certificate_learns_nothing() -> None:
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


async def test_joining_where_nobody_listens_says_that_no_invitation_is_open() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    assert await failed_joining(CODE, port) == SENTENCES["closed"]


async def test_joining_at_a_service_that_is_no_invitation_says_so() -> None:
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
    assert "the code is as good as before" in str(caught.value)
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


async def test_a_code_that_cannot_be_one_asks_nobody() -> None:
    with pytest.raises(InvalidValueError):
        await join("12-34", RECORD, HOST, 1)


async def test_a_port_that_is_taken_is_the_callers_to_change() -> None:
    async def admit(record: bytes) -> bytes:
        return record

    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be opened"):
            await invite(Identity.create(), CODE, admit, host=HOST, port=port, opened=lambda _: None)


async def test_without_a_host_ipv4_and_ipv6_share_one_port() -> None:
    async def admit(record: bytes) -> bytes:
        return record

    for host in ("127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])):
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(invite(Identity.create(), CODE, admit, opened=port.set_result))
        async with asyncio.timeout(PATIENCE_S):
            assert await join(CODE, RECORD, host, await port) == RECORD
            await task


async def test_more_than_the_allowed_connections_in_line_are_hung_up_on() -> None:
    async with inviting() as invitation:
        opened = [
            await asyncio.open_connection(HOST, invitation.port, ssl=trusting()) for _ in range(LINKS_UNPROVED_MAX + 1)
        ]
        try:
            reads = [asyncio.create_task(reader.read()) for reader, _ in opened]
            done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            assert [reads.index(task) for task in done] == [LINKS_UNPROVED_MAX]
        finally:
            for task in reads:
                task.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
            for _, writer in opened:
                writer.transport.abort()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]) -> None:
    while data := await reader.read(4096):
        seen.append(data)
        writer.write(data)


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, identity)
    return context
