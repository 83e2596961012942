from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from zeroconf import DNSOutgoing, DNSPointer  # type: ignore[attr-defined]
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf
from zeroconf.const import _CLASS_IN, _FLAGS_AA, _FLAGS_QR_RESPONSE, _TYPE_PTR

from edda_sync.transport.discovery import SYNC, announce_pairing, answer, date, find_pairing, tag
from edda_sync.transport.interfaces import Endpoint, Interface
from edda_sync.transport.multicast import Look, Station
from edda_sync.words.limits import ANSWERS_MAX, ANSWERS_WITHIN_WINDOW, ENDPOINTS_MAX, INVITATIONS_TRIED_MAX
from tests.transport.announcing import (
    HOUR,
    PATIENCE_S,
    Process,
    Seen,
    Workspace,
    an_interface,
    ip,
    loopback,
)

NAME, OTHER_NAME = "0123456789abcdef", "fedcba9876543210"


def test_a_tag_is_sixteen_hex_digits_that_follow_from_key_device_and_name() -> None:
    first = tag(b"k" * 32, "laptop", NAME)
    assert first == "3118a74d8b06f51d"  # as openssl computes it: part of the protocol
    others = {tag(b"l" * 32, "laptop", NAME), tag(b"k" * 32, "phone", NAME), tag(b"k" * 32, "laptop", OTHER_NAME)}
    assert len({first, *others}) == 4
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in others)


def test_dates_and_answers_are_tags_of_more_words() -> None:
    assert date(b"k" * 32, "laptop", NAME, 480_000) == "55cd181c6034fbc7"
    assert answer(b"k" * 32, "laptop", NAME, OTHER_NAME) == "ade09840ed10a39b"


def saw(devices: set[str], seen: Seen) -> bool:
    return seen.devices == devices


@asynccontextmanager
async def announcing(*texts: dict[str, str] | Callable[[str], str], port: int = 9) -> AsyncIterator[AsyncZeroconf]:
    """Somebody else's announcements of our service type; instead of a text, what returns tags and dates for a name."""
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        for text in texts:
            name = secrets.token_hex(8)
            info = AsyncServiceInfo(
                SYNC,
                f"{name}.{SYNC}",
                port=port,
                properties={"v": "1", "t": text(name), "d": text(f"{name} at 0")} if callable(text) else text,
                server=f"{name}.local.",
                parsed_addresses=["127.0.0.1"],
            )
            await zeroconf.async_register_service(info, cooperating_responders=True)
        yield zeroconf
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


async def test_a_device_does_not_find_itself_or_a_copy_of_itself_or_a_stranger(workspace: Workspace) -> None:
    stranger, _ = await workspace.start("phone", keys=lambda: [bytes(32)])
    own = set[int]()
    twin, _ = await workspace.start("laptop")
    port = workspace.ports["laptop"]
    laptop, _ = await workspace.start("laptop", on_own=lambda endpoints: own.update(port for _, port in endpoints))
    tablet, _ = await workspace.start(
        "tablet"
    )  # this one comes last: any of the others would have been found before it
    for heard in (laptop, twin, tablet):
        await heard.wait(lambda seen: seen.found)
    assert laptop.devices == twin.devices == {"tablet"}
    assert tablet.devices == {"laptop"}
    assert stranger.found == []
    assert port in own, "a copy is told, and may be called"


async def test_records_other_than_announcements_of_this_version_are_ignored(workspace: Workspace) -> None:
    def mine(name: str) -> str:
        return tag(workspace.keys[0], "phone", name)

    foreign: list[dict[str, str] | Callable[[str], str]] = [
        {},
        {"v": "1"},
        {"v": "1", "t": "é" * 16},
        {"v": "1", "t": mine(NAME), "d": mine(f"{NAME} at 0")},  # of another announcement
        lambda name: mine(name)[:-1],
        lambda name: mine(name).upper() + "0",
        lambda name: ",".join([*("0" * 16,) * 4, mine(name)]),
    ]
    laptop, _ = await workspace.start("laptop")
    async with announcing(*foreign), announcing(mine, port=0):
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    assert laptop.devices == {"tablet"}


@pytest.mark.parametrize("version", [{"v": "2"}, {}], ids=["newer", "none"])
async def test_tags_of_another_version_are_ignored(workspace: Workspace, version: dict[str, str]) -> None:
    laptop, _ = await workspace.start("laptop")
    name, zeroconf = secrets.token_hex(8), AsyncZeroconf(interfaces=["127.0.0.1"])
    text = {**version, "t": tag(workspace.keys[0], "phone", name), "d": date(workspace.keys[0], "phone", name, 0)}
    info = AsyncServiceInfo(
        SYNC, f"{name}.{SYNC}", port=9, properties=text, server=f"{name}.local.", parsed_addresses=["127.0.0.1"]
    )
    try:
        await zeroconf.async_register_service(info, cooperating_responders=True)
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    finally:
        await zeroconf.async_close()
    assert laptop.devices == {"tablet"}


@pytest.mark.parametrize(
    "name",
    ["\x1b]0;owned\x07\x1b[31m", "a" * 60, "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef.x", ""],
    ids=repr,
)
async def test_names_that_are_not_ours_are_passed_over_in_silence(
    workspace: Workspace, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    laptop, _ = await workspace.start("laptop")
    foreign = f"{name}.{SYNC}" if name else SYNC
    async with announcing() as air:
        said = DNSOutgoing(_FLAGS_QR_RESPONSE | _FLAGS_AA)
        said.add_answer_at_time(DNSPointer(SYNC, _TYPE_PTR, _CLASS_IN, 120, foreign), 0.0)
        air.zeroconf.send(said)
        phone, _ = await workspace.start("phone")  # it is heard after that, by the same sockets
        await laptop.wait(lambda seen: seen.found)
    await phone.wait(lambda seen: seen.found)
    assert unhandled == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize("years", [-56, 1, 900])
async def test_devices_whose_clocks_are_years_apart_find_each_other(workspace: Workspace, years: int) -> None:
    laptop, _ = await workspace.start("laptop")
    phone, _ = await workspace.start("phone", now=lambda: years * 365 * 24 * HOUR)
    await laptop.wait(lambda seen: seen.devices == {"phone"})
    await phone.wait(lambda seen: seen.devices == {"laptop"})


async def test_a_new_hour_brings_a_new_name_and_new_tags(workspace: Workspace) -> None:
    hour, names, tags = 0, set[str](), set[str]()

    def heard(name: str, info: AsyncServiceInfo | None) -> None:
        if info is not None and info.port == workspace.ports["phone"]:
            names.add(name)
            tags.add((info.properties[b"t"] or b"").decode())

    laptop, _ = await workspace.start("laptop")
    phone, _ = await workspace.start("phone", now=lambda: hour * HOUR)
    await laptop.wait(lambda seen: seen.found)
    async with Station(SYNC, heard=heard, look=loopback):
        hour = 1
        await laptop.wait(lambda seen: len(seen.found) == 2)
        await workspace.start("tablet")  # heard last
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    assert laptop.found[:2] == [workspace.at("phone")] * 2
    assert laptop.lost == []  # the old name went after the new one had come
    assert phone.changes == 0
    assert len(names) == len(tags) >= 1
    assert tags == {tag(workspace.keys[0], "phone", name.partition(".")[0]) for name in names}


@asynccontextmanager
async def recorded(text: Callable[[str], dict[str, str]]) -> AsyncIterator[None]:
    """An announcement that somebody repeats."""
    name, zeroconf = secrets.token_hex(8), AsyncZeroconf(interfaces=["127.0.0.1"])
    info = AsyncServiceInfo(
        SYNC, f"{name}.{SYNC}", port=9, properties=text(name), server=f"{name}.local.", parsed_addresses=["127.0.0.1"]
    )
    try:
        await zeroconf.async_register_service(info, cooperating_responders=True)
        yield
    finally:
        await zeroconf.async_close()


class Listening:
    """A stranger that reads what one device announces: its names, and the answers under each."""

    def __init__(self, port: int) -> None:
        self.answers: dict[str, set[str]] = {}
        self._port, self._told = port, asyncio.Event()
        self.station = Station(SYNC, heard=self._heard, look=loopback)

    def _heard(self, name: str, info: AsyncServiceInfo | None) -> None:
        if info is not None and info.port == self._port:
            said = (info.properties.get(b"a") or b"").decode()
            self.answers.setdefault(name, set()).update(said.split(",") if said else ())
            self._told.set()

    async def until(self, wish: Callable[[dict[str, set[str]]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not wish(self.answers):
                self._told.clear()
                await self._told.wait()


@pytest.mark.parametrize("whose", ["phone", "laptop", "a stranger"])
@pytest.mark.parametrize("hours", [2, 9_000])
async def test_an_announcement_that_is_repeated_later_calls_nobody_and_is_answered_like_a_strangers(
    workspace: Workspace, whose: str, hours: int
) -> None:
    key = workspace.keys[0] if whose in workspace.members else bytes(32)
    called = list[object]()
    laptop, _ = await workspace.start("laptop", on_own=called.append, now=lambda: hours * HOUR)
    spy = Listening(workspace.ports["laptop"])
    async with (
        spy.station,
        recorded(lambda name: {"v": "1", "t": tag(key, whose, name), "d": date(key, whose, name, 0)}),
    ):
        await spy.until(lambda answers: any(answers.values()))
        await workspace.start("tablet", now=lambda: hours * HOUR)
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    assert laptop.devices == {"tablet"}
    assert called == []
    (answers,) = spy.answers.values()
    assert [len(each) for each in answers] == [16], "one, whoever it was"


async def test_answers_stay_with_their_name_so_that_nobody_knows_a_device_again_by_them(workspace: Workspace) -> None:
    hour = 5
    await workspace.start("laptop", now=lambda: hour * HOUR)
    spy = Listening(workspace.ports["laptop"])
    async with spy.station, recorded(lambda name: {"v": "1", "t": tag(bytes(32), "phone", name)}):
        await spy.until(lambda answers: any(answers.values()))
        hour = 6
        await spy.until(lambda answers: len(answers) == 2 and all(answers.values()))
    first, second = spy.answers.values()
    assert first.isdisjoint(second)


async def test_names_that_somebody_makes_up_are_answered_only_so_often(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    spy = Listening(workspace.ports["laptop"])
    async with spy.station, announcing(*[partial(tag, bytes(32), "nobody")] * (ANSWERS_WITHIN_WINDOW * 2)):
        await spy.until(lambda answers: any(len(each) >= ANSWERS_MAX for each in answers.values()))
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
    assert ANSWERS_MAX <= sum(map(len, spy.answers.values())) <= ANSWERS_WITHIN_WINDOW


async def test_a_device_that_missed_a_rotation_of_the_keys_is_found_and_finds_the_others(workspace: Workspace) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    behind, _ = await workspace.start("phone", keys=lambda: [old])
    ahead, _ = await workspace.start("laptop", keys=lambda: [new, old])
    await ahead.wait(lambda seen: seen.devices == {"phone"})
    await behind.wait(lambda seen: seen.devices == {"laptop"})


async def test_a_flood_of_announcements_harms_no_other_device(workspace: Workspace) -> None:
    crowd = [f"spoofed{number}" for number in range(ENDPOINTS_MAX + 20)]
    laptop, discovery = await workspace.start("laptop")
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    async with announcing(*(partial(tag, workspace.keys[0], device) for device in crowd)):
        await workspace.start("tablet")
        await laptop.wait(lambda seen: "tablet" in seen.devices)
        workspace.members.update(crowd)
        discovery.refresh()
        assert 0 < len(laptop.devices & set(crowd)) <= ENDPOINTS_MAX - 2
        await workspace.stop("phone")
        await laptop.wait(lambda seen: "phone" in seen.lost)  # so it was remembered all the time


async def test_many_announcements_of_one_device_harm_only_that_device(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    await workspace.start("phone")
    await laptop.wait(lambda seen: seen.found)
    async with announcing(*[partial(tag, workspace.keys[0], "tablet")] * (ENDPOINTS_MAX + 20)):
        await laptop.wait(lambda seen: len(seen.found) == ENDPOINTS_MAX + 21)
        await workspace.stop("phone")
        await laptop.wait(lambda seen: "phone" in seen.lost)


async def test_a_member_that_moves_to_another_port_under_the_same_name_is_found_there(workspace: Workspace) -> None:
    laptop, _ = await workspace.start("laptop")
    name = secrets.token_hex(8)
    text = {"v": "1", "t": tag(workspace.keys[0], "phone", name), "d": date(workspace.keys[0], "phone", name, 0)}
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


async def test_a_change_of_the_network_is_reported_and_members_are_found_again(workspace: Workspace) -> None:
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


async def all_found(nameplate: str, timeout_s: float, look: Look = loopback) -> list[list[Endpoint]]:
    return [endpoints async for endpoints in find_pairing(nameplate, timeout_s, look=look)]


async def first_found(nameplate: str) -> list[Endpoint]:
    async with aclosing(find_pairing(nameplate, PATIENCE_S, look=loopback)) as found:
        return await anext(found)


async def test_a_joiner_finds_the_invitation_with_its_nameplate_among_several(air: None) -> None:
    mine, other = (secrets.token_hex(4) for _ in range(2))  # longer than real ones, so that parallel runs do not mix
    async with (
        announce_pairing(4001, mine, look=loopback) as fault,
        announce_pairing(4002, other, look=loopback),
    ):
        assert fault == ""
        assert await first_found(mine) == [("127.0.0.1", 4001)]
        assert await first_found(other) == [("127.0.0.1", 4002)]


async def test_a_joiner_that_looks_first_finds_the_invitation_when_it_opens(air: None) -> None:
    nameplate = secrets.token_hex(4)
    finding = asyncio.create_task(first_found(nameplate))
    async with announce_pairing(4001, nameplate, look=loopback):
        assert await finding == [("127.0.0.1", 4001)]


async def test_all_invitations_with_one_nameplate_are_found_but_only_so_many_and_soon(air: None) -> None:
    nameplate = secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        for port in range(4001, 4003):
            await stack.enter_async_context(announce_pairing(port, nameplate, look=loopback))
        found = await all_found(nameplate, PATIENCE_S)
        assert sorted(port for [(_, port)] in found) == [4001, 4002]
        for port in range(4003, 4006):
            await stack.enter_async_context(announce_pairing(port, nameplate, look=loopback))
        assert len(await all_found(nameplate, PATIENCE_S)) == INVITATIONS_TRIED_MAX


@pytest.mark.parametrize("steps", range(6))
async def test_a_search_that_is_stopped_at_once_leaves_nothing_open(air: None, steps: int) -> None:
    opened = open_files()
    looking = asyncio.create_task(first_found("12"))
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


async def test_a_search_without_an_open_invitation_finds_nothing(air: None) -> None:
    assert await all_found(secrets.token_hex(4), 0.2) == []


async def test_without_a_network_an_invitation_says_why_nobody_hears_it_and_a_joiner_finds_nothing() -> None:
    async with announce_pairing(4001, "12", look=frozenset) as fault:
        assert fault == "multicast does not work here: no network interface is up"
        assert await all_found("12", 0.1, frozenset) == []


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
