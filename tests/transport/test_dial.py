from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Response

from edda_sync.transport.dial import dial
from edda_sync.transport.identity import load_into
from edda_sync.transport.link import PATH
from edda_sync.words.errors import (
    EddaError,
    NotAMemberError,
    NotReachableError,
    RemoteMismatchError,
)
from tests.transport.linking import ADA, BOB, EVE, Inbox, call, listening


async def test_a_caller_refuses_a_peer_with_another_certificate() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB, identity=EVE) as listener:
        with pytest.raises(NotAMemberError) as caught:
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert not caught.value.by_peer
        assert inbox.links.empty()


async def test_a_call_uses_no_proxy(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    listener = await stack.enter_async_context(listening(Inbox(), BOB))
    await call(stack, BOB, listener.port)


async def test_a_call_sends_no_names_in_the_clear() -> None:
    names: list[str | None] = []
    async with answering(lambda connection: connection.respond(404, ""), names) as port:
        with pytest.raises(RemoteMismatchError):
            await dial(BOB, ADA.device, ADA.certificate, "localhost", port)
    assert names == [None]


async def test_an_address_without_a_listener_is_not_reachable() -> None:
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
async def test_a_service_that_is_no_device_is_not_reachable(answer: bytes) -> None:
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
async def test_the_error_says_why_the_peer_refused_in_http(status: int, expected: type[EddaError]) -> None:
    async with answering(lambda connection: connection.respond(status, "")) as port:
        with pytest.raises(expected):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", port)


async def test_a_peer_cannot_redirect_a_caller() -> None:
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
