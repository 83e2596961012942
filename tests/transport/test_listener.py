from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import AsyncExitStack

import pytest

from edda_sync.transport.dial import dial
from edda_sync.transport.link import PATH, SUBPROTOCOL, Link
from edda_sync.transport.listener import Listener
from edda_sync.words.errors import (
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
)
from edda_sync.words.limits import CALLERS_OF_A_NETWORK_MAX, FRAME_BYTES_MAX
from tests.transport.linking import (
    ADA,
    BOB,
    DAN,
    EVE,
    REQUEST,
    Inbox,
    WatchedListener,
    call,
    listening,
    members,
    raw_context,
    request_by_hand,
    rogue,
)


async def test_a_stranger_ends_in_the_tls_layer_and_never_reaches_http() -> None:
    async with listening(Inbox(), BOB) as listener:
        assert (await request_by_hand(listener.port, BOB)).startswith(
            b"HTTP/1.1 101 "
        )  # the same request is fine from a member
        assert listener.requests == 1
        assert await request_by_hand(listener.port, EVE) == b""
        assert await request_by_hand(listener.port, None) == b""
        assert listener.requests == 1


async def test_a_stranger_learns_in_the_handshake_that_it_is_no_member() -> None:
    # In TLS 1.3 the caller is done before the listener has judged it: no link may come of that.
    async with listening(Inbox(), BOB) as listener:
        with pytest.raises(NotAMemberError) as caught:
            await dial(EVE, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert (caught.value.peer, caught.value.by_peer) == (ADA.device, True)
        assert listener.requests == 0


async def test_a_listener_without_members_lets_nobody_in() -> None:
    async with listening(Inbox()) as listener:
        assert await request_by_hand(listener.port, BOB) == b""
        with pytest.raises(NotAMemberError):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert listener.requests == 0


async def test_a_device_has_no_link_with_itself() -> None:
    async with listening(Inbox(), ADA, BOB) as listener:
        with pytest.raises(NotAMemberError):
            await dial(ADA, ADA.device, ADA.certificate, "127.0.0.1", listener.port)


async def test_two_members_with_their_own_certificates_do_not_hide_each_other(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB, EVE, DAN))
    for person in (DAN, BOB, EVE):
        await call(stack, person, listener.port)
        assert (await inbox.links.get()).peer == person.device


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("Host: edda", "Host: edda\r\nOrigin: https://example.org", b"404"),
        ("Host: edda", "Host: edda\r\nOrigin: null", b"404"),
        (f"GET {PATH}", "GET /", b"404"),
        (f"GET {PATH}", f"GET {PATH}/", b"404"),
        (f"GET {PATH}", "GET /edda/2", b"404"),
        (str(SUBPROTOCOL), "edda.2", b"400"),
        (f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n", "", b"400"),
        ("Upgrade: websocket", "Upgrade: h2c", b"426"),
    ],
)
async def test_other_requests_than_ours_are_refused(old: str, new: str, answer: bytes) -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener:
        assert (await request_by_hand(listener.port, BOB, REQUEST.replace(old, new))).split()[1] == answer
        assert inbox.links.empty()


async def test_silent_callers_are_dropped() -> None:
    async with listening(Inbox(), BOB, open_timeout_s=0.05) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", listener.port, ssl=raw_context(BOB), server_hostname=""
        )
        assert await reader.read() == b""  # a member, but it never asks for anything
        writer.close()
        assert listener.requests == 0


async def test_a_member_is_let_in_however_many_strangers_stand_there_and_those_who_came_first_go(
    stack: AsyncExitStack,
) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB, DAN, open_timeout_s=60))
    proved = await call(stack, BOB, listener.port)  # does not count any more
    silent = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(CALLERS_OF_A_NETWORK_MAX)]
    for _, writer in silent:
        stack.callback(writer.close)
    await call(stack, DAN, listener.port)
    assert await silent[0][0].read() == b"", "it was hung up on, and made room"
    await proved.send(b"goes on")
    assert not any(reader.at_eof() for reader, _ in silent[1:])


async def test_a_removed_device_loses_its_link_and_the_others_keep_theirs(stack: AsyncExitStack) -> None:
    inbox, people = Inbox(), members(BOB, DAN)
    listener = await stack.enter_async_context(WatchedListener(ADA, lambda: people, inbox, "127.0.0.1"))
    bob, dan = await call(stack, BOB, listener.port), await call(stack, DAN, listener.port)
    port = listener.port
    del people[BOB.device]
    await listener.refresh()
    assert isinstance(await inbox.ends.get(), NotAMemberError)
    with pytest.raises(NotAMemberError):
        await anext(bob)
    with pytest.raises(NotAMemberError):
        await bob.send(b"secret")
    requests = listener.requests
    with pytest.raises(NotAMemberError):
        await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)
    assert listener.requests == requests  # it ended in the TLS layer
    await dan.send(b"still here")
    assert await inbox.frames.get() == b"still here"
    assert listener.port == port
    await call(stack, DAN, port)


async def test_a_new_device_gets_in_after_a_refresh(stack: AsyncExitStack) -> None:
    inbox, people = Inbox(), members(BOB)
    listener = await stack.enter_async_context(Listener(ADA, lambda: people, inbox, "127.0.0.1"))
    with pytest.raises(NotAMemberError):
        await dial(DAN, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
    people |= members(DAN)
    await asyncio.gather(listener.refresh(), listener.refresh(), listener.refresh())
    await call(stack, DAN, listener.port)
    assert (await inbox.links.get()).peer == DAN.device


async def test_a_device_removed_in_the_middle_of_its_handshake_does_not_get_in(stack: AsyncExitStack) -> None:
    inbox, people = Inbox(), members(BOB, DAN)
    listener = await stack.enter_async_context(WatchedListener(ADA, lambda: people, inbox, "127.0.0.1"))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    stack.callback(writer.transport.abort)
    await call(stack, DAN, listener.port)  # so BOB's socket, which was first, has been accepted under the old members
    await inbox.links.get()
    del people[BOB.device]
    await listener.refresh()
    await writer.start_tls(raw_context(BOB), server_hostname="")
    writer.write(REQUEST.encode())
    assert (await reader.readline()).split()[1] == b"403"
    assert inbox.links.empty()


async def test_leaving_a_listener_ends_its_links_and_frees_its_port(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    async with listening(inbox, BOB, open_timeout_s=3600) as listener:
        link = await call(stack, BOB, listener.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)  # silent: not waited for
        stack.callback(writer.close)
        half, half_writer = await asyncio.open_connection(
            "127.0.0.1", listener.port, ssl=raw_context(BOB), server_hostname=""
        )
        stack.callback(half_writer.transport.abort)
        await listener.refresh()
        other = await call(stack, BOB, listener.port)
    assert await reader.read() == b""
    assert await half.read() == b""
    for ended in (link, other):
        assert [frame async for frame in ended] == []
        assert await inbox.ends.get() is None
    await listener.refresh()  # too late, and harmless
    with pytest.raises(NotReachableError):
        await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
    async with listening(inbox, BOB, port=listener.port) as again:
        assert again.port == listener.port


async def test_leaving_a_listener_waits_for_its_tasks(stack: AsyncExitStack) -> None:
    finished: list[str] = []

    async def linger(link: Link) -> None:
        async for _ in link:
            pass
        for _ in range(100):  # some last work, with the event loop running on
            await asyncio.sleep(0)
        finished.append(link.peer)

    async with Listener(ADA, lambda: members(BOB), linger, "127.0.0.1") as listener:
        await call(stack, BOB, listener.port)
    assert finished == [BOB.device]


async def test_a_link_ends_when_its_task_returns(stack: AsyncExitStack) -> None:
    async def greet(link: Link) -> None:
        await link.send(b"hello")

    listener = await stack.enter_async_context(Listener(ADA, lambda: members(BOB), greet, "127.0.0.1"))
    link = await call(stack, BOB, listener.port)
    assert [frame async for frame in link] == [b"hello"]


async def test_a_task_that_fails_ends_its_link_and_is_logged(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble(link: Link) -> None:
        raise ValueError("a bug of ours")

    listener = await stack.enter_async_context(Listener(ADA, lambda: members(BOB), stumble, "127.0.0.1"))
    link = await call(stack, BOB, listener.port)
    with pytest.raises(LinkClosedError):
        await anext(link)
    await listener.__aexit__(None, None, None)
    assert [(record.name, record.levelname) for record in caplog.records] == [("edda_sync.transport", "ERROR")]
    assert "a bug of ours" in caplog.text


async def test_strangers_and_broken_callers_leave_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inbox = Inbox()
    async with listening(inbox, BOB, open_timeout_s=0.05) as listener:
        await request_by_hand(listener.port, EVE)
        await request_by_hand(listener.port, None)
        await request_by_hand(listener.port, BOB, "nonsense\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(REQUEST.encode())
        await reader.read()
        writer.close()
        async with rogue(BOB, listener.port) as connection:
            await connection.send(bytes(FRAME_BYTES_MAX + 1))
            await inbox.ends.get()
    assert [record for record in caplog.records if not record.name.startswith("websockets.client")] == []


async def test_a_listener_that_cannot_start_frees_its_port() -> None:
    listener = Listener(ADA, lambda: {BOB.device: b"no certificate"}, Inbox(), "127.0.0.1")
    with pytest.raises(ssl.SSLError):
        await listener.__aenter__()
    async with listening(Inbox(), port=listener.port):
        pass
