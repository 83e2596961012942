"""What a running device does for other processes of its machine: each request by its name, with all its answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edda_sync.device import service
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import pairing
from edda_sync.transport.interfaces import Interface
from edda_sync.words import limits
from edda_sync.words.errors import UsageError
from edda_sync.workspace import welcome as membership
from tests.device.bench import HOST, PATIENCE_S, Bench, add, titles, until_equal


async def answers(device: Device, **request: Any) -> list[dict[str, Any]]:
    """All answers to a request of the local socket."""
    async with asyncio.timeout(PATIENCE_S):
        return [each async for each in service.handler(device)(request)]


# --- requests ---------------------------------------------------------------------------------------------------------


async def test_status_and_devices_are_answered_once_with_what_is_known_now(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        (status,) = await answers(phone, do="status")
        assert (status["running"], status["done"], [each["equal"] for each in status["peers"]]) == (True, True, [True])
        (listed,) = await answers(phone, do="devices")
        assert [(each["name"], each["this"], each["proved_at"] is None) for each in listed["devices"]] == [
            ("laptop", False, False), ("phone", True, True),
        ]  # fmt: skip


async def test_a_sync_says_how_it_goes_and_ends_with_whether_all_are_equal(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone") as phone:
        await laptop.run(add("Buy milk"))
        said = await answers(phone, do="sync", at=[[HOST, laptop.port]], timeout_s=PATIENCE_S)
        assert (said[-1]["equal"], said[-1]["shut_out"], said[-1]["done"]) == (True, None, True)
        assert await phone.run(titles) == {"Buy milk"}


@pytest.mark.parametrize(
    "asked",
    [{}, {"do": "dance"}, {"do": "sync", "at": "here", "timeout_s": 1}, {"do": "invite", "port": "7", "window_s": 1}],
)
async def test_a_askedof_another_version_is_refused_with_what_to_do(bench: Bench, asked: dict[str, Any]) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        with pytest.raises(UsageError, match="restart `edda up`"):
            await answers(laptop, **asked)


# --- one sync ---------------------------------------------------------------------------------------------------------


async def test_one_sync_carries_what_each_peer_has_to_all_of_them(bench: Bench) -> None:
    bench.members("laptop", "phone", "tablet")
    async with bench.running("laptop") as laptop, bench.running("phone") as phone, bench.running("tablet") as tablet:
        await asyncio.gather(laptop.run(add("One")), phone.run(add("Two")), tablet.run(add("Three")))
        at = [(HOST, laptop.port), (HOST, phone.port)]
        async with asyncio.timeout(PATIENCE_S):
            answers = [answer async for answer in service.sync(tablet, at)]
        assert answers[-1]["equal"] is True
        assert {peer["name"]: peer["state"] for peer in answers[-1]["peers"]} == {"laptop": "equal", "phone": "equal"}
        assert (
            await laptop.run(titles) == await phone.run(titles) == await tablet.run(titles) == {"One", "Two", "Three"}
        )


async def test_one_sync_counts_only_who_can_be_reached(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH_S", 0.1)
    bench.members("laptop", "phone", "tablet")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)  # to be linked may take longer than the search
        async with asyncio.timeout(PATIENCE_S):
            answers = [answer async for answer in service.sync(phone, [])]
        assert answers[-1]["equal"] is True
        states = {peer["name"]: peer["state"] for peer in answers[-1]["peers"]}
        assert states == {"laptop": "equal", "tablet": "unreachable"}


async def test_a_sync_to_an_address_that_nobody_answers_at_is_not_equal_and_says_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCH_S", 0.1)
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        said = await answers(phone, do="sync", at=[[HOST, 1]], timeout_s=PATIENCE_S)
        assert said[-1]["equal"] is False
        assert any(str(1) in str(each) for each in said[-1]["peers"])


# --- invitations ------------------------------------------------------------------------------------------------------


async def test_an_invitation_says_its_code_first_and_then_who_came(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        asked = service.invite(laptop, window_s=PATIENCE_S)
        first = await anext(asked)
        assert first["port"] > 0
        assert first["window_s"] == PATIENCE_S
        with StorageEngine(bench.folder / "tablet") as tablet:
            tablet.open_store(bench.config("tablet"))
            identity = tablet.own.make_identity()
            card = membership.encode(membership.DeviceCard(identity.certificate, "tablet", identity.sealing_keys))
            await pairing.join(first["code"], card, HOST, first["port"])
        last = await anext(asked)
        assert last == {"name": "tablet", "device": identity.device, "done": True}
        await asked.aclose()


async def test_whoever_hangs_up_ends_the_invitation(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        asked = service.invite(laptop, window_s=PATIENCE_S)
        first = await anext(asked)
        await asked.aclose()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, first["port"])


def test_addresses_are_those_that_others_can_reach_ipv4_first(monkeypatch: pytest.MonkeyPatch) -> None:
    cable = Interface(
        "eth0", 2, True, frozenset({"192.168.1.20", "fe80::1", "2001:db8::7", "169.254.3.3"}), frozenset()
    )
    down = Interface("wlan0", 3, False, frozenset({"192.168.1.21"}), frozenset())
    lo = Interface("lo", 1, True, frozenset({"127.0.0.1", "::1"}), frozenset())
    monkeypatch.setattr(service, "interfaces", lambda: frozenset({cable, down, lo}))
    assert service.addresses() == ["192.168.1.20", "2001:db8::7", "169.254.3.3"]
