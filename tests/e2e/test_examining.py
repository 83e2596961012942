"""``edda doctor --network`` on real networks: which step fails, beside a running device and without one."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import lan
from tests.e2e.lan import INTERFACE, Lan, Place
from tests.e2e.machine import PATIENCE_S, Machine, are_equal, settle_in, until
from tests.e2e.test_clocks import by_clock
from tests.e2e.test_clocks import fault as clock_fault

STEPS = ["interface", "multicast", "port", "firewall", "certificate", "clock"]


@dataclass
class Pair:
    """A laptop and a phone on one LAN, of one workspace; the phone's clock is three hours behind."""

    laptop: Machine
    phone: Machine
    place: Place

    def examined(self) -> dict[str, dict[str, Any]]:
        """The steps on the laptop, by name; the exit code says whether one failed."""
        done = self.laptop.run("doctor", "--network", "--json")
        steps = json.loads(done.stdout)
        assert [each["step"] for each in steps] == STEPS
        assert done.returncode == int(any(each["ok"] is False for each in steps)), done.stderr
        assert all(bool(each["todo"]) == (each["ok"] is not True) for each in steps)
        return {each["step"]: each for each in steps}

    @contextmanager
    def filtering(self, *rules: str) -> Iterator[None]:
        """Let the laptop's firewall refuse something: rules of a chain that sees what comes in, or goes out."""
        way, *conditions = rules
        hook = f"{{ type filter hook {way} priority 0 ; }}"
        nft = [*self.place.enter, "nft"]
        subprocess.run([*nft, "add", "table", "inet", "edda"], check=True)
        try:
            subprocess.run([*nft, f"add chain inet edda {way} {hook}"], check=True)
            for each in conditions:
                subprocess.run([*nft, f"add rule inet edda {way} {each}"], check=True)
            yield
        finally:
            subprocess.run([*nft, "delete", "table", "inet", "edda"], check=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    if reason := clock_fault() or lan.fault() or ("" if shutil.which("nft") else "the command nft is not installed"):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("examined")
    with Lan(2) as places, ExitStack() as stack:
        laptop = stack.enter_context(Machine(folder, "laptop", places[0].enter))
        phone = stack.enter_context(Machine(folder, "phone", (*places[1].enter, *by_clock(FAKETIME="-3h"))))
        settle_in(laptop, phone)
        yield Pair(laptop, phone, places[0])


def test_before_any_device_ran_everything_works_but_nobodys_clock_is_known(pair: Pair) -> None:
    steps = pair.examined()
    assert {name: each["ok"] for name, each in steps.items()} == dict.fromkeys(STEPS, True) | {"clock": None}
    assert pair.place.address in steps["interface"]["detail"]
    assert steps["multicast"]["detail"] == f"passes on {INTERFACE}"
    assert "nothing listens until `edda up` runs" in steps["port"]["detail"]


async def test_beside_a_running_device_a_wrong_clock_is_what_fails(pair: Pair) -> None:
    await pair.laptop.up()
    await pair.phone.up()

    async def equal() -> bool:
        return await are_equal([pair.laptop, pair.phone])

    await until(equal, poll_s=0.3)
    steps = pair.examined()
    assert {name: each["ok"] for name, each in steps.items()} == dict.fromkeys(STEPS, True) | {"clock": False}
    assert steps["clock"]["detail"] == "phone's clock is 3 h behind this one's"
    told = pair.laptop.run("doctor", "--network")
    assert told.returncode == 1
    assert "FAILS    clock: phone's clock is 3 h behind this one's\n         to do: set the clock" in told.stdout
    assert "laptop's clock is 3 h ahead of this one's" in pair.phone.run("doctor", "--network").stdout


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (("input", "udp dport 5353 drop"), "does not come back"),
        (("output", "udp dport 5353 drop"), "may not send"),
        (("input", f"iifname {INTERFACE} udp dport 5353 drop"), "does not come back"),
    ],
    ids=" ".join,
)
def test_multicast_that_a_firewall_keeps_from_the_machine_is_what_fails(
    pair: Pair, rules: tuple[str, ...], said: str
) -> None:
    with pair.filtering(*rules):
        steps = pair.examined()
    assert steps["multicast"]["ok"] is False
    assert said in steps["multicast"]["detail"]
    assert (steps["interface"]["ok"], steps["port"]["ok"], steps["certificate"]["ok"]) == (True, True, True)


async def test_a_port_that_a_firewall_blocks_is_what_fails(pair: Pair) -> None:
    running = await pair.laptop.status()
    assert running is not None
    port = running["port"]
    with pair.filtering("input", f"tcp dport {port} drop"):
        steps = await asyncio.to_thread(pair.examined)
    assert steps["firewall"]["ok"] is False
    assert f"does not reach itself at {pair.place.address}:{port} (no answer" in steps["firewall"]["detail"]
    assert f"let TCP port {port}" in steps["firewall"]["todo"]
    assert (steps["multicast"]["ok"], steps["port"]["ok"], steps["certificate"]["ok"]) == (True, True, None)
    with pair.filtering("input", f"iifname {INTERFACE} tcp dport {port} drop"):  # its own calls come by the loopback
        steps = await asyncio.to_thread(pair.examined)
    assert steps["firewall"]["ok"] is False
    assert f"refuses TCP port {port}" in steps["firewall"]["detail"]


def test_an_interface_without_a_cable_is_what_fails(pair: Pair) -> None:
    pair.place.pull()
    try:
        steps = pair.examined()
    finally:
        pair.place.plug()
    assert steps["interface"]["ok"] is False
    assert INTERFACE in steps["interface"]["detail"]
    assert steps["multicast"]["ok"] is False
    assert steps["firewall"]["ok"] is None


def test_what_was_known_of_clocks_is_known_after_the_device_has_stopped_and_a_taken_port_is_named(pair: Pair) -> None:
    for machine in (pair.phone, pair.laptop):
        code, complaints = machine.end_up()
        assert code == 0, complaints
    steps = pair.examined()
    assert steps["clock"]["detail"] == "phone's clock is 3 h behind this one's"
    port = next(int(word) for word in steps["port"]["detail"].split() if word.isdigit())
    holds = "import socket, sys; s = socket.create_server(('', int(sys.argv[1]))); print(flush=True); sys.stdin.read()"
    command = [*pair.place.enter, sys.executable, "-c", holds, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        holding.stdout.readline()
        steps = pair.examined()
        holding.communicate(timeout=PATIENCE_S)
    assert steps["port"]["ok"] is None
    assert f"Port {port} is in use by another program" in steps["port"]["detail"]
