from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from edda_sync.transport import links
from edda_sync.transport.identity import VALID_FROM, VALID_UNTIL, Identity, load_into
from edda_sync.transport.links import PATH, SUBPROTOCOL, Link, Listener, dial
from edda_sync.words.errors import (
    EddaError,
    LimitError,
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
    RemoteMismatchError,
    RemoteProtocolError,
    UsageError,
)
from edda_sync.words.limits import FRAME_BYTES_MAX, LINKS_UNPROVED_MAX

T = TypeVar("T")
ADA, BOB, EVE, DAN = (Identity.from_private(bytes([number]) * 32) for number in (1, 2, 3, 4))
REQUEST = (
    f"GET {PATH} HTTP/1.1\r\nHost: edda\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
)


class Inflow(asyncio.Queue[T]):
    """A queue whose reader fails, rather than hangs, when nothing comes."""

    async def get(self) -> T:
        async with asyncio.timeout(20):
            return await super().get()


class Inbox:
    """What the listening side sees: its links, the frames that arrive over them, and how they end."""

    def __init__(self) -> None:
        self.links: Inflow[Link] = Inflow()
        self.frames: Inflow[bytes] = Inflow()
        self.ends: Inflow[EddaError | None] = Inflow()

    async def __call__(self, link: Link) -> None:
        self.links.put_nowait(link)
        try:
            async for frame in link:
                self.frames.put_nowait(frame)
        except EddaError as error:
            self.ends.put_nowait(error)
            raise
        self.ends.put_nowait(None)


class WatchedListener(Listener):
    """A listener that counts the HTTP requests that reach it."""

    requests = 0

    async def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests += 1
        return await super()._gate(connection, request)


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """Lost sockets and tasks warn when they are collected, and warnings are errors: collect them in their own test."""
    yield
    gc.collect()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opened, last first."""
    async with AsyncExitStack() as opened:
        yield opened


def members(*people: Identity) -> dict[str, bytes]:
    return {person.device: person.certificate for person in people}


@asynccontextmanager
async def listening(
    inbox: Inbox, *people: Identity, identity: Identity = ADA, **options: Any
) -> AsyncIterator[WatchedListener]:
    """A listener of ADA's, on the IPv4 loopback, that lets these people in."""
    options = {"host": "127.0.0.1"} | options
    async with WatchedListener(identity, lambda: members(*people), inbox, **options) as listener:
        yield listener


async def call(
    stack: AsyncExitStack, identity: Identity, port: int, host: str = "127.0.0.1", peer: Identity = ADA
) -> Link:
    link = await dial(identity, peer.device, peer.certificate, host, port)
    stack.push_async_callback(link.close)
    return link


def raw_context(identity: Identity | None) -> ssl.SSLContext:
    """TLS for a caller that does not follow our rules: it trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        load_into(context, identity)
    return context


async def knock(port: int, identity: Identity | None, request: str = REQUEST) -> bytes:
    """Send an HTTP request by hand; the first line of the answer, or nothing if the other side hung up instead."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=raw_context(identity), server_hostname="")
    except OSError:
        return b""
    try:
        writer.write(request.encode())
        await writer.drain()
        return await reader.readline()
    except OSError:
        return b""
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def rogue(identity: Identity, port: int) -> AsyncIterator[ClientConnection]:
    """A member that speaks WebSocket but not our protocol."""
    async with connect(
        f"wss://127.0.0.1:{port}{PATH}",
        ssl=raw_context(identity),
        subprotocols=[SUBPROTOCOL],
        compression=None,
        proxy=None,
    ) as connection:
        yield connection


def signed_by(signer: Identity, owner: Identity, name: str, *, authority: bool) -> bytes:
    """A certificate of the owner's key under a name of choice, signed by somebody, DER."""

    def named(device: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(signer.device))
        .public_key(owner._key.public_key())
        .serial_number(7)
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.sign(signer._key, None).public_bytes(Encoding.DER)


# --- frames between members -------------------------------------------------------------------------------------------


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


async def test_many_small_fragments_of_a_frame_too_large_are_refused_as_well() -> None:
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
        await (theirs if theirs_first else ours).close("ü" * 200)
        assert await inbox.ends.get() is None
        assert [frame async for frame in ours] == []
        with pytest.raises(LinkClosedError, match="said" if theirs_first else "ü"):
            await ours.send(b"too late")
        await ours.close()


async def test_a_link_that_breaks_is_told_from_a_goodbye(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    ours._connection.transport.abort()  # as when the process dies: no close frame
    assert isinstance(await inbox.ends.get(), LinkClosedError)
    with pytest.raises(LinkClosedError, match="broke"):
        await anext(ours)
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


async def test_a_sender_waits_while_its_peer_takes_nothing(stack: AsyncExitStack) -> None:
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


async def test_a_probe_is_answered_by_a_live_peer_only(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    ours = await call(stack, BOB, listener.port)
    theirs = await inbox.links.get()
    assert await ours.probe(5)
    assert await theirs.probe(5)
    await ours.close()
    assert not await ours.probe(5)


async def test_a_probe_of_a_silent_peer_gives_up(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=raw_context(BOB), server_hostname="")
    stack.callback(writer.transport.abort)
    writer.write(REQUEST.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    link = await inbox.links.get()
    assert not await link.probe(0.02)
    await link.close()  # does not wait for ever either
    assert await inbox.ends.get() is None


async def test_a_peer_whose_frame_trickles_in_is_alive_though_it_answers_no_ping_and_dead_once_it_is_silent(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "PING_INTERVAL_S", 0.25)
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


async def test_both_families_of_addresses_reach_a_listener_on_every_address(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB, host=None))
    await call(stack, BOB, listener.port, "127.0.0.1")
    assert (await inbox.links.get()).address.startswith("127.0.0.1:")
    if socket.has_dualstack_ipv6():
        link = await call(stack, BOB, listener.port, "::1")
        assert link.address == f"[::1]:{listener.port}"
        assert (await inbox.links.get()).address.startswith("[::1]:")


def link_local_address() -> str | None:
    """A link-local IPv6 address of this machine, with its scope."""
    with contextlib.suppress(OSError), open("/proc/net/if_inet6") as file:
        for line in file:
            address, _, _, scope, _, interface = line.split()
            if scope == "20":
                parts = [address[start : start + 4] for start in range(0, 32, 4)]
                return f"{':'.join(parts)}%{interface}"
    return None


@pytest.mark.skipif(link_local_address() is None, reason="no link-local IPv6 address here")
async def test_a_link_local_address_is_reached_by_its_scope(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB, host=None))
    host = link_local_address()
    assert host is not None
    await call(stack, BOB, listener.port, host)
    assert "%" in (await inbox.links.get()).address
    with pytest.raises(NotReachableError):
        await dial(BOB, ADA.device, ADA.certificate, host.partition("%")[0] + "%no-such-interface", listener.port)


async def test_links_send_at_once_and_notice_a_cut_cable(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB))
    for link in (await call(stack, BOB, listener.port), await inbox.links.get()):
        stream = link._connection.transport.get_extra_info("socket")
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


# --- who gets in ------------------------------------------------------------------------------------------------------


async def test_a_stranger_ends_in_the_tls_layer_and_never_reaches_http() -> None:
    async with listening(Inbox(), BOB) as listener:
        assert (await knock(listener.port, BOB)).startswith(b"HTTP/1.1 101 ")  # the same request is fine from a member
        assert listener.requests == 1
        assert await knock(listener.port, EVE) == b""
        assert await knock(listener.port, None) == b""
        assert listener.requests == 1


async def test_a_stranger_learns_in_the_handshake_that_it_is_no_member() -> None:
    # In TLS 1.3 the caller is done before the listener has judged it: no link may come of that.
    async with listening(Inbox(), BOB) as listener:
        with pytest.raises(NotAMemberError) as caught:
            await dial(EVE, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert (caught.value.peer, caught.value.by_peer) == (ADA.device, True)
        assert listener.requests == 0


async def test_nobody_gets_in_where_there_are_no_members() -> None:
    async with listening(Inbox()) as listener:
        assert await knock(listener.port, BOB) == b""
        with pytest.raises(NotAMemberError):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert listener.requests == 0


async def test_a_device_has_no_link_with_itself() -> None:
    async with listening(Inbox(), ADA, BOB) as listener:
        with pytest.raises(NotAMemberError):
            await dial(ADA, ADA.device, ADA.certificate, "127.0.0.1", listener.port)


async def test_a_caller_refuses_whoever_shows_another_certificate() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB, identity=EVE) as listener:
        with pytest.raises(NotAMemberError) as caught:
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert not caught.value.by_peer
        assert inbox.links.empty()


async def test_a_certificate_signed_by_a_pinned_one_is_refused_by_both_sides() -> None:
    pinned = signed_by(DAN, DAN, DAN.device, authority=True)
    forged = dataclasses.replace(EVE, certificate=signed_by(DAN, EVE, EVE.device, authority=False))
    inbox = Inbox()
    async with WatchedListener(ADA, lambda: {DAN.device: pinned}, inbox, "127.0.0.1") as listener:
        assert (await knock(listener.port, forged)).startswith(b"HTTP/1.1 403 ")  # TLS alone let it through
        with pytest.raises(NotAMemberError):
            await dial(forged, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert listener.requests == 2
    async with listening(inbox, BOB, identity=forged) as listener:
        with pytest.raises(NotAMemberError):
            await dial(BOB, DAN.device, pinned, "127.0.0.1", listener.port)
        assert listener.requests == 1  # TLS alone let it through here, too
        assert isinstance(await inbox.ends.get(), LinkClosedError)


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
async def test_a_request_that_is_not_ours_is_refused(old: str, new: str, answer: bytes) -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener:
        assert (await knock(listener.port, BOB, REQUEST.replace(old, new))).split()[1] == answer
        assert inbox.links.empty()


async def test_tls_1_2_is_refused() -> None:
    async with listening(Inbox(), BOB) as listener:
        context = raw_context(BOB)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection("127.0.0.1", listener.port, ssl=context, server_hostname="")
        assert listener.requests == 0


async def test_a_caller_refuses_tls_1_2() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    load_into(context, ADA)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        with pytest.raises(NotReachableError, match="hung up"):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", server.sockets[0].getsockname()[1])


async def test_a_session_cannot_be_resumed() -> None:
    def visit(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, session=session) as stream,
        ):
            stream.sendall(REQUEST.encode())
            assert stream.recv(16).startswith(b"HTTP/1.1 101 ")  # a ticket would have come before this
            return stream.session, bool(stream.session_reused)

    async with listening(Inbox(), BOB) as listener:
        context = raw_context(BOB)
        session, _ = await asyncio.to_thread(visit, context, listener.port, None)
        assert session is not None
        assert not session.has_ticket
        _, reused = await asyncio.to_thread(visit, context, listener.port, session)
        assert not reused


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


async def test_only_so_many_sockets_may_be_unproved(stack: AsyncExitStack) -> None:
    inbox = Inbox()
    listener = await stack.enter_async_context(listening(inbox, BOB, open_timeout_s=60))
    proved = await call(stack, BOB, listener.port)  # does not count any more
    silent = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(LINKS_UNPROVED_MAX)]
    for _, writer in silent:
        stack.callback(writer.close)
    with pytest.raises(NotReachableError):
        await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
    await proved.send(b"goes on")
    assert await inbox.frames.get() == b"goes on"
    reader, writer = silent[0]
    writer.write_eof()
    await reader.read()  # its place is free once the listener has closed it
    await call(stack, BOB, listener.port)


# --- changes of membership --------------------------------------------------------------------------------------------


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


# --- the listener's life ----------------------------------------------------------------------------------------------


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


async def test_strangers_and_broken_callers_are_no_event_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inbox = Inbox()
    async with listening(inbox, BOB, open_timeout_s=0.05) as listener:
        await knock(listener.port, EVE)
        await knock(listener.port, None)
        await knock(listener.port, BOB, "nonsense\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(REQUEST.encode())
        await reader.read()
        writer.close()
        async with rogue(BOB, listener.port) as connection:
            await connection.send(bytes(FRAME_BYTES_MAX + 1))
            await inbox.ends.get()
    assert [record for record in caplog.records if not record.name.startswith("websockets.client")] == []


async def test_a_port_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    async with listening(Inbox()) as listener:
        with pytest.raises(UsageError, match=rf"Port {listener.port} .*--port"):
            async with listening(Inbox(), port=listener.port):
                pass
        with pytest.raises(UsageError, match=rf"Port {listener.port} .*--port"):
            async with listening(Inbox(), port=listener.port, host=None):
                pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_of_somebody_else_is_an_error_that_says_what_to_do(host: str) -> None:
    with pytest.raises(UsageError, match=f"{host} is no address of this device"):
        async with listening(Inbox(), host=host):
            pass


async def test_a_listener_that_cannot_start_frees_its_port() -> None:
    listener = Listener(ADA, lambda: {BOB.device: b"no certificate"}, Inbox(), "127.0.0.1")
    with pytest.raises(ssl.SSLError):
        await listener.__aenter__()
    async with listening(Inbox(), port=listener.port):
        pass


# --- calls that fail --------------------------------------------------------------------------------------------------


async def test_a_call_goes_straight_to_the_peer(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    listener = await stack.enter_async_context(listening(Inbox(), BOB))
    await call(stack, BOB, listener.port)


async def test_a_call_names_nobody_in_the_clear() -> None:
    names: list[str | None] = []
    async with answering(lambda connection: connection.respond(404, ""), names) as port:
        with pytest.raises(RemoteMismatchError):
            await dial(BOB, ADA.device, ADA.certificate, "localhost", port)
    assert names == [None]


async def test_nobody_listening_is_not_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotReachableError, match="refused") as caught:
        await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)
    assert caught.value.address == f"127.0.0.1:{port}"


async def test_a_listener_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(NotReachableError, match="too long"):
        await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", deaf.getsockname()[1], timeout_s=0.05)


async def test_a_call_that_is_given_up_leaves_nothing_open() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setblocking(False)
        task = asyncio.create_task(dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", deaf.getsockname()[1]))
        stream, _ = await loop.sock_accept(deaf)
        with stream:
            assert await loop.sock_recv(stream, 1) == b"\x16"  # the first byte of its TLS handshake
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with contextlib.suppress(ConnectionResetError):
                while await loop.sock_recv(stream, 4096):  # until the caller has closed its socket
                    pass


@pytest.mark.parametrize("host", ["::1%no-such-interface", "a" * 70, ""])
async def test_a_host_that_does_not_exist_is_not_reachable(host: str) -> None:
    with pytest.raises(NotReachableError):
        await dial(BOB, ADA.device, ADA.certificate, host, 1)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b""])
async def test_something_that_is_no_device_is_not_reachable(answer: bytes) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        with pytest.raises(NotReachableError):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, NotAMemberError), (503, NotReachableError), (404, RemoteMismatchError), (200, RemoteMismatchError)],
)
async def test_the_peers_http_answer_says_why_it_refused(status: int, expected: type[EddaError]) -> None:
    async with answering(lambda connection: connection.respond(status, "")) as port:
        with pytest.raises(expected):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)


async def test_a_peer_cannot_send_a_caller_elsewhere() -> None:
    requests = 0

    def redirect(connection: ServerConnection) -> Response:
        nonlocal requests
        requests += 1
        response = connection.respond(302, "")
        response.headers["Location"] = f"wss://edda{PATH}"
        return response

    async with answering(redirect) as port:
        with pytest.raises(RemoteMismatchError):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)
    assert requests == 1


async def test_a_peer_that_speaks_no_subprotocol_of_ours_is_refused() -> None:
    async with answering(lambda _connection: None) as port:
        with pytest.raises(RemoteMismatchError, match="version"):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)


@asynccontextmanager
async def answering(answer: Any, names: list[str | None] | None = None) -> AsyncIterator[int]:
    """A device of ADA's that answers HTTP in its own way, and notes the names it is called by; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, ADA)
    if names is not None:
        context.sni_callback = lambda _tls, name, _context: names.append(name)

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(
        wait, "127.0.0.1", 0, ssl=context, process_request=lambda connection, _request: answer(connection)
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]
