"""
Real processes on a real LAN: ``edda up`` in three network namespaces, paired and discovered as people do it.

How soon all are proved equal after the network's return is printed: about a second on a quiet machine.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import lan
from tests.e2e.lan import Lan, Place
from tests.e2e.machine import Machine, are_equal, pair, until

HEALED_S_MAX = 10.0  # who misses the end of a cut finds it by a ping or a backoff, after 15 s or more
LINES = "one\ntwo\nthree\n"
NAMES = ("laptop", "phone", "tablet")


@dataclass
class House:
    """Three machines on one LAN, each with a running ``edda up``."""

    machines: list[Machine]
    places: list[Place]

    async def until_equal(self, *machines: Machine) -> float:
        async def equal() -> bool:
            return await are_equal(machines or self.machines)

        return await until(equal)

    async def everywhere(self, *arguments: str) -> list[Any]:
        return list(await asyncio.gather(*(asyncio.to_thread(each.json, *arguments) for each in self.machines)))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if reason := lan.fault():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("house")
    with Lan(len(NAMES)) as places, ExitStack() as stack:
        machines = [
            stack.enter_context(Machine(folder, name, place.enter)) for name, place in zip(NAMES, places, strict=True)
        ]
        asyncio.run(_move_in(machines))
        yield House(machines, places)
        for machine in machines:
            assert machine.end_up() == (0, ""), "whatever happens on the network, a device has no complaint"


async def _move_in(machines: list[Machine]) -> None:
    """Found a workspace on the first machine, and pair the others with it by a code and discovery on the LAN."""
    first = machines[0]
    first.edda("init", "--name", first.name)
    first.edda("task", "add", "Here before anybody else came")
    await first.up()
    for other in machines[1:]:
        await pair(first, other)
        await other.up()


async def test_three_devices_that_were_paired_find_each_other_and_are_proved_equal(house: House) -> None:
    await house.until_equal()
    for machine, said in zip(house.machines, await house.everywhere("status"), strict=True):
        assert said["name"] == machine.name
        assert said["discovery"] == {"available": True, "reason": ""}
        assert sorted(peer["name"] for peer in said["peers"]) == sorted({*NAMES} - {machine.name})
        assert all(peer["connected"] and peer["equal"] for peer in said["peers"])
    first, *others = await house.everywhere("task", "list", "--all")
    assert any(task["title"] == "Here before anybody else came" for task in first)
    assert others == [first, first]


@pytest.mark.parametrize(
    ("who", "cut", "heal"),
    [
        pytest.param(0, Place.pull, Place.plug, id="its interface goes down"),
        pytest.param(1, Place.unplug_far_end, Place.plug_far_end, id="its cable is pulled at the other end"),
        pytest.param(2, Place.silence, Place.unsilence, id="nothing passes, and nothing shows it"),
    ],
)
async def test_both_sides_of_a_cut_are_equal_as_soon_as_its_end_is_noticed(
    house: House,
    who: int,
    cut: Callable[[Place], None],
    heal: Callable[[Place], None],
    record_property: Callable[[str, object], None],
) -> None:
    place, alone = house.places[who], house.machines[who]
    rest = [machine for machine in house.machines if machine is not alone]
    task = alone.edda("task", "add", f"Written together {who}", "--description", LINES)
    await house.until_equal()
    cut(place)
    try:
        await asyncio.gather(
            asyncio.to_thread(
                alone.edda, "task", "edit", task, "--priority", "0", "--tag", "alone", "--description", f"{LINES}four\n"
            ),
            asyncio.to_thread(alone.edda, "task", "add", f"By {alone.name}, alone"),
            asyncio.to_thread(rest[0].edda, "task", "edit", task, "--status", "in_progress", "--tag", "rest"),
            asyncio.to_thread(rest[1].edda, "task", "edit", task, "--description", f"zero\n{LINES}"),
        )
        await house.until_equal(*rest)
        assert not await are_equal([alone, rest[0]])
    finally:
        heal(place)
    healed_s = await house.until_equal()
    record_property("healed_s", round(healed_s, 2))
    sys.stdout.write(f"proved equal {healed_s:.2f} s after the heal\n")
    assert healed_s <= HEALED_S_MAX

    lists = await house.everywhere("task", "list", "--all")
    assert lists[1:] == lists[:1] * 2
    assert f"By {alone.name}, alone" in {each["title"] for each in lists[0]}
    shown = next(each for each in lists[0] if each["id"] == task)
    assert (shown["priority"], shown["status"], sorted(shown["tags"])) == (0, "in_progress", ["alone", "rest"])
    assert shown["description"] == f"zero\n{LINES}four\n"
    synced = await asyncio.to_thread(alone.json, "sync")
    assert (synced["equal"], {peer["state"] for peer in synced["peers"]}) == (True, {"equal"})


async def test_a_device_that_was_killed_is_found_again_at_its_new_port(
    house: House, record_property: Callable[[str, object], None]
) -> None:
    laptop, _, tablet = house.machines
    await house.until_equal()
    running = await tablet.status()
    assert running is not None
    tablet.kill_up()
    await asyncio.gather(
        asyncio.to_thread(laptop.edda, "task", "add", "While the tablet was dead"),
        asyncio.to_thread(tablet.edda, "task", "add", "By the dead tablet"),
    )
    await tablet.up("--port", str(_free_port(running["port"])))
    again_s = await house.until_equal()
    record_property("again_s", round(again_s, 2))
    restarted = await tablet.status()
    assert restarted is not None
    assert restarted["port"] != running["port"]
    lists = await house.everywhere("task", "list", "--all")
    assert lists[1:] == lists[:1] * 2
    assert {"While the tablet was dead", "By the dead tablet"} <= {each["title"] for each in lists[0]}


async def test_a_device_that_runs_only_now_and_then_is_brought_up_to_date_by_one_sync(house: House) -> None:
    laptop, _, tablet = house.machines
    await house.until_equal()
    assert await tablet.stop_up(signal.SIGTERM) == 0
    laptop.edda("task", "add", "While the tablet was off")
    tablet.edda("task", "add", "By the tablet that was off")
    synced = await asyncio.to_thread(tablet.json, "sync")
    assert synced["equal"]
    assert {peer["name"]: peer["state"] for peer in synced["peers"]} == {"laptop": "equal", "phone": "equal"}
    lists = await house.everywhere("task", "list", "--all")
    assert lists[1:] == lists[:1] * 2
    assert {"While the tablet was off", "By the tablet that was off"} <= {each["title"] for each in lists[0]}
    await tablet.up()


def _free_port(other_than: int) -> int:
    """Return a port that is free on this machine, and so also in a namespace, where nothing else runs."""
    while True:
        with socket.create_server(("", 0)) as free:
            port: int = free.getsockname()[1]
        if port != other_than:
            return port
