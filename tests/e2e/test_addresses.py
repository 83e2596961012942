"""The addresses that real commands show on machines with several networks are ones that another machine can type."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import lan
from tests.e2e.lan import INTERFACE, Lan, Place
from tests.e2e.machine import PATIENCE_S, Machine, settle_in, until


def ip(place: Place, *arguments: str) -> None:
    subprocess.run(["ip", "-n", place.namespace, *arguments], check=True, capture_output=True, text=True)


def _is_usable(place: Place, name: str) -> bool:
    command = ["ip", "-n", place.namespace, "-6", "address", "show", "dev", name, "up", "scope", "link", "-tentative"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "inet6 fe80:" in shown and "state UP" in shown


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Machine, Machine, list[Place]]]:
    if reason := lan.fault():
        pytest.skip(reason)
    with Lan(2) as places, ExitStack() as stack:
        laptop, phone = (
            stack.enter_context(Machine(tmp_path, name, place.enter))
            for name, place in zip(("laptop", "phone"), places, strict=True)
        )
        yield laptop, phone, places


def containers(place: Place) -> None:
    """Give a machine a bridge with a container, whose address comes before that of the LAN as a text."""
    ip(place, "link", "add", "docker0", "type", "bridge", "forward_delay", "0")
    ip(place, "address", "add", "10.10.0.1/16", "dev", "docker0")
    ip(place, "link", "add", "veth7", "type", "veth", "peer", "name", "inside7")
    for name in ("docker0", "veth7", "inside7"):
        ip(place, "link", "set", name, "up")
        command = f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6"  # what is shown has no further addresses then
        subprocess.run([*place.enter, "sh", "-c", command], check=True)
    ip(place, "link", "set", "veth7", "master", "docker0")


async def test_an_invitation_and_a_device_beside_containers_show_the_address_on_the_lan_first(
    pair: tuple[Machine, Machine, list[Place]],
) -> None:
    laptop, phone, places = pair
    for place in places:
        containers(place)
    settle_in(laptop, phone)
    await laptop.up("--no-discovery")
    at = [places[0].address, "10.10.0.1"]
    running = await laptop.status()
    assert running is not None
    port = running["port"]
    assert running["addresses"] == at
    assert f"reached at: {at[0]}:{port}, {at[1]}:{port}" in laptop.edda("status")
    inviting = laptop.start("invite", "--window", "1")
    printed, _ = await asyncio.to_thread(inviting.communicate, PATIENCE_S)
    assert re.findall(r"edda join --at ([\d.]+):", printed) == at
    assert phone.json("sync", "--at", f"{at[0]}:{port}")["equal"]
    laptop.end_up()


async def test_machines_with_only_link_local_addresses_pair_and_sync_by_what_is_shown(
    pair: tuple[Machine, Machine, list[Place]],
) -> None:
    laptop, phone, places = pair
    for place in places:
        ip(place, "address", "flush", "dev", INTERFACE, "scope", "global")
    ip(places[1], "link", "set", INTERFACE, "down")
    ip(places[1], "link", "set", INTERFACE, "name", "enp3s0")  # so the zone that the laptop shows means nothing there
    ip(places[1], "link", "set", "enp3s0", "up")

    async def are_up() -> bool:  # the cable was pulled for a moment, and each address is tried out before it is used
        return all(_is_usable(place, name) for place, name in zip(places, (INTERFACE, "enp3s0"), strict=True))

    await until(are_up)
    laptop.edda("init", "--name", "laptop")
    laptop.edda("task", "add", "Over a cable, without any router")
    inviting = laptop.start("invite")
    assert inviting.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        said += await asyncio.to_thread(inviting.stdout.readline)
    code = re.search(r"\d\d-\d{4}-\d{4}", said)
    at = re.search(rf"edda join --at (\[fe80::[0-9a-f:]+%{INTERFACE}\]:\d+)", said)
    assert code is not None
    assert at is not None, said
    assert "127.0.0.1" not in said
    await asyncio.to_thread(phone.edda, "join", code[0], "--name", "phone", "--at", at[1])
    assert await asyncio.to_thread(inviting.wait, PATIENCE_S) == 0
    await laptop.up("--no-discovery")
    shown = re.search(r"reached at: (\[fe80::[0-9a-f:]+%\S+\]:\d+)", laptop.edda("status"))
    assert shown is not None
    assert phone.json("sync", "--at", shown[1])["equal"]
    assert [task["title"] for task in phone.json("task", "list")] == ["Over a cable, without any router"]
