from __future__ import annotations

import contextlib
import socket
import sys
from contextlib import AsyncExitStack

import pytest

from edda_sync.transport import sockets
from edda_sync.transport.dial import dial
from edda_sync.transport.sockets import connected
from edda_sync.words.errors import (
    NotReachableError,
    UsageError,
)
from tests.transport.linking import ADA, BOB, Inbox, call, listening


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


async def test_a_port_in_use_is_an_error_that_says_what_to_do() -> None:
    async with listening(Inbox()) as listener:
        with pytest.raises(UsageError, match=rf"Port {listener.port} .*--port"):
            async with listening(Inbox(), port=listener.port):
                pass
        with pytest.raises(UsageError, match=rf"Port {listener.port} .*--port"):
            async with listening(Inbox(), port=listener.port, host=None):
                pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_a_foreign_address_is_an_error_that_says_what_to_do(host: str) -> None:
    with pytest.raises(UsageError, match=f"{host} is no address of this device"):
        async with listening(Inbox(), host=host):
            pass


def sent_size(stream: socket.socket) -> int:
    """How many bytes of content a packet that is sent now may have (linux/tcp.h: tcpi_snd_mss)."""
    return int.from_bytes(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 24)[16:20], sys.byteorder)


async def sent_sizes(listener: socket.socket, packet_bytes: int) -> list[int]:
    """How many bytes of content a packet may have, from the caller and from the one that is called."""
    port = listener.getsockname()[1]
    with await connected("127.0.0.1", port, packet_bytes) as caller, listener.accept()[0] as called:
        return [sent_size(each) for each in (caller, called)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems find out by themselves")
async def test_packets_are_limited_both_ways_by_the_caller_or_by_the_one_that_is_called_and_by_neither_later() -> None:
    with await sockets.listening("127.0.0.1", 0) as listener:
        assert min(await sent_sizes(listener, 0)) > 10_000
        assert max(await sent_sizes(listener, 1_200)) <= 1_200
        sockets.limit_packets(listener, 536)
        assert max(await sent_sizes(listener, 0)) <= 536
        sockets.limit_packets(listener, 0)
        assert min(await sent_sizes(listener, 0)) > 10_000


async def test_a_limited_call_tries_every_address_and_says_why_the_last_one_failed() -> None:
    with await sockets.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        (await connected("localhost", port, 1_200)).close()  # ::1 refuses, where it comes first
    with pytest.raises(ConnectionRefusedError):
        await connected("127.0.0.1", port, 1_200)
