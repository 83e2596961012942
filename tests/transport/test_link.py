from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosedError

from edda_sync.transport import link as module
from edda_sync.transport import sockets
from edda_sync.transport.link import Link
from edda_sync.transport.listener import Listener
from edda_sync.words.errors import (
    LimitError,
    LinkClosedError,
    RemoteError,
    RemoteProtocolError,
)
from edda_sync.words.limits import FRAME_BYTES_MAX
from edda_sync.words.reasons import SENTENCES, Reason
from tests.transport.linking import ADA, BOB, REQUEST, Inbox, Inflow, call, listening, members, raw_context, rogue


async def test_members_exchange_frames_both_ways_and_in_order(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    assert (ours.peer, ours.dialled, ours.address) == (ADA.device, True, f"127.0.0.1:{listener.port}")
    assert (theirs.peer, theirs.dialled) == (BOB.device, False)
    assert theirs.address.startswith("127.0.0.1:")
    frames = [b"", b"\x00", b"hello", bytes(range(256)) * 100]
    for frame in frames:
        await ours.send(frame)
        await theirs.send(frame[::-1])
    assert [await inbox.frames.get() for _ in frames] == frames
    assert [await anext(ours) for _ in frames] == [frame[::-1] for frame in frames]


async def test_the_largest_frame_arrives_whole_both_ways(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    largest = bytes(range(256)) * (FRAME_BYTES_MAX // 256)
    await ours.send(largest)
    assert await inbox.frames.get() == largest
    async with asyncio.TaskGroup() as group:  # more than the socket holds: somebody must be reading
        group.create_task(theirs.send(largest))
        received = group.create_task(anext(ours))
    assert received.result() == largest


async def test_a_frame_one_byte_too_large_is_not_sent(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    link = await call(stack, BOB, listener.port)
    with pytest.raises(LimitError):
        await link.send(bytes(FRAME_BYTES_MAX + 1))
    await link.send(b"still open")
    assert await inbox.frames.get() == b"still open"


async def test_a_peer_that_sends_one_byte_too_many_broke_the_protocol() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener, rogue(BOB, listener.port) as connection:
        await connection.send(bytes(FRAME_BYTES_MAX + 1))
        error = await inbox.ends.get()
        assert isinstance(error, RemoteProtocolError)
        assert error.peer == BOB.device
        await connection.wait_closed()
        assert connection.close_code == 1009
        assert inbox.frames.empty()


async def test_a_frame_too_large_in_many_small_fragments_is_refused_as_well() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener, rogue(BOB, listener.port) as connection:
        with contextlib.suppress(ConnectionClosedError):
            await connection.send([bytes(FRAME_BYTES_MAX // 8)] * 9)
        assert isinstance(await inbox.ends.get(), RemoteProtocolError)


async def test_a_peer_that_sends_text_broke_the_protocol() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener, rogue(BOB, listener.port) as connection:
        await connection.send("text")
        error = await inbox.ends.get()
        assert isinstance(error, RemoteProtocolError)
        await connection.wait_closed()
        assert connection.close_code == 1003


async def test_a_goodbye_ends_iteration_on_both_sides(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    for theirs_first in (False, True):
        ours = await call(stack, BOB, listener.port)
        theirs = await inbox.links.get()
        await (theirs if theirs_first else ours).close(Reason.CLOCK_SET)
        assert await inbox.ends.get() is None
        assert [frame async for frame in ours] == []
        told = SENTENCES[Reason.CLOCK_SET].there if theirs_first else SENTENCES[Reason.CLOCK_SET].here
        assert ours.ending == told
        with pytest.raises(LinkClosedError, match=told):
            await ours.send(b"too late")
        await ours.close()


async def test_what_a_peer_said_before_its_goodbye_is_read_although_this_side_ends_the_link_too(
    stack: AsyncExitStack,
) -> None:
    """Whoever finds that it can send no more closes the link; the peer's last words, such as a proof, came before that."""
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    for frame in (b"last", b"words"):
        await theirs.send(frame)
    await asyncio.gather(theirs.close(Reason.CLOSING), ours._connection.wait_closed())
    with pytest.raises(RemoteError):
        await ours.send(b"too late")
    await ours.close()
    assert [frame async for frame in ours] == [b"last", b"words"]
    assert ours.reason == Reason.CLOSING


async def test_a_broken_link_differs_from_a_goodbye(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    ours._connection.transport.abort()  # as when the process dies: no close frame
    theirs = await inbox.links.get()
    assert isinstance(await inbox.ends.get(), LinkClosedError)
    with pytest.raises(LinkClosedError, match="broke"):
        await anext(ours)
    assert ours.ending == theirs.ending == "it broke; it is called again"
    with pytest.raises(LinkClosedError, match="broke"):
        await ours.send(b"")


async def test_frames_after_our_goodbye_are_not_delivered() -> None:
    said_goodbye = asyncio.Event()
    frames: list[bytes] = []

    async def leave(link: Link) -> None:
        frames.append(await anext(link))
        goodbye = asyncio.create_task(link.close())
        said_goodbye.set()
        frames.extend([frame async for frame in link])
        await goodbye

    async with (
        Listener(ADA, lambda: members(BOB), leave, "127.0.0.1") as listener,
        rogue(BOB, listener.port) as connection,
    ):
        await connection.send(b"before")
        await said_goodbye.wait()
        with contextlib.suppress(ConnectionClosedError):
            for _ in range(20):
                await connection.send(b"after")
        await connection.wait_closed()
    assert frames == [b"before"]


async def test_a_frame_goes_at_once_unless_others_wait_or_the_link_has_ended(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    assert ours.send_now(b"at once")
    await ours.send(b"in its turn")
    assert ours.send_now(b"and again")
    assert [await inbox.frames.get() for _ in range(3)] == [b"at once", b"in its turn", b"and again"]
    assert not ours.send_now(bytes(FRAME_BYTES_MAX + 1))
    sent = 0
    while theirs.send_now(bytes(FRAME_BYTES_MAX // 2)):  # ours takes nothing meanwhile: the loop has no turn
        sent += 1
        assert sent < 1_000, "it would grow without end"
    assert [len(await anext(ours)) for _ in range(sent)] == [FRAME_BYTES_MAX // 2] * sent
    await ours.close()
    assert not ours.send_now(b"too late")


async def test_a_sender_waits_while_its_peer_reads_nothing(stack: AsyncExitStack) -> None:
    go_on = asyncio.Event()
    taken: Inflow[bytes] = Inflow()

    async def slow(link: Link) -> None:
        await go_on.wait()
        async for frame in link:
            taken.put_nowait(frame)

    listener = await stack.enter_async_context(Listener(ADA, lambda: members(BOB), slow, "127.0.0.1"))
    link = await call(stack, BOB, listener.port)
    stack.callback(go_on.set)  # also when this fails: the listener waits for its task
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200:
            await asyncio.wait_for(link.send(bytes([sent]) * FRAME_BYTES_MAX), 0.3)
            sent += 1
    assert 0 < sent < 200
    go_on.set()
    for number in range(sent + 1):  # the frame that waited was not lost with its waiter
        assert (await taken.get())[0] == number


async def test_a_link_whose_peer_reads_nothing_can_be_closed(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "UNACKNOWLEDGED_MS_MAX", 600_000)  # so that nothing else ends it
    monkeypatch.setattr(module, "PING_INTERVAL_S", 600.0)
    monkeypatch.setattr(module, "CLOSE_TIMEOUT_S", 0.1)
    over = asyncio.Event()

    async def take_nothing(_: Link) -> None:
        await over.wait()

    listener = await stack.enter_async_context(Listener(ADA, lambda: members(BOB), take_nothing, "127.0.0.1"))
    link = await call(stack, BOB, listener.port)
    stack.callback(over.set)
    with contextlib.suppress(TimeoutError):
        for _ in range(200):
            await asyncio.wait_for(link.send(bytes(FRAME_BYTES_MAX)), 0.3)
    async with asyncio.timeout(90):
        await link.close()
    with pytest.raises(LinkClosedError):
        await link.send(b"late")


async def test_only_a_live_peer_answers_a_probe(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    assert await ours.probe(5)
    assert await theirs.probe(5)
    await ours.close()
    assert not await ours.probe(5)


async def test_a_probe_of_a_silent_peer_ends(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=raw_context(BOB), server_hostname="")
    stack.callback(writer.transport.abort)
    writer.write(REQUEST.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    link = await inbox.links.get()
    assert not await link.probe(0.02)
    await link.close(Reason.NO_ANSWER)  # does not wait for ever either
    assert link.ending == SENTENCES[Reason.NO_ANSWER].here
    assert await inbox.ends.get() is None


async def test_a_peer_whose_frame_trickles_in_is_alive_though_it_answers_no_ping_and_dead_once_it_is_silent(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_INTERVAL_S", 0.25)
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=raw_context(BOB), server_hostname="")
    stack.callback(writer.transport.abort)
    writer.write(REQUEST.encode())
    await reader.readuntil(b"\r\n\r\n")
    for byte in b"\x82\xfe\x10\x00\x00\x00\x00":  # the beginning of a large frame, RFC 6455
        await reader.readexactly(6)  # a ping, whose answer would wait behind that frame
        writer.write(bytes([byte]))
    assert inbox.ends.empty()
    assert isinstance(await inbox.ends.get(), LinkClosedError)
    assert (await inbox.links.get()).ending == SENTENCES[Reason.SILENT].here
