from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from edda_sync.transport.discovery import PAIR, SYNC, Discovery, announce_pairing, find_pairing, tag
from edda_sync.transport.multicast import Interface, Station, endpoints_of, interfaces
from edda_sync.words.limits import ADDRESSES_MAX, ENDPOINTS_MAX

PATIENCE_S = 20.0  # far above what anything here takes: a test that hangs ends
HOUR = 3600.0
LOOPBACK_MEMBER = socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1")
PORTS = itertools.count(40_000)  # announced, never opened


# --- tags and addresses -----------------------------------------------------------------------------------------------


def test_a_tag_is_sixteen_hex_digits_that_follow_from_key_device_and_hour() -> None:
    first = tag(b"k" * 32, "laptop", 480_000)
    assert first == "e7ca2faaac15b1cf"  # as openssl computes it: part of the protocol
    others = {tag(b"l" * 32, "laptop", 480_000), tag(b"k" * 32, "phone", 480_000), tag(b"k" * 32, "laptop", 480_001)}
    assert len({first, *others}) == 4
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in others)


def test_the_interfaces_of_this_machine_include_loopback_and_compare_equal() -> None:
    present = interfaces()
    assert present == interfaces()
    assert any("127.0.0.1" in interface.addresses and interface.up for interface in present)
    assert not any("%" in address for interface in present for address in interface.addresses)


def announcement(addresses: list[str], scope: int | None = None) -> AsyncServiceInfo:
    return AsyncServiceInfo(SYNC, f"x.{SYNC}", port=7, parsed_addresses=addresses, interface_index=scope)


def an_interface(index: int, *addresses: str, up: bool = True) -> Interface:
    return Interface(f"if{index}", index, up, frozenset(addresses))


def test_endpoints_come_ipv4_first_and_link_local_last() -> None:
    info = announcement(["fe80::1", "fd00::1", "10.0.0.1"], scope=3)
    assert endpoints_of(info, []) == [("10.0.0.1", 7), ("fd00::1", 7), ("fe80::1%3", 7)]


@pytest.mark.parametrize("scope", [None, 0])
def test_a_link_local_address_without_scope_is_tried_on_each_interface_that_could_reach_it(scope: int | None) -> None:
    present = [an_interface(2, "fe80::2"), an_interface(5, "fe80::5", "10.0.0.5"), an_interface(6, "10.0.0.6")]
    down = an_interface(9, "fe80::9", up=False)
    assert endpoints_of(announcement(["fe80::1"], scope), [*present, down]) == [("fe80::1%2", 7), ("fe80::1%5", 7)]
    assert endpoints_of(announcement(["fe80::1"], scope), [down]) == []


def test_addresses_that_nobody_can_have_are_left_out_and_a_crowd_is_cut() -> None:
    assert endpoints_of(announcement(["224.0.0.251", "0.0.0.0", "ff02::fb", "::"]), []) == []
    crowd = [f"10.0.0.{number}" for number in range(1, 100)]
    assert len(endpoints_of(announcement(crowd), [])) == ADDRESSES_MAX


# --- real multicast on loopback ---------------------------------------------------------------------------------------


@cache
def loopback_fault() -> str:
    """Why multicast does not work on loopback here, measured; empty when it does."""
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker,
        ):
            listener.bind(("", 0))
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, LOOPBACK_MEMBER)
            listener.settimeout(2)
            speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            speaker.sendto(b"edda", ("224.0.0.251", listener.getsockname()[1]))
            listener.recv(16)
    except OSError as error:
        return f"multicast on loopback: {error}"
    return ""


@pytest.fixture
async def air() -> AsyncIterator[None]:
    """Multicast that works; callbacks run from the event loop, so what one raises is only told to the loop."""
    if fault := loopback_fault():
        pytest.skip(fault)
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    yield
    assert raised == []


def loopback() -> frozenset[Interface]:
    return frozenset(each for each in interfaces() if "127.0.0.1" in each.addresses)


@dataclass
class Seen:
    """What one device's callbacks have said; :meth:`wait` returns as soon as a wish is true of it."""

    found: list[tuple[str, list[tuple[str, int]]]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    changes: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def devices(self) -> set[str]:
        return {device for device, _ in self.found}

    def on_found(self, device: str, addresses: list[tuple[str, int]]) -> None:
        self.found.append((device, addresses))
        self.told.set()

    def on_lost(self, device: str) -> None:
        self.lost.append(device)
        self.told.set()

    def on_network_change(self) -> None:
        self.changes += 1
        self.told.set()

    async def wait(self, wish: Callable[[Seen], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not wish(self):
                self.told.clear()
                await self.told.wait()


def saw(devices: set[str], seen: Seen) -> bool:
    return seen.devices == devices


class Workspace:
    """A key of its own, so that tests that run at the same time do not hear each other, and its running devices."""

    def __init__(self) -> None:
        self.keys = [secrets.token_bytes(32)]
        self.members = {"laptop", "phone", "tablet"}
        self.ports: dict[str, int] = {}
        self._running: list[tuple[str, Discovery]] = []

    async def start(self, device: str, **changed: Any) -> tuple[Seen, Discovery]:
        seen = Seen()
        self.ports[device] = next(PORTS)
        settings: dict[str, Any] = {
            "members": lambda: self.members,
            "now": lambda: 480_000 * HOUR + 60,
            "look": loopback,
            "on_found": seen.on_found,
            "on_lost": seen.on_lost,
            "on_network_change": seen.on_network_change,
        }
        keys = changed.pop("keys", lambda: self.keys)
        discovery = await Discovery(device, keys, self.ports[device], **(settings | changed)).__aenter__()
        self._running.append((device, discovery))
        return seen, discovery

    async def stop(self, *devices: str) -> None:
        stopping = [each for each in self._running if not devices or each[0] in devices]
        self._running = [each for each in self._running if each not in stopping]
        await asyncio.gather(*(discovery.__aexit__(None, None, None) for _, discovery in stopping))

    def at(self, device: str) -> tuple[str, list[tuple[str, int]]]:
        return device, [("127.0.0.1", self.ports[device])]


@pytest.fixture
async def workspace(air: None) -> AsyncIterator[Workspace]:
    running = Workspace()
    yield running
    await running.stop()


@asynccontextmanager
async def announcing(*texts: dict[str, str], port: int = 9) -> AsyncIterator[None]:
    """Somebody else's announcements of our service type."""
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        for text in texts:
            name = secrets.token_hex(8)
            info = AsyncServiceInfo(
                SYNC,
                f"{name}.{SYNC}",
                port=port,
                properties=text,
                server=f"{name}.local.",
                parsed_addresses=["127.0.0.1"],
            )
            await zeroconf.async_register_service(info, cooperating_responders=True)
        yield
    finally:
        await zeroconf.async_close()


async def test_three_devices_on_one_machine_find_each_other(workspace: Workspace) -> None:
    seen = {device: (await workspace.start(device))[0] for device in sorted(workspace.members)}
    for device, heard in seen.items():
        others = workspace.members - {device}
        await heard.wait(partial(saw, others))
        assert all(each in map(workspace.at, others) for each in heard.found)


async def test_a_device_that_withdraws_is_lost(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    phone, _ = await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    await phone.wait(lambda seen: seen.found)
    await workspace.stop("phone")
    await laptop.wait(lambda seen: seen.lost == ["phone"])
    assert phone.lost == []
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found[1:] == [workspace.at("phone")])


async def test_nobody_finds_itself_nor_a_copy_of_itself_nor_a_stranger(workspace: Workspace) -> None:
    stranger, _ = await workspace.start("phone", keys=lambda: [bytes(32)])
    twin, _ = await workspace.start("laptop")
    laptop, _ = await workspace.start("laptop")
    tablet, _ = await workspace.start("tablet")  # last: who is heard before it would have been found before it
    for heard in (laptop, twin, tablet):
        await heard.wait(lambda seen: seen.found)
    assert laptop.devices == twin.devices == {"tablet"}
    assert tablet.devices == {"laptop"}
    assert stranger.found == []


async def test_records_that_are_no_announcement_of_this_version_are_ignored(workspace: Workspace) -> None:
    mine = tag(workspace.keys[0], "phone", 480_000)
    foreign: list[dict[str, str]] = [
        {},
        {"v": "2", "t": mine},
        {"t": mine},
        {"v": "1"},
        {"v": "1", "t": mine[:-1]},
        {"v": "1", "t": mine.upper() + "0"},
        {"v": "1", "t": "é" * 16},
        {"v": "1", "t": ",".join([*("0" * 16,) * 4, mine])},
    ]
    laptop, _ = await workspace.start("laptop")
    async with announcing(*foreign), announcing({"v": "1", "t": mine}, port=0):
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    assert laptop.devices == {"tablet"}


async def test_a_member_that_joined_after_it_was_heard_is_recognised_on_refresh(workspace: Workspace) -> None:
    laptop, discovery = await workspace.start("laptop")
    await workspace.start("newcomer")
    await workspace.start("phone")
    await laptop.wait(lambda seen: "phone" in seen.devices)
    discovery.refresh()
    assert laptop.devices == {"phone"}
    workspace.members.add("newcomer")
    discovery.refresh()
    assert laptop.found.count(workspace.at("newcomer")) == 1
    discovery.refresh()
    assert laptop.found.count(workspace.at("newcomer")) == 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_clocks_may_be_an_hour_apart(workspace: Workspace, hours: int) -> None:
    laptop, _ = await workspace.start("laptop")
    phone, _ = await workspace.start("phone", now=lambda: (480_000 + hours) * HOUR)
    await laptop.wait(lambda seen: seen.devices == {"phone"})
    await phone.wait(lambda seen: seen.devices == {"laptop"})


async def test_a_new_hour_brings_a_new_tag_and_a_new_name(workspace: Workspace) -> None:
    hour = 480_000
    laptop, _ = await workspace.start("laptop")
    phone, _ = await workspace.start("phone", now=lambda: hour * HOUR)
    await laptop.wait(lambda seen: seen.found)
    hour = 480_001
    await laptop.wait(lambda seen: len(seen.found) == 2)
    assert laptop.found == [workspace.at("phone")] * 2
    assert laptop.lost == []  # the old name went after the new one had come
    assert phone.changes == 0
    hour = 480_003  # more than an hour away from the laptop's clock: a stranger
    await laptop.wait(lambda seen: seen.lost == ["phone"])
    assert len(laptop.found) == 2


async def test_who_missed_a_rotation_of_the_keys_is_found_and_finds_the_others(workspace: Workspace) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    behind, _ = await workspace.start("phone", keys=lambda: [old])
    ahead, _ = await workspace.start("laptop", keys=lambda: [new, old])
    await ahead.wait(lambda seen: seen.devices == {"phone"})
    await behind.wait(lambda seen: seen.devices == {"laptop"})


async def test_a_flood_of_announcements_drowns_only_itself(workspace: Workspace) -> None:
    crowd = [f"spoofed{number}" for number in range(ENDPOINTS_MAX + 20)]
    laptop, discovery = await workspace.start("laptop")
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    async with announcing(*({"v": "1", "t": tag(workspace.keys[0], name, 480_000)} for name in crowd)):
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
        workspace.members.update(crowd)
        discovery.refresh()
        assert 0 < len(laptop.devices & set(crowd)) <= ENDPOINTS_MAX - 2
        await workspace.stop("phone")
        await laptop.wait(lambda seen: "phone" in seen.lost)  # so it was remembered all the time


async def test_a_repeated_tag_under_many_names_drowns_only_its_own_device(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    text = {"v": "1", "t": tag(workspace.keys[0], "tablet", 480_000)}
    async with announcing(*[text] * (ENDPOINTS_MAX + 20)):
        await laptop.wait(lambda seen: len(seen.found) == ENDPOINTS_MAX + 21)
        await workspace.stop("phone")
        await laptop.wait(lambda seen: "phone" in seen.lost)


async def test_a_member_that_moves_to_another_port_under_the_same_name_is_found_there(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    name, text = secrets.token_hex(8), {"v": "1", "t": tag(workspace.keys[0], "phone", 480_000)}
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])

    def at(port: int) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            SYNC, f"{name}.{SYNC}", port=port, properties=text, server=f"{name}.local.", parsed_addresses=["127.0.0.1"]
        )

    try:
        await zeroconf.async_register_service(at(1), cooperating_responders=True)
        await laptop.wait(lambda seen: seen.found == [("phone", [("127.0.0.1", 1)])])
        await zeroconf.async_update_service(at(2))
        await laptop.wait(lambda seen: seen.found[1:] == [("phone", [("127.0.0.1", 2)])])
    finally:
        await zeroconf.async_close()


async def test_a_change_of_the_network_is_told_and_members_are_found_again(workspace: Workspace) -> None:
    extra: frozenset[Interface] = frozenset()
    laptop, _ = await workspace.start("laptop", look=lambda: loopback() | extra)
    phone, _ = await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    await phone.wait(lambda seen: seen.found)
    assert laptop.changes == 0
    extra = frozenset({an_interface(77, "10.99.0.1", up=False)})
    await laptop.wait(lambda seen: seen.changes == 1 and len(seen.found) == 2)
    await phone.wait(lambda seen: len(seen.found) == 2)
    assert phone.changes == 0
    assert phone.lost == []


async def test_without_any_interface_it_says_why_and_recovers_when_one_appears(workspace: Workspace) -> None:
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
async def test_an_interface_that_vanishes_before_it_is_opened_is_a_reason_and_no_crash(
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


async def test_a_bug_in_the_watch_over_the_network_is_raised_to_whoever_waits_for_its_end() -> None:
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


# --- pairing ----------------------------------------------------------------------------------------------------------


async def test_a_joiner_finds_the_invitation_with_its_nameplate_among_several(air: None) -> None:
    mine, other = (secrets.token_hex(4) for _ in range(2))  # longer than real ones, so that parallel runs do not mix
    async with (
        announce_pairing(4001, mine, look=loopback) as fault,
        announce_pairing(4002, other, look=loopback),
    ):
        assert fault == ""
        assert await find_pairing(mine, PATIENCE_S, look=loopback) == [("127.0.0.1", 4001)]
        assert await find_pairing(other, PATIENCE_S, look=loopback) == [("127.0.0.1", 4002)]


async def test_a_joiner_that_looks_first_finds_the_invitation_when_it_opens(air: None) -> None:
    nameplate = secrets.token_hex(4)
    finding = asyncio.create_task(find_pairing(nameplate, PATIENCE_S, look=loopback))
    async with announce_pairing(4001, nameplate, look=loopback):
        assert await finding == [("127.0.0.1", 4001)]


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


@pytest.mark.parametrize("steps", range(6))
async def test_looking_that_is_given_up_at_once_leaves_nothing_open(air: None, steps: int) -> None:
    opened = open_files()
    looking = asyncio.create_task(find_pairing("12", PATIENCE_S, look=loopback))
    for _ in range(steps):
        await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert open_files() <= opened


def open_files() -> set[str]:
    """This process's file descriptors, where the system shows them."""
    folder = Path("/proc/self/fd")
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


async def test_where_no_invitation_is_open_nothing_is_found(air: None) -> None:
    assert await find_pairing(secrets.token_hex(4), 0.2, look=loopback) == []


async def test_without_a_network_an_invitation_says_why_nobody_hears_it_and_a_joiner_finds_nothing() -> None:
    async with announce_pairing(4001, "12", look=frozenset) as fault:
        assert fault == "multicast does not work here: no network interface is up"
        assert await find_pairing("12", 0.1, look=frozenset) == []


# --- network namespaces -----------------------------------------------------------------------------------------------

DEVICE = """
import asyncio, json, sys, time
from edda_sync.transport.discovery import Discovery

def say(**said):
    print(json.dumps(said), flush=True)

async def main(device):
    async with Discovery(
        device, lambda: [b"k" * 32], 4000, members=lambda: ["laptop", "phone", "tablet"], now=time.time,
        on_found=lambda device, addresses: say(found=device, at=addresses),
        on_network_change=lambda: say(changed=True),
    ) as discovery:
        say(available=discovery.available)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(sys.argv[1]))
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=PATIENCE_S)


@dataclass
class Process:
    """One device in a namespace, and the lines it has said."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, namespace: str, device: str) -> Process:
        return cls(
            await asyncio.create_subprocess_exec(
                *("ip", "netns", "exec", namespace, sys.executable, "-c", DEVICE, device),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
        )

    async def says(self, **wanted: object) -> dict[str, Any]:
        """The next line that says this, among others."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                said: dict[str, Any] = json.loads(line)
                if wanted.items() <= said.items():
                    return said
        raise AssertionError(f"the device ended before it said {wanted}")

    async def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await self.process.wait()


@pytest.fixture
def namespaces() -> Iterator[Callable[[], str]]:
    """Make namespaces with nothing in them but a loopback that is down; all are gone afterwards."""
    if shutil.which("ip") is None:
        pytest.skip("network namespaces: there is no `ip` command")
    made: list[str] = []

    def make() -> str:
        name = f"edda-{os.getpid()}-{len(made)}-{time.monotonic_ns() % 10**6}"
        try:
            ip("netns", "add", name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces: {error.stderr.strip()}")
        made.append(name)
        return name

    yield make
    for name in made:
        ip("netns", "delete", name)  # takes its interfaces along


async def test_devices_find_each_other_again_after_their_only_link_was_down(namespaces: Callable[[], str]) -> None:
    left, right = namespaces(), namespaces()
    ip("link", "add", "cable", "netns", left, "type", "veth", "peer", "name", "cable", "netns", right)
    for namespace, address in ((left, "10.77.0.1"), (right, "10.77.0.2")):
        # An IPv6 address that becomes usable is a change as well: without them, the link is the only one.
        ip("netns", "exec", namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/cable/disable_ipv6")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", "cable")
        ip("-n", namespace, "link", "set", "cable", "up")
    laptop, phone = await Process.start(left, "laptop"), await Process.start(right, "phone")
    try:
        assert ["10.77.0.2", 4000] in (await laptop.says(found="phone"))["at"]
        assert ["10.77.0.1", 4000] in (await phone.says(found="laptop"))["at"]
        ip("-n", left, "link", "set", "cable", "down")
        await laptop.says(changed=True)
        await phone.says(changed=True)
        ip("-n", left, "link", "set", "cable", "up")
        assert ["10.77.0.2", 4000] in (await laptop.says(found="phone"))["at"]
        assert ["10.77.0.1", 4000] in (await phone.says(found="laptop"))["at"]
    finally:
        await laptop.stop()
        await phone.stop()


async def test_devices_find_each_other_by_ipv6_link_local_addresses_alone(namespaces: Callable[[], str]) -> None:
    left, right = namespaces(), namespaces()
    ip("link", "add", "cable", "netns", left, "type", "veth", "peer", "name", "cable", "netns", right)
    for namespace in (left, right):
        ip("-n", namespace, "link", "set", "cable", "up")
    laptop, phone = await Process.start(left, "laptop"), await Process.start(right, "phone")
    try:
        for said in (await laptop.says(found="phone"), await phone.says(found="laptop")):
            assert all(host.startswith("fe80::") and host.partition("%")[2] not in ("", "0") for host, _ in said["at"])
    finally:
        await laptop.stop()
        await phone.stop()


async def test_a_machine_without_any_network_comes_alive_with_its_loopback(namespaces: Callable[[], str]) -> None:
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
