from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest
from zeroconf._dns import DNSPointer
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.transport import multicast
from edda_sync.transport.discovery import PAIR, Discovery, announce_pairing
from edda_sync.transport.interfaces import Interface
from edda_sync.transport.multicast import Station
from tests.transport.announcing import (
    LOOPBACK_MEMBER,
    PATIENCE_S,
    Process,
    Workspace,
    an_interface,
    ip,
    loopback,
)


async def test_multicast_without_any_interface_says_why_and_recovers_when_one_appears(workspace: Workspace) -> None:
    present: frozenset[Interface] = frozenset()
    laptop, discovery = await workspace.start("laptop", look=lambda: present)
    assert (discovery.available, discovery.reason) == (
        False,
        "multicast does not work here: no network interface is up",
    )
    present = loopback()
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.devices == {"phone"})
    assert (discovery.available, discovery.reason) == (True, "")
    present = frozenset()
    await laptop.wait(lambda seen: seen.changes == 2)
    assert not discovery.available


# zeroconf leaves its half-made socket to the garbage collector when an address is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("gone", ["198.51.100.77", "fe80::77"])
async def test_an_interface_that_vanishes_before_it_is_opened_is_reported_and_does_not_crash(
    workspace: Workspace, gone: str
) -> None:
    present = frozenset({an_interface(9_999, gone)})
    laptop, discovery = await workspace.start("laptop", look=lambda: present)
    assert not discovery.available
    assert discovery.reason.startswith("multicast does not work here: ")
    present = loopback()
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.devices == {"phone"})
    assert discovery.available


async def test_after_very_many_names_everything_is_opened_anew_and_what_was_kept_of_them_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multicast, "NAMES_HEARD_MAX", 100)
    monkeypatch.setattr(multicast, "DISCOVERY_POLL_S", PATIENCE_S)  # only the test looks whether something is due
    told: list[bool] = []
    async with Station(PAIR, heard=lambda *_: None, reopening=told.append, look=loopback) as station:
        air = station._air
        assert air is not None
        zeroconf = air._multicast.zeroconf
        assert air._browser is not None
        for number in range(101):
            assert not air.is_crowded, number
            assert air._asking == set(), "of a name that is not ours nothing is asked"
            stranger = DNSPointer(PAIR, 12, 1, 4_500, f"stranger {number}.{PAIR}")
            zeroconf.record_manager.async_updates_from_response(_response(stranger))
            await asyncio.sleep(0)
        assert air.is_crowded
        await station._reconcile()
        assert told == [False], "the network is the same"
        assert station._air is not air
        assert station._air is not None
        assert not station._air.is_crowded


def _response(record: DNSPointer) -> DNSIncoming:
    """Return a packet as it would come from the network."""
    said = DNSOutgoing(0x8400)
    said.add_answer_at_time(record, 0)
    return DNSIncoming(said.packets()[0])


async def test_interfaces_that_cannot_be_read_for_a_moment_change_nothing(workspace: Workspace) -> None:
    looks = 0
    looked_on = asyncio.Event()

    def look() -> frozenset[Interface]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise OSError("too many open files")
        if looks == 4:
            looked_on.set()
        return loopback()

    laptop, discovery = await workspace.start("laptop", look=look)
    async with asyncio.timeout(PATIENCE_S):
        await looked_on.wait()
    assert laptop.changes == 0
    assert discovery.available


async def test_a_bug_in_the_watch_over_the_network_is_raised_to_the_task_that_waits_for_its_end() -> None:
    looks = 0

    def look() -> frozenset[Interface]:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise ZeroDivisionError("a bug")
        return frozenset()

    discovery = Discovery("laptop", list, 1, members=list, on_found=lambda *_: None, now=time.time, look=look)
    async with asyncio.timeout(PATIENCE_S):
        await discovery.__aenter__()
        with pytest.raises(ZeroDivisionError):
            await discovery.watching()
        with pytest.raises(ZeroDivisionError):
            await discovery.__aexit__(None, None, None)


async def test_the_watch_over_the_network_ends_with_its_context() -> None:
    discovery = Discovery("laptop", list, 1, members=list, on_found=lambda *_: None, now=time.time, look=frozenset)
    async with asyncio.timeout(PATIENCE_S):
        async with discovery:
            watching = asyncio.ensure_future(discovery.watching())
        await watching


async def test_processes_of_one_machine_that_ask_at_the_same_time_are_all_answered(air: None) -> None:
    nameplate = secrets.token_hex(4).encode()
    heard = [asyncio.Event() for _ in range(3)]

    def hear(event: asyncio.Event, _: str, info: AsyncServiceInfo | None) -> None:
        if info is not None and info.properties.get(b"n") == nameplate:
            event.set()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        wire.bind(("224.0.0.251", 5353))
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, LOOPBACK_MEMBER)
        wire.setblocking(False)
        async with (
            announce_pairing(4001, nameplate.decode(), look=loopback),
            AsyncExitStack() as stack,
            asyncio.timeout(PATIENCE_S),
        ):
            for _ in range(3):  # once it has been announced this often, it is heard by asking only
                while nameplate not in await asyncio.get_running_loop().sock_recv(wire, 9000):
                    pass
            for event in heard:
                await stack.enter_async_context(Station(PAIR, heard=partial(hear, event), look=loopback))
            await asyncio.gather(*(event.wait() for event in heard))


async def test_discovery_on_a_machine_without_any_network_starts_with_its_loopback(
    namespaces: Callable[[], str],
) -> None:
    alone = namespaces()
    devices = {device: await Process.start(alone, device) for device in ("laptop", "phone", "tablet")}
    try:
        for process in devices.values():
            assert await process.says() == {"available": False}
        ip("-n", alone, "link", "set", "lo", "up")
        for device, process in devices.items():
            found: set[str] = set()
            while found != devices.keys() - {device}:
                said = await process.says()
                if "found" in said:
                    assert said["at"] == [["127.0.0.1", 4000]]
                    found.add(said["found"])
    finally:
        for process in devices.values():
            await process.stop()
